//! A policy with `nat64`: what reaches a relay, and how destinations are shown.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use op25b_testlab::lab::Host;

use crate::support::scene::{SMALL, Scene, eventually};

/// How long a SYN takes to reach the router, several times over.
const A_MOMENT: Duration = Duration::from_millis(300);

/// Sends a SYN, to which there is no answer: no translator is here.
fn knock(scene: &Scene, server: &str) {
    let server: SocketAddr = format!("[{server}]:25").parse().unwrap();
    let subscriber = scene.lab.host(Host::Subscriber);
    let attempt = subscriber.run(move || Ok(TcpStream::connect_timeout(&server, A_MOMENT).is_ok()));
    assert!(!attempt.unwrap(), "{server} is there");
}

#[test]
fn a_translated_destination_is_a_relay_or_none_and_is_shown_with_its_ipv4_address() {
    let scene = Scene::new();
    let text = format!(
        "{SMALL}relays: [{{ name: post1, prefixes: [192.0.2.25] }}]\nnat64: ['64:ff9b::/96', '2001:db8:64::/48']\n"
    );
    let filter = scene.filter_with(&scene.policy(&text), &["--datapath-log", "debug"], &[]);
    for (server, reason, line) in [
        (
            "64:ff9b::192.0.2.25",
            "relay",
            "2001:db8:100::10 -> 64:ff9b::c000:219 (192.0.2.25)",
        ),
        (
            "64:ff9b::198.51.100.25",
            "blocked",
            "2001:db8:100::10 -> 64:ff9b::c633:6419 (198.51.100.25)",
        ),
    ] {
        eventually(reason, || {
            knock(&scene, server);
            filter.count(reason).unwrap() > 0 && filter.log().contains(&format!("{reason:<13} {line}"))
        });
    }

    // Given in IPv4, it is reached under the first prefix.
    for server in ["192.0.2.25", "64:ff9b::c000:219"] {
        let answer = scene.op25b(&["explain", "--src", "2001:db8:100::10", "--dst", server]);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
        let lines: Vec<_> = answer.stdout.lines().collect();
        assert_eq!(
            lines[..2],
            [
                "2001:db8:100::10 -> 64:ff9b::c000:219 (192.0.2.25) port 25: pass",
                "  reason   relay"
            ]
        );
        assert!(
            lines[2].starts_with("  rule     relay post1 (192.0.2.25/32), "),
            "{lines:?}"
        );
    }
    let arguments = "explain --json --src 2001:db8:100::10 --dst 2001:db8:64:c000:2:1900::";
    let answer = scene.op25b(&arguments.split(' ').collect::<Vec<_>>()).json();
    assert_eq!(
        (&answer["reason"], &answer["nat64"]),
        (&"relay".into(), &"192.0.2.25".into())
    );

    // An exemption that is added now reaches its IPv4 destinations too, and is explained with one of them.
    let arguments = "exempt add 2001:db8:100::/64 --customer A --dest 203.0.113.0/28 --json";
    let added = scene.op25b(&arguments.split(' ').collect::<Vec<_>>());
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""), "{added:?}");
    assert_eq!(added.json()["verdict"]["reason"], "exempt", "{added:?}");
    eventually("exempt", || {
        knock(&scene, "64:ff9b::203.0.113.15");
        filter.count("exempt").unwrap() > 0
    });
    let arguments = "explain --json --src 2001:db8:100::10 --dst 203.0.113.16";
    let beyond = scene.op25b(&arguments.split(' ').collect::<Vec<_>>()).json();
    assert_eq!(beyond["reason"], "blocked");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
