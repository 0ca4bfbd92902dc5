//! Exports that are imported again, and exemptions of a policy file beside stored ones.

use std::fs;

use crate::{
    exempt::{FILED, add, add_for, exempt, ids, listed},
    support::scene::{SMALL, Scene, eventually},
};

#[test]
fn an_export_is_imported_again_into_the_same_store_and_into_an_empty_one() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    add(
        &scene,
        &["198.51.100.10"],
        &["--ticket", "OPS-1", "--expires", "90d"],
    );
    let wide = ["add", "203.0.112.0/20", "--customer", "Wide", "--force"];
    assert_eq!(exempt(&scene, &wide).code, Some(0));
    let soon = ["add", "198.51.100.64/29", "--customer", "Soon", "--expires", "6s"];
    assert_eq!(exempt(&scene, &soon).code, Some(0));
    let exports: Vec<_> = ["csv", "yaml", "json"]
        .iter()
        .map(|format| {
            let exported = exempt(&scene, &["export", "--format", format]);
            assert!(exported.stdout.contains("Soon"), "{exported:?}");
            let file = scene.path(&format!("export.{format}"));
            fs::write(&file, exported.stdout).unwrap();
            file.to_str().unwrap().to_owned()
        })
        .collect();
    eventually("it has expired", || {
        listed(&scene, &["--customer", "Soon"]).is_empty()
    });
    for file in &exports {
        let again = exempt(&scene, &["import", file]);
        let output = "added 0; 2 existed already; 1 has expired\n";
        assert_eq!(
            (again.code, again.stdout.as_str()),
            (Some(0), output),
            "{again:?}"
        );
        assert!(again.stderr.contains("it expired at "), "{again:?}");
    }

    filter.stop().unwrap();
    let [.., (_, state)] = scene.router().places();
    fs::rename(&state, state.with_file_name("before")).unwrap();
    let _filter = scene.filter(&policy);
    for (file, output) in exports.iter().zip([
        "added 2; 0 existed already; 1 has expired\nbatch 0",
        "added 0; 2 existed already; 1 has expired\n",
        "added 0; 2 existed already; 1 has expired\n",
    ]) {
        let imported = exempt(&scene, &["import", file]);
        assert_eq!(
            (imported.code, imported.stdout.starts_with(output)),
            (Some(0), true),
            "{imported:?}"
        );
    }
}

#[test]
fn an_import_names_what_was_removed_before_and_the_lines_of_a_file_that_has_it_twice() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&format!("{SMALL}{FILED}")));
    let gone = add(&scene, &["198.51.100.8/29"], &["--ticket", "OPS-1"]);
    let removed = exempt(&scene, &["remove", &gone, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let file = |name: &str, text: &str| {
        let file = scene.path(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let again = file(
        "again.csv",
        "customer,prefixes,ticket\nExample KK,198.51.100.8/29,OPS-2\nExample KK,198.51.100.72/29,OPS-2\n\
         Example KK,198.51.100.72/29,OPS-2\n",
    );
    let had = format!("1 of them had been removed: {gone}; `op25b exempt show ID` says by whom and why\n");
    for (words, first) in [
        (
            &["import", "--dry-run", &again][..],
            "would add 2; 1 exists already\n",
        ),
        (&["import", &again], "added 2; 1 existed already\n"),
    ] {
        let imported = exempt(&scene, words);
        assert_eq!(imported.code, Some(0), "{imported:?}");
        assert!(
            imported.stdout.starts_with(&format!("{first}{had}")),
            "{imported:?}"
        );
        assert!(
            imported
                .stderr
                .contains("line 4: it is the same as line 3, and is not added twice"),
            "{imported:?}"
        );
    }
    let twice = file(
        "twice.csv",
        "customer,prefixes,ticket\nExample KK,198.51.100.80/29,OPS-1\nExample KK,198.51.100.80/29,OPS-2\n\
         Other,198.51.100.81 192.0.2.9,\n",
    );
    let refused = exempt(&scene, &["import", &twice]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for line in [
        ":3: line 2 of this file has the same prefixes and destinations with another ticket, note or expiry: keep one of the two\n",
        ":4: 198.51.100.81/32 overlaps 198.51.100.80/29 of Example KK (line 2 of this file): ",
    ] {
        assert!(refused.stderr.contains(line), "{line} {refused:?}");
    }

    let all = exempt(&scene, &["export", "--all"]);
    assert!(all.stdout.lines().any(|line| line.ends_with(",store")), "{all:?}");
    assert!(all.stdout.contains("policy.yaml:"), "{all:?}");
    let imported = exempt(&scene, &["import", &file("all.csv", &all.stdout)]);
    assert_eq!(imported.stdout, "added 0; 2 existed already\n", "{imported:?}");
    assert!(
        imported
            .stderr
            .contains("left out, whose `source` is not `store`"),
        "{imported:?}"
    );
}

#[test]
fn what_expired_before_a_load_is_extended_all_the_same() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    let id = add_for(&scene, "1s", &["198.51.100.10"]);
    eventually("it has expired", || listed(&scene, &[]).is_empty());
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    let extended = exempt(&scene, &["extend", &id, "--expires", "90d"]);
    assert!(
        extended.stdout.ends_with(" port 25: pass (exempt)\n"),
        "{extended:?}"
    );
    assert_eq!(ids(&listed(&scene, &[])), [id.as_str()]);
}

#[test]
fn a_reload_warns_of_an_exemption_of_the_file_over_somebody_elses() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let id = add(&scene, &["198.51.100.66"], &[]);
    let policy = scene.policy(&format!("{SMALL}{FILED}"));
    for words in [&["reload", "--dry-run"][..], &["reload"]] {
        let reloaded = scene.op25b(words);
        assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
        assert!(
            reloaded
                .stderr
                .contains("the exemption of Filed overlaps with 198.51.100.66/32 of Example KK"),
            "{reloaded:?}"
        );
        assert!(reloaded.stderr.contains(&id), "{reloaded:?}");
    }
    filter.stop().unwrap();
    let filter = scene.filter(&policy);
    assert!(
        filter.log().contains("the exemption of Filed overlaps with"),
        "{}",
        filter.log()
    );
}
