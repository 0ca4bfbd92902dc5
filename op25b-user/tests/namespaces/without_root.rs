//! `op25b status` and `op25b subscribers` of users who may open the control socket and not read the kernel.

use std::os::unix::fs::chown;

use nix::sys::signal::Signal;
use op25b_testlab::lab::Servers;
use serde_json::Value;

use crate::{
    exempt::add,
    support::scene::{Answer, OP25B, SMALL, Scene},
};

/// An ordinary user, and the group that the socket is opened to.
const USER: &str = "--reuid=65534";
const GROUP: u32 = 65_533;

/// Runs op25b as a member of that group.
fn as_member(scene: &Scene, words: &[&str]) -> Answer {
    let group = format!("--regid={GROUP}");
    let command = [&[USER, &group, "--clear-groups", OP25B][..], words].concat();
    scene.on_router("setpriv", &command)
}

#[test]
fn a_member_of_the_group_sees_the_status_and_the_subscribers_through_the_daemon() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_blocked(&servers, &filter);
    add(&scene, &["198.51.100.64/29"], &[]);
    let [_, (_, runtime), _] = scene.router().places();
    chown(runtime.join("control.sock"), None, Some(GROUP)).unwrap();

    let [theirs, roots] = [
        as_member(&scene, &["status", "--json"]),
        scene.op25b(&["status", "--json"]),
    ];
    assert_eq!(theirs.code, Some(0), "{theirs:?}");
    assert_eq!(theirs.json(), roots.json());
    let text = as_member(&scene, &["status"]);
    assert_eq!(text.stdout, scene.op25b(&["status"]).stdout);
    assert!(
        text.stdout.contains("exemptions  1 (1 active, 0 expired)\n"),
        "{text:?}"
    );

    for words in [
        &["subscribers"][..],
        &["subscribers", "--json"],
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
        &["subscribers", "--json", "--top", "0", "--pool", "residential"],
    ] {
        let theirs = as_member(&scene, words);
        assert_eq!(theirs.code, Some(0), "{theirs:?}");
        assert_eq!(theirs.stdout, scene.op25b(words).stdout, "{words:?}");
        assert!(theirs.stdout.contains("198.51.100.10"), "{theirs:?}");
    }
    let unknown = as_member(&scene, &["subscribers", "--pool", "none"]);
    assert_eq!(
        unknown.refusal(),
        "op25b: no filter here has a pool \"none\"; there is residential"
    );

    // One who may not open the socket is told what permits it, whatever is asked.
    chown(runtime.join("control.sock"), None, Some(0)).unwrap();
    for words in [
        &["status"][..],
        &["subscribers"],
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
        let refused = as_member(&scene, words);
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
