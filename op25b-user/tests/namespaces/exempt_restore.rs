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
