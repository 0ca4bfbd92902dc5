//! Commands whose output nobody reads any longer.

use std::{io::pipe, os::unix::process::ExitStatusExt as _, process::Stdio};

use nix::sys::signal::Signal;
use op25b::api::Added;

use crate::{
    command::op25b_in,
    exempt_command::{
        daemon::ok,
        scene::{Scene, exemption, explained, record},
    },
    texts::daemon::answer,
};

const POLICY: &str = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
                      pools: [{ name: homes, prefixes: [198.51.100.0/24] }]\n";
const ID: &str = "01KAXQ3T5BH6Z8W2N4R7C9D1EF";

/// Runs a command whose output is a pipe that nobody reads: it ends with 0 or by SIGPIPE, and says nothing.
fn ends_silently(scene: &Scene, words: &[&str]) {
    ends_silently_but_for(scene, words, "this is read from the disk");
}

/// The same, where stderr may have lines with this warning.
fn ends_silently_but_for(scene: &Scene, words: &[&str], warning: &str) {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = op25b_in(&scene.path(""))
        .args(words)
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let status = output.status;
    assert!(
        status.code() == Some(0) || status.signal() == Some(Signal::SIGPIPE as i32),
        "{words:?}: {status}: {stderr}"
    );
    let said = stderr.lines().find(|line| !line.contains(warning));
    assert_eq!(said, None, "{words:?}");
}

#[test]
fn no_command_complains_of_a_closed_pipe() {
    let scene = Scene::new();
    let policy = scene.file("policy.yaml", POLICY);
    scene.store(&[record(1, "Example KK", "198.51.100.8/29")]);
    let id = &record(1, "", "198.51.100.8/29").id.to_string();
    for words in [
        &["--help"][..],
        &["--version"],
        &["exempt", "--help"],
        &["check", &policy],
        &["check", "--json", &policy],
        &["export", "prefixes", "--policy", &policy],
        &["export", "prefixes", "--policy", &policy, "--json"],
        &["exempt", "list"],
        &["exempt", "list", "--json"],
        &["exempt", "show", id],
        &["exempt", "show", id, "--json"],
        &["exempt", "history"],
        &["exempt", "history", "--json"],
        &["exempt", "export"],
        &["exempt", "export", "--format", "json"],
    ] {
        ends_silently(&scene, words);
    }
    changes_say_nothing_either(&scene);
}

fn changes_say_nothing_either(scene: &Scene) {
    let _daemon = scene.daemon(|_| {
        ok(&Added {
            exemption: exemption(ID, "Example KK", "198.51.100.8/29"),
            verdict: Some(explained("pass", "exempt")),
            warnings: Vec::new(),
        })
    });
    let add = ["exempt", "add", "198.51.100.8/29", "--customer", "Example KK"];
    for words in [
        &add[..],
        &[&add[..], &["--json"]].concat(),
        &["exempt", "extend", ID, "--expires", "90d"],
        &["exempt", "extend", ID, "--expires", "90d", "--json"],
        &["exempt", "restore", ID],
        &["exempt", "remove", ID, "--reason", "x"],
        &["exempt", "remove", ID, "--reason", "x", "--json"],
    ] {
        ends_silently(scene, words);
    }
}

#[test]
fn no_change_of_what_is_enforced_complains_of_a_closed_pipe() {
    let scene = Scene::new();
    let _daemon = scene.daemon(answer);
    let customers = scene.file(
        "customers.csv",
        "customer,prefixes\n株式会社サンプル,198.51.100.8/29\n",
    );
    for words in [
        &["confirm"][..],
        &["pause", "--reason", "OPS-812"],
        &["resume"],
        &["exempt", "import", &customers],
        &["exempt", "import", "--dry-run", &customers],
    ] {
        ends_silently_but_for(&scene, words, "198.51.100.8/29 は");
        ends_silently_but_for(&scene, &[words, &["--json"]].concat(), "198.51.100.8/29 は");
    }
}
