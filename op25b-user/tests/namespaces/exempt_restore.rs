//! An exemption that was removed by mistake: what the refusals say about it, and its way back.

use crate::{
    exempt::{add, exempt, listed},
    support::scene::{Answer, SMALL, Scene},
};

const PREFIX: &str = "198.51.100.8/29";

#[track_caller]
fn refused(answer: &Answer) -> &str {
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""), "{answer:?}");
    &answer.stderr
}

/// What the program in the kernel does with a connection from the prefix.
fn verdict(scene: &Scene) -> String {
    let explained = scene.op25b(&["explain", "--src", "198.51.100.8"]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    let first = explained.stdout.lines().next().unwrap();
    first.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_removed_exemption_is_named_with_who_and_why_and_restored_by_the_beginning_of_its_id() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let id = add(&scene, &[PREFIX], &["--ticket", "OPS-1042"]);
    // Only one is stored, so that any beginning is unique.
    let beginning = id[..6].to_lowercase();
    let removed = exempt(&scene, &["remove", &beginning, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(verdict(&scene), "drop");

    for words in [
        &["remove", &id, "--reason", "again"][..],
        &["extend", &beginning, "--expires", "90d"],
    ] {
        let answer = exempt(&scene, words);
        let why = refused(&answer);
        assert!(
            why.starts_with(&format!("op25b: exemption {id} of Example KK was removed 20")),
            "{why}"
        );
        assert!(
            why.ends_with(&format!(
                " by root: contract ended; `op25b exempt restore {id}` brings it back\n"
            )),
            "{why}"
        );
    }
    let shown = exempt(&scene, &["show", &beginning]).stdout;
    assert!(
        shown.contains(" by root\n  reason        contract ended\n"),
        "{shown}"
    );

    // What another customer has got since is in its way.
    let other = exempt(&scene, &["add", "198.51.100.8/30", "--customer", "Other GmbH"]);
    assert_eq!(other.code, Some(0), "{other:?}");
    let other = other.stdout.lines().next().unwrap().to_owned();
    let answer = exempt(&scene, &["restore", &id]);
    let why = refused(&answer);
    assert!(why.contains(&other) && why.contains("Other GmbH"), "{why}");
    let answer = exempt(&scene, &["show", &id[..4]]);
    let why = refused(&answer);
    assert!(
        why.contains("the ids of 2 exemptions begin with") && why.contains(&other),
        "{why}"
    );
    exempt(&scene, &["remove", &other, "--reason", "moved"]);

    let passed = exempt(&scene, &["restore", &id, "--expires", "2020-01-01"]);
    assert!(refused(&passed).contains("2020-01-01"), "{passed:?}");
    let restored = exempt(&scene, &["restore", &id, "--reason", "a slip"]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(
        restored
            .stdout
            .starts_with(&format!("restored {id}\n  customer      Example KK\n"))
            && restored.stdout.ends_with(" port 25: pass (exempt)\n"),
        "{restored:?}"
    );
    assert_eq!(verdict(&scene), "pass");
    let list = listed(&scene, &[]);
    assert_eq!(
        (&list[0]["id"], &list[0]["ticket"], &list[0]["removed_at"]),
        (&id.as_str().into(), &"OPS-1042".into(), &serde_json::Value::Null)
    );
    let again = exempt(&scene, &["restore", &id]);
    assert!(
        refused(&again).contains("is not removed: it is in force"),
        "{again:?}"
    );
    let history = exempt(&scene, &["history", &id]).stdout;
    assert!(
        history.lines().last().unwrap().contains("  root  restored  "),
        "{history}"
    );

    // One that is restored is in the store, and holds after a reload.
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    assert_eq!(verdict(&scene), "pass");
}

#[test]
fn what_an_import_added_is_listed_by_its_batch_and_removed_as_a_whole() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let file = scene.path("customers.csv");
    let rows =
        "customer,prefixes\nExample KK,198.51.100.8/29\nOther GmbH,198.51.100.16/29 2001:db8:100:16::/64\n";
    std::fs::write(&file, rows).unwrap();
    let kept = add(&scene, &["198.51.100.24/29"], &[]);
    let imported = exempt(&scene, &["import", file.to_str().unwrap(), "--json"]).json();
    let batch = imported["batch"].as_str().unwrap();
    let [first, second] = &listed(&scene, &["--batch", &batch.to_lowercase()])[..] else {
        panic!("two were imported")
    };
    assert_eq!([&first["batch"], &second["batch"]], [batch, batch]);
    let unknown = exempt(&scene, &["list", "--batch", "7ZZZ"]);
    assert!(refused(&unknown).contains("no import has the id"), "{unknown:?}");

    // One with a prefix; another number than was shown, and a prefix that is only near, change nothing.
    let near = exempt(&scene, &["remove", "--prefix", "198.51.100.9", "--reason", "x"]);
    let why = refused(&near);
    assert!(
        why.contains("exactly the prefix 198.51.100.9/32") && why.contains("198.51.100.8/29 of Example KK"),
        "{why}"
    );
    let prefix = ["remove", "--prefix", "198.51.100.16/29", "--reason", "cancelled"];
    assert!(exempt(&scene, &prefix).stderr.contains("`--yes`"));
    assert_eq!(listed(&scene, &[]).len(), 3);
    assert_eq!(exempt(&scene, &[&prefix[..], &["--yes"]].concat()).code, Some(0));
    assert_eq!(verdict(&scene), "pass");

    let removed = exempt(&scene, &["remove", "--batch", batch, "--reason", "wrong file"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(
        removed.stdout.starts_with("removed 1 exemption:\n")
            && removed.stdout.ends_with(" port 25: drop (blocked)\n"),
        "{removed:?}"
    );
    let left = listed(&scene, &[]);
    assert_eq!(left[0]["id"], kept.as_str());
    assert_eq!(left.len(), 1);
    let again = exempt(&scene, &["remove", "--batch", batch, "--reason", "again"]);
    assert!(refused(&again).contains("were removed already"), "{again:?}");
}
