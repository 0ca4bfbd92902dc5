//! `op25b status` and `op25b subscribers` of users who may open the control socket and not read the kernel.

use std::{fs, path::Path, process::Command};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};
use serde_json::Value;

use crate::{
    exempt::add,
    support::scene::{Answer, OP25B, SMALL, Scene, eventually},
};

/// An ordinary user.
const USER: &str = "--reuid=65534";
/// The groups of the daemon's machine, and one that has no role.
const GROUPS: &str = "root:x:0:\nop25b:x:65531:\nop25b-desk:x:65532:\nop25b-view:x:65533:\nstaff:x:65530:\n";
const EVERYTHING: u32 = 65_531;
const DESK: u32 = 65_532;
const VIEW: u32 = 65_533;
const STAFF: u32 = 65_530;

/// Runs op25b as a user whose supplementary group this is.
fn as_member(scene: &Scene, group: u32, words: &[&str]) -> Answer {
    let groups = format!("--groups={STAFF},{group}");
    let command = [&[USER, "--regid=65534", &groups, OP25B][..], words].concat();
    scene.on_router("setpriv", &command)
}

/// Starts `op25b run` on a machine with these groups.
fn filter_with_groups(scene: &Scene) -> Filter {
    let groups = scene.path("group");
    fs::write(&groups, GROUPS).unwrap();
    scene.router().mount_pins().unwrap();
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "sh",
            "-c",
            "mount --bind \"$0\" /etc/group && exec \"$@\"",
        ])
        .arg(groups)
        .args([OP25B, "run", "--policy"])
        .arg(scene.policy(SMALL));
    Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap()
}

/// Who read the records of subscribers is recorded, with the reason and without the address.
fn reads_are_recorded(scene: &Scene) {
    assert_eq!(
        as_member(scene, DESK, &["subscribers", "--reason", "OPS-7"]).code,
        Some(0)
    );
    let reads = |query: &str| -> Vec<Value> {
        let answer = scene.ask_daemon(&format!("GET /v1/reads{query}"));
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        body["items"].as_array().unwrap().clone()
    };
    eventually("the last is recorded", || {
        reads("").first().is_some_and(|read| read["reason"] == "OPS-7")
    });
    let last = &reads("")[0];
    assert_eq!(
        (&last["by"]["uid"], &last["detail"]),
        (&Value::from(65_534), &Value::from("subscribers"))
    );
    let of_one = reads("?in=198.51.100.10");
    assert_eq!(of_one.len(), 1, "{of_one:?}");
    let detail = of_one[0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("subscribers in one prefix, whose digest is "),
        "{detail}"
    );
    assert!(!detail.contains("198.51.100.10"), "{detail}");
    assert_eq!(reads("?in=198.51.100.11"), Vec::<Value>::new());
    assert!(!scene.ask_daemon("GET /v1/operations").contains("\"read\""));
}

/// Who may not see subscribers sees the rest of the live view, and is told why.
fn the_live_view_shows_what_the_role_may(scene: &Scene) {
    let theirs = as_member(scene, VIEW, &["top", "--once"]);
    assert_eq!(theirs.code, Some(0), "{theirs:?}");
    assert!(
        theirs.stdout.contains("\nblocked ") && theirs.stdout.contains("\nresidential "),
        "{theirs:?}"
    );
    assert!(!theirs.stdout.contains("198.51.100.10"), "{theirs:?}");
    let why = "op25b: subscribers are not shown: user 65534 may not do this: it takes root or membership in the group \
               op25b-desk or op25b (";
    assert!(theirs.stderr.starts_with(why), "{theirs:?}");
    let theirs = as_member(scene, DESK, &["top", "--once", "--reason", "OPS-8"]);
    assert!(theirs.stdout.contains("198.51.100.10"), "{theirs:?}");
}

#[test]
fn each_group_may_what_its_role_may_and_no_more() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = filter_with_groups(&scene);
    scene.assert_blocked(&servers, &filter);
    add(&scene, &["198.51.100.64/29"], &[]);

    for (group, words) in [
        (VIEW, &["status", "--json"][..]),
        (VIEW, &["status"]),
        (DESK, &["subscribers"]),
        (
            EVERYTHING,
            &[
                "subscribers",
                "--json",
                "--in",
                "198.51.100.10",
                "--since",
                "1h",
                "--sort",
                "last-seen",
            ],
        ),
        (
            DESK,
            &["subscribers", "--json", "--top", "0", "--pool", "residential"],
        ),
        (DESK, &["exempt", "list", "--json"]),
    ] {
        let theirs = as_member(&scene, group, words);
        assert_eq!(theirs.code, Some(0), "{words:?}: {theirs:?}");
        assert_eq!(theirs.stdout, scene.op25b(words).stdout, "{words:?}");
    }
    let status = as_member(&scene, VIEW, &["status"]).stdout;
    assert!(
        status.contains("exemptions  1 (1 active, 0 expired)\n"),
        "{status}"
    );
    let subscribers = as_member(&scene, DESK, &["subscribers"]).stdout;
    assert!(subscribers.contains("198.51.100.10"), "{subscribers}");
    let unknown = as_member(&scene, DESK, &["subscribers", "--pool", "none"]);
    assert_eq!(
        unknown.refusal(),
        "op25b: no filter here has a pool \"none\"; there is residential"
    );

    reads_are_recorded(&scene);

    the_live_view_shows_what_the_role_may(&scene);

    // Each is refused what the next role may.
    let exempt = [
        "exempt",
        "add",
        "198.51.100.72",
        "--customer",
        "A",
        "--expires",
        "never",
    ];
    for (group, refused, groups) in [
        (VIEW, &["subscribers"][..], "op25b-desk or op25b"),
        (
            VIEW,
            &["explain", "--src", "198.51.100.10"],
            "op25b-desk or op25b",
        ),
        (VIEW, &exempt, "op25b-desk or op25b"),
        (DESK, &["reload"], "op25b"),
        (DESK, &["pause", "--reason", "x"], "op25b"),
    ] {
        let answer = as_member(&scene, group, refused);
        assert_eq!(answer.stdout, "", "{refused:?}: {answer:?}");
        let words =
            format!("user 65534 may not do this: it takes root or membership in the group {groups} (");
        assert!(answer.stderr.contains(&words), "{refused:?}: {answer:?}");
    }
    assert_eq!(as_member(&scene, DESK, &exempt).code, Some(0));
    assert_eq!(as_member(&scene, EVERYTHING, &["reload"]).code, Some(0));

    // One who may not open the socket is told what permits it, whatever is asked.
    let [_, (_, runtime), _] = scene.router().places();
    for words in [
        &["status"][..],
        &["subscribers"],
        &["top", "--once"],
        &["metrics"],
        &["reload"],
        &["reload", "--dry-run"],
        &["explain", "--src", "198.51.100.10"],
        &["exempt", "list"],
        &["exempt", "history"],
        &["exempt", "show", "line-1"],
        &["exempt", "add", "198.51.100.72", "--customer", "A"],
        &["exempt", "remove", "line-1", "--reason", "x"],
        &["export", "prefixes"],
    ] {
        let refused = as_member(&scene, STAFF, words);
        let (refusal, socket) = (refused.refusal(), runtime.join("control.sock"));
        assert!(
            refusal.starts_with("op25b: not permitted: ")
                && refusal.ends_with(&format!("this user may not open {}", socket.display())),
            "{words:?}: {refusal}"
        );
    }
}

#[test]
fn the_status_counts_an_exemption_once_it_is_added_and_says_when_it_does_not() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    add(&scene, &["198.51.100.64/29"], &[]);
    let exemptions = || -> Value {
        let status = scene.op25b(&["status", "--json"]).json();
        status["filters"][0]["exemptions"].clone()
    };
    let counted = exemptions();
    assert_eq!(
        (&counted["total"], &counted["active"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(counted["as_loaded"], false);

    // The kernel's description is that of the load.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let counted = exemptions();
    assert_eq!(
        (&counted["total"], &counted["as_loaded"]),
        (&Value::from(0), &Value::from(true))
    );
    let text = scene.op25b(&["status"]).stdout;
    assert!(
        text.contains("exemptions  0 (0 active, 0 expired) when the policy was loaded\n"),
        "{text}"
    );
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}
