//! `op25b export prefixes` of what is enforced: the policy file's exemptions and the stored ones, with and without a daemon.

use nix::sys::signal::Signal;

use crate::{
    exempt::{FILED, add, add_for, exempt, listed},
    support::scene::{SMALL, Scene, eventually},
};

/// What is left of the pool's IPv4 addresses without 198.51.100.8/29 and 198.51.100.64/29.
const WITHOUT_BOTH: [&str; 8] = [
    "198.51.100.0/29",
    "198.51.100.16/28",
    "198.51.100.32/27",
    "198.51.100.72/29",
    "198.51.100.80/28",
    "198.51.100.96/27",
    "198.51.100.128/25",
    "2001:db8:100::/40",
];

fn lines(scene: &Scene, options: &[&str]) -> Vec<String> {
    let answer = scene.op25b(&[&["export", "prefixes"][..], options].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_pools_prefixes_are_printed_without_what_the_file_and_the_store_exempt_now() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(&format!("{SMALL}{FILED}")));
    add(&scene, &["198.51.100.8/29"], &[]);
    let limited = [
        "add",
        "198.51.100.24",
        "--customer",
        "Some",
        "--dest",
        "192.0.2.25",
    ];
    assert_eq!(exempt(&scene, &limited).code, Some(0));
    add_for(&scene, "1s", &["198.51.100.128/25"]);
    eventually("it has expired", || listed(&scene, &[]).len() == 3);

    let pool = ["--pool", "residential"];
    assert_eq!(lines(&scene, &pool), ["198.51.100.0/24", "2001:db8:100::/40"]);
    let without = ["--pool", "residential", "--without-exempt"];
    assert_eq!(lines(&scene, &without), WITHOUT_BOTH);
    let json = scene
        .op25b(&["export", "prefixes", "--without-exempt", "--json"])
        .json();
    assert_eq!(
        json["pools"][0]["prefixes"].as_array().unwrap().len(),
        WITHOUT_BOTH.len()
    );

    // The stored exemptions are enforced without a daemon too.
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(lines(&scene, &without), WITHOUT_BOTH);
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
    let none = scene.op25b(&["export", "prefixes"]);
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stderr.contains("`--policy FILE`"), "{none:?}");
}

#[test]
fn a_policy_file_that_was_changed_is_not_printed_as_what_is_enforced() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    scene.policy(&SMALL.replace("198.51.100.0/24", "203.0.113.0/24"));
    let assert_refused = || {
        let refused = scene.op25b(&["export", "prefixes"]);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(2), ""),
            "{refused:?}"
        );
        assert!(
            refused.stderr.contains("has been changed since it was loaded"),
            "{refused:?}"
        );
    };
    assert_refused();
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_refused();
    let file = policy.to_str().unwrap();
    assert_eq!(lines(&scene, &["--policy", file])[0], "203.0.113.0/24");
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}
