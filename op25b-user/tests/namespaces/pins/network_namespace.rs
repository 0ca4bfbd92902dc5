//! One BPF file system and several network namespaces with the same names and indices of interfaces.

use std::{fs, path::Path, process::Command};

use nix::sys::signal::Signal;
use op25b::datapath::pinned_programs;
use op25b_testlab::{
    filter::Filter,
    lab::{NetNs, Servers},
};

use super::word;
use crate::support::{
    description,
    scene::{OP25B, SMALL, Scene, eventually},
};

/// The indices of the policy's interfaces.
fn indices(scene: &Scene) -> Vec<String> {
    let read = |name: &str| {
        let answer = scene.on_router("ip", &["-o", "link", "show", "dev", name]);
        answer.stdout.split(':').next().unwrap().to_owned()
    };
    ["sub0", "corp0"].map(read).into()
}

#[test]
fn pins_of_another_network_namespace_are_refused_by_name_and_its_filter_goes_on() {
    let (theirs, ours) = (Scene::new(), Scene::new());
    let servers = Servers::start(&theirs.lab).unwrap();
    let [(_, pins), ..] = theirs.router().places();
    assert_eq!(indices(&theirs), indices(&ours));
    let policy = theirs.policy(SMALL);
    let filter = theirs.filter(&policy);
    let (pid, before) = (filter.pid(), theirs.attached());
    let run = ["run", "--policy", word(&policy), "--bpffs", word(&pins)];
    let name = theirs.router().name();

    // While the other daemon runs.
    let answer = ours.op25b(&run);
    let refusal = answer.refusal();
    let held = format!("op25b: process {pid} already enforces from {}", pins.display());
    assert!(refusal.starts_with(&held), "{refusal}");
    assert!(
        refusal.contains(&format!("in another network namespace, {name} (net:["))
            && refusal.contains("`--bpffs`"),
        "{refusal}"
    );

    // And without it.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let answer = ours.op25b(&run);
    let refusal = answer.refusal();
    let whose = format!(
        "op25b: {} holds the pins of a filter in another network namespace, {name} (net:[",
        pins.display()
    );
    assert!(refusal.starts_with(&whose), "{refusal}");
    assert!(
        refusal.contains("where it runs on corp0, sub0") && refusal.contains("`--bpffs`"),
        "{refusal}"
    );
    assert_eq!((theirs.attached(), ours.attached()), (before, Vec::new()));
    theirs.assert_blocked_by_someone(&servers);

    // The remedy.
    let own = ours.filter(&policy);
    assert_eq!(ours.attached().len(), 2);
    assert_eq!(own.stop().unwrap().code(), Some(0));
    // And the filter's own namespace takes it over.
    let again = theirs.filter(&policy);
    theirs.assert_blocked(&servers, &again);
}

#[test]
fn status_and_stop_say_that_the_filter_is_of_another_network_namespace() {
    let (theirs, ours) = (Scene::new(), Scene::new());
    let [(_, pins), (_, runtime), (_, state)] = theirs.router().places();
    let directories = [
        ["--bpffs", word(&pins)],
        ["--runtime-dir", word(&runtime)],
        ["--state-dir", word(&state)],
    ];
    let filter = theirs.filter(&theirs.policy(SMALL));
    let (pid, name) = (filter.pid(), theirs.router().name());
    let of_theirs = |command: &[&str]| ours.op25b(&[command, directories.as_flattened()].concat());

    let text = of_theirs(&["status"]);
    assert_eq!(text.code, Some(3), "{text:?}");
    assert!(
        text.stdout.contains(&format!("runs in another, {name} (net:["))
            && text
                .stdout
                .contains(&format!("on corp0, sub0 (daemon: process {pid})")),
        "{text:?}"
    );
    let json = of_theirs(&["status", "--json"]).json();
    assert_eq!(json["state"], "open");
    assert_eq!(
        json["elsewhere"]["interfaces"],
        serde_json::json!(["corp0", "sub0"])
    );
    assert!(json["elsewhere"]["network_namespace"].to_string().contains(name));
    let own = theirs.op25b(&["status", "--json"]).json();
    assert_eq!(own["state"], "enforced");
    assert!(own["elsewhere"].is_null(), "{own}");

    let answer = of_theirs(&["stop", "--detach"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let lines: Vec<_> = answer.stdout.lines().collect();
    let [ended, detached] = lines.as_slice() else {
        panic!("{answer:?}")
    };
    assert!(
        ended.starts_with(&format!(
            "the daemon, process {pid} in the network namespace {name} (net:["
        )),
        "{answer:?}"
    );
    assert!(
        detached.starts_with(&format!(
            "detached from corp0, sub0 in the network namespace {name} (net:["
        )),
        "{answer:?}"
    );
    assert_eq!(theirs.attached(), []);
}

/// A network namespace with the policy's interfaces.
fn with_interfaces(name: String) -> NetNs {
    let namespace = NetNs::create(name).unwrap();
    for name in ["sub0", "corp0"] {
        let peer = format!("{name}-peer");
        ip(&[
            "-n",
            namespace.name(),
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            &peer,
        ]);
    }
    namespace
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// A daemon in a namespace, with these pins.
fn filter_in(namespace: &NetNs, policy: &Path, pins: &Path) -> Filter {
    let mut command = Command::new(OP25B);
    command
        .args(["--log-format", "json", "run", "--policy"])
        .arg(policy)
        .env("OP25B_BPFFS", pins);
    Filter::start_as(Path::new(OP25B), namespace, command).unwrap()
}

#[test]
fn a_filter_that_came_with_its_interfaces_from_another_network_namespace_is_taken_over() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let pins = scene.router().mount_pins().unwrap();
    let from = with_interfaces(format!("{}-from", scene.router().name()));
    let to = NetNs::create(format!("{}-to", scene.router().name())).unwrap();
    let before = filter_in(&from, &policy, &pins);
    before.leave_by(Signal::SIGKILL).unwrap();
    // As a container runtime moves a physical interface.
    for name in ["sub0", "corp0"] {
        ip(&["-n", from.name(), "link", "set", name, "netns", to.name()]);
    }
    assert_eq!(pinned_programs(&pins).unwrap().len(), 2);

    let filter = filter_in(&to, &policy, &pins);
    let log = filter.log();
    assert!(log.contains("taking over its pins"), "{log}");
    assert_eq!(log.matches("switched").count(), 2, "{log}");
    assert_eq!(filter.status().unwrap().interfaces.len(), 2);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn pins_of_a_network_namespace_that_is_gone_are_taken_over() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let pins = scene.router().mount_pins().unwrap();
    let gone = with_interfaces(format!("{}-gone", scene.router().name()));
    let before = filter_in(&gone, &policy, &pins);
    before.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(pinned_programs(&pins).unwrap().len(), 2);
    drop(gone);
    eventually("the interfaces of the namespace are gone", || {
        pinned_programs(&pins).unwrap().is_empty()
    });

    let filter = scene.filter(&policy);
    let log = filter.log();
    assert!(log.contains("taking over its pins"), "{log}");
    assert_eq!(scene.attached().len(), 2);
    scene.assert_blocked(&servers, &filter);
    let mut links: Vec<_> = fs::read_dir(pins.join("links")).unwrap().collect();
    assert_eq!(links.len(), 2, "{:?}", links.pop());
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn pins_of_a_version_that_names_no_network_namespace_are_taken_over() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let [(_, pins), ..] = scene.router().places();
    let old = scene.filter(&policy);
    description::forget(&pins, "network_namespace");
    old.leave_by(Signal::SIGKILL).unwrap();
    let filter = scene.filter(&policy);
    assert!(filter.log().contains("taking over a filter"), "{}", filter.log());
    scene.assert_blocked(&servers, &filter);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
