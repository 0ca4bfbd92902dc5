//! Sessions are imported into the daemon's directory and found again, whatever becomes of the file.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::scene::{Answer, SMALL, Scene};

const LEASES: &str = "\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
198.51.100.10,02:00:5e:00:53:01,,600,1774920600,1,0,0,,0,
198.51.100.10,02:00:5e:00:53:01,,600,1774921000,1,0,0,,2,
198.51.100.10,02:00:5e:00:53:02,,600,1774925000,1,0,0,,0,
";

fn sessions(scene: &Scene, words: &[&str]) -> Answer {
    let answer = scene.op25b(&[&["sessions"][..], words].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer
}

#[test]
fn a_log_is_imported_once_found_by_its_times_and_imported_again_after_the_file_was_damaged() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let log = scene.path("kea-leases4.csv");
    fs::write(&log, LEASES).unwrap();
    let log = log.to_str().unwrap();
    let import = || sessions(&scene, &["import", log]).stdout;
    let [.., (_, state)] = scene.router().places();
    let file = state.join("sessions.db");

    assert!(
        sessions(&scene, &["import", "--dry-run", log])
            .stdout
            .starts_with("would add 2 sessions; 0 known already\n")
    );
    assert!(import().starts_with("added 2 sessions; 0 known already\n"));
    assert!(import().starts_with("added 0 sessions; 2 known already\n"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    let customers = |words: &[&str]| -> Vec<String> {
        let listed = sessions(&scene, &[&["list", "--json"][..], words].concat()).json();
        let items = listed["items"].as_array().unwrap();
        let name = |item: &serde_json::Value| item["customer"].as_str().unwrap().to_owned();
        items.iter().map(name).collect()
    };
    let at = ["--in", "198.51.100.10", "--at", "2026-03-31T01:35:00Z"];
    assert_eq!(customers(&at), ["02:00:5e:00:53:01"]);
    assert_eq!(customers(&[]), ["02:00:5e:00:53:01", "02:00:5e:00:53:02"]);

    // The log of the last import beside it is not the one of this file.
    for name in ["sessions.db-wal", "sessions.db-shm"] {
        let _ = fs::remove_file(state.join(name));
    }
    fs::write(&file, "no database".repeat(1000)).unwrap();
    let damaged = scene.op25b(&["sessions", "list"]);
    assert_eq!(damaged.code, Some(2), "{damaged:?}");
    assert!(damaged.stderr.contains("the session store "), "{damaged:?}");
    let again = sessions(&scene, &["import", log]);
    assert!(again.stdout.starts_with("added 2 sessions;"), "{again:?}");
    assert!(
        again
            .stderr
            .contains("the sessions before are lost, and are to be imported again"),
        "{again:?}"
    );
    assert_eq!(customers(&at), ["02:00:5e:00:53:01"]);
    filter.stop().unwrap();
}
