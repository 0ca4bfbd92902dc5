//! Completion in shells: ids, customers, prefixes and pools of the daemon, and nothing without one.

use nix::sys::signal::Signal;

use crate::{
    exempt::{FILED, add},
    support::scene::{OP25B, SMALL, Scene},
};

/// What bash is offered after these words, of which the last one is being typed.
fn offered(scene: &Scene, words: &[&str]) -> Vec<String> {
    let index = format!("_CLAP_COMPLETE_INDEX={}", words.len());
    let start = [
        "OP25B_COMPLETE=bash",
        "_CLAP_IFS=\n",
        &index,
        OP25B,
        "--",
        "op25b",
    ];
    let answer = scene.on_router("env", &[&start[..], words].concat());
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{answer:?}");
    answer.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_ids_customers_prefixes_and_pools_while_a_daemon_runs() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(&format!("{SMALL}{FILED}")));
    let id = add(&scene, &["198.51.100.8/29"], &["--ticket", "OPS-1042"]);

    assert_eq!(offered(&scene, &["exempt", "remove", &id[..8]]), [&*id]);
    assert_eq!(
        offered(&scene, &["diagnose", "198.51.100.8"]),
        ["198.51.100.8/29"]
    );
    assert_eq!(
        offered(&scene, &["exempt", "list", "--ticket", "OPS-1"]),
        ["OPS-1", "OPS-1042"]
    );
    assert_eq!(offered(&scene, &["exempt", "add", "--customer", "F"]), ["Filed"]);
    assert_eq!(offered(&scene, &["pause", "--pool", ""]), ["residential"]);
    assert!(offered(&scene, &["explain", "--interface", ""]).contains(&"lo".to_owned()));

    filter.leave_by(Signal::SIGTERM).unwrap();
    assert!(offered(&scene, &["exempt", "remove", &id[..8]]).is_empty());
    assert_eq!(offered(&scene, &["exempt", "rem"]), ["remove"]);
}
