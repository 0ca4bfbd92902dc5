//! `op25b explain` at an interface, in tunnels and in network namespaces.

use std::process::Command;

use nix::sys::signal::Signal;
use op25b_testlab::lab::Host;
use serde_json::json;

use crate::support::scene::{Answer, OP25B, Scene};

/// Softwires on one interface, an uplink, and customers whom nobody filters on the others.
const PLACES: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber, tunnels: [4in6, gre, eogre, 6in4, l2tp] }
  - { name: corp0, role: subscriber }
  - { name: up0, role: uplink }
block: { ports: [25], inbound: block }
pools: [{ name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }]
";

fn explain(scene: &Scene, arguments: &str) -> Answer {
    let mut words = vec!["explain"];
    words.extend(arguments.split(' '));
    let answer = scene.op25b(&words);
    assert_eq!(answer.code, Some(0), "{arguments}: {answer:?}");
    answer
}

#[test]
fn the_packet_is_asked_about_at_its_interface_and_in_its_tunnel_with_a_daemon_and_without() {
    let scene = Scene::new();
    let policy = scene.policy(PLACES);
    let filter = scene.filter(&policy);
    let check = || {
        for (arguments, verdict, reason) in [
            (
                "--src 198.51.100.10 --interface sub0 --vlan 100,7",
                "drop",
                "blocked",
            ),
            (
                "--src 198.51.100.10 --tunnel gre --interface sub0",
                "drop",
                "blocked",
            ),
            (
                "--src 198.51.100.10 --tunnel gre --interface corp0",
                "pass",
                "not_tcp",
            ),
            (
                "--src 203.0.113.25 --dst 198.51.100.10 --interface up0",
                "drop",
                "blocked",
            ),
        ] {
            let answer = explain(&scene, &format!("{arguments} --json")).json();
            assert_eq!(
                (&answer["verdict"], &answer["reason"]),
                (&verdict.into(), &reason.into()),
                "{arguments}"
            );
        }
        // Where nothing is asked for, what differs is said.
        let both = explain(&scene, "--src 2001:db8:100::10 --dst 203.0.113.25");
        let expected = [
            "2001:db8:100::10 -> 203.0.113.25 port 25: drop",
            "  on       sub0 (subscriber)",
            "  in       4in6 with 192.0.0.2 inside",
            "  but      pass on corp0: not_tcp",
        ];
        for line in expected {
            assert!(
                both.stdout.lines().any(|other| other == line),
                "{line} in {both:?}"
            );
        }
        let bare = explain(&scene, "--src 198.51.100.10 --interface access0");
        assert_eq!(
            bare.stdout,
            "198.51.100.10 -> 203.0.113.1 port 25: pass: no filter on access0\n"
        );
        let unknown = scene.op25b(&["explain", "--src", "198.51.100.10", "--interface", "eth9"]);
        assert!(
            unknown
                .refusal()
                .starts_with("op25b: there is no interface eth9 in this network namespace; there are "),
            "{unknown:?}"
        );
        let no_subscriber = scene.op25b(&["explain", "--src", "203.0.113.25", "--interface", "up0"]);
        assert!(
            no_subscriber
                .refusal()
                .contains("give the subscriber as the destination"),
            "{no_subscriber:?}"
        );
    };
    check();
    filter.leave_by(Signal::SIGKILL).unwrap();
    check();

    // An interface that lost its filter passes what the others block.
    scene.ip(&["link del corp0", "link add corp0 type veth peer name corp1"]);
    let degraded = explain(&scene, "--src 198.51.100.10");
    assert!(
        degraded.stdout.contains(": drop\n")
            && degraded.stdout.contains("  but      pass: no filter on corp0\n"),
        "{degraded:?}"
    );
    let document = explain(&scene, "--src 198.51.100.10 --json").json();
    assert_eq!(
        document["elsewhere"],
        json!([{ "interfaces": ["corp0"], "verdict": "pass", "reason": "no_filter", "rule": null }])
    );
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}

#[test]
fn it_answers_for_the_network_namespace_in_which_it_runs() {
    let scene = Scene::new();
    let policy = scene.policy(PLACES);
    let _filter = scene.filter(&policy);
    // With the places of the router's daemon, which is not asked about this namespace.
    let internet = scene.lab.host(Host::Internet);
    let mut command = Command::new(OP25B);
    command.args(["explain", "--src", "198.51.100.10", "--interface", "eth0"]);
    command.envs(scene.router().places());
    let output = internet.run(move || Ok(command.output()?)).unwrap();
    let answer = Answer::from(output);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(
        answer.stdout,
        "198.51.100.10 -> 203.0.113.1 port 25: pass: no filter on eth0\n"
    );
    assert!(answer.stderr.contains("runs in network namespace "), "{answer:?}");
    assert!(answer.stderr.ends_with(", on corp0, sub0, up0\n"), "{answer:?}");
}
