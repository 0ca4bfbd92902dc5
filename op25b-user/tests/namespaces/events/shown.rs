//! What an event has, what the policy leaves out of it, and who is refused.

use std::net::{IpAddr, Ipv4Addr};

use nix::sys::signal::Signal;
use op25b_testlab::{
    frames::pppoe_syn,
    lab::{ACCESS, Family, HOST_END, Host},
    packet_socket::PacketSocket,
};
use serde_json::{Value, json};

use super::{events, follower::Follower, page, with_events};
use crate::{
    records::{FOUR, SIX, line, syn},
    support::scene::{OP25B, SMALL, Scene, eventually},
};

/// A new offender each.
pub fn offender(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 200 + number)
}

#[test]
fn the_first_packet_of_a_new_offender_is_followed_with_its_pool_its_ports_and_a_part_of_its_destination() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(&with_events("{}")));
    let follower = Follower::start(&scene, &["--json", "--why", "OPS-7"]);
    let line = line(&scene);
    let frame = syn(FOUR);
    line.send(&frame).unwrap();
    let mut event = follower.event();
    let whole = event.as_object_mut().unwrap();
    let (sequence, time) = (whole.remove("sequence").unwrap(), whole.remove("time").unwrap());
    assert!(
        sequence.is_u64() && time.as_str().unwrap().ends_with('Z'),
        "{sequence} {time}"
    );
    assert_eq!(
        event,
        json!({
            "schema": "op25b.event/1",
            "interface": "sub0",
            "role": "subscriber",
            "verdict": "drop",
            "reason": "blocked",
            "pool": "residential",
            "source": FOUR.to_string(),
            "source_port": 40_000,
            "destination": "203.0.113.0/24",
            "destination_port": 25,
            "flags": ["syn"],
            "length": frame.len(),
            "first": true,
        })
    );
    line.send(&syn(SIX)).unwrap();
    let event = follower.event();
    assert_eq!(
        [&event["source"], &event["destination"], &event["first"]],
        [&json!(SIX.to_string()), &json!("2001:db8:f00::/48"), &json!(true)]
    );
    eventually("both are counted", || filter.count("blocked").unwrap() == 2);
    let ended = follower.end(Signal::SIGINT);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    assert!(
        ended.stderr.starts_with("in all pools, meanwhile: ") && ended.stderr.contains(" 0 lost"),
        "{ended:?}"
    );

    // That they were read is recorded, once for all that was followed.
    let reads = || -> Vec<Value> {
        let answer = scene.ask_daemon("GET /v1/reads");
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        body["items"].as_array().unwrap().clone()
    };
    eventually("it is recorded", || !reads().is_empty());
    let reads = reads();
    assert_eq!(reads.len(), 1, "{reads:?}");
    assert_eq!(
        [&reads[0]["detail"], &reads[0]["reason"]],
        [&json!("events"), &json!("OPS-7")]
    );

    // What is forgotten of a subscriber is not shown any more.
    let four = FOUR.to_string();
    assert_eq!(events(&scene, &["--in", &four]).len(), 1);
    let forgotten = scene.op25b(&["subscribers", "forget", &four, "--reason", "OPS-1207"]);
    assert!(
        forgotten
            .stdout
            .contains("removed 1 event from the memory of the daemon\n"),
        "{forgotten:?}"
    );
    assert_eq!(events(&scene, &["--in", &four]).len(), 0);
    assert_eq!(events(&scene, &[]).len(), 1);
}

#[test]
fn tags_and_the_session_of_a_line_are_shown() {
    let scene = Scene::new();
    let policy = with_events("{ destination: full }");
    let access = format!("  - {{ name: {ACCESS}, role: subscriber }}\npools:");
    let _filter = scene.filter(&scene.policy(&policy.replace("pools:", &access)));
    let server = Host::Internet.address(Family::V4);
    let frame = pppoe_syn(Host::Pppoe.address(Family::V4), server, 25, 7)
        .unwrap()
        .frame;
    let host = scene.lab.host(Host::Pppoe);
    host.run(move || PacketSocket::open(HOST_END)?.send(&frame))
        .unwrap();
    eventually("it is shown", || !events(&scene, &[]).is_empty());
    let event = &events(&scene, &[])[0];
    assert_eq!(
        [
            &event["interface"],
            &event["vlans"],
            &event["pppoe_session"],
            &event["destination"]
        ],
        [
            &json!(ACCESS),
            &json!([100, 42]),
            &json!(0x17),
            &json!(server.to_string())
        ]
    );
    let text = scene.op25b(&["events", "-o", "wide"]).stdout;
    assert!(text.contains("vlan 100.42 pppoe 23"), "{text}");
}

#[test]
fn each_setting_of_destinations_shows_as_much_of_them_and_filters_select() {
    let scene = Scene::new();
    let exempt = "exemptions: [{ customer: Example KK, prefixes: [198.51.100.210] }]\n";
    let policy = |events: &str| format!("{}{exempt}", with_events(events));
    let filter = scene.filter(&scene.policy(&policy("{ destination: none, exempt: true }")));
    let line = line(&scene);
    line.send(&syn(offender(1))).unwrap();
    line.send(&syn(offender(10))).unwrap();
    eventually("both are shown", || events(&scene, &[]).len() == 2);
    scene.policy(&policy("{ destination: full }"));
    filter.reload().unwrap();
    line.send(&syn(offender(2))).unwrap();
    // One of an exemption is not shown any more.
    line.send(&syn(offender(10))).unwrap();
    line.send(&syn(offender(3))).unwrap();
    eventually("the others are shown", || events(&scene, &[]).len() == 4);

    let shown = events(&scene, &[]);
    let of = |number: u8| {
        let source = IpAddr::from(offender(number)).to_string();
        shown.iter().find(|event| event["source"] == source).unwrap()
    };
    assert!(
        of(1)["destination"].is_null() && of(10)["destination"].is_null(),
        "{shown:?}"
    );
    assert_eq!(of(2)["destination"], "203.0.113.25");
    assert_eq!([&of(10)["reason"], &of(10)["verdict"]], ["exempt", "pass"]);
    for (words, sources) in [
        (&["--reason", "exempt"][..], &[10][..]),
        (&["--reason", "blocked"], &[1, 2, 3]),
        (&["--reason", "monitored"], &[]),
        (&["--pool", "residential", "--limit", "2"], &[2, 3]),
        (&["--in", "198.51.100.202/31"], &[2, 3]),
        (&["--src", "198.51.100.201"], &[1]),
        (&["--in", "2001:db8::/32"], &[]),
    ] {
        let found = events(&scene, words);
        let found: Vec<_> = found
            .iter()
            .map(|event| event["source"].as_str().unwrap())
            .collect();
        let expected: Vec<_> = sources
            .iter()
            .map(|number| offender(*number).to_string())
            .collect();
        assert_eq!(found, expected, "{words:?}");
    }
    let unknown = scene.op25b(&["events", "--pool", "nowhere"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(
        unknown.stderr.contains("its pools are residential"),
        "{unknown:?}"
    );

    let table = scene.op25b(&["events"]);
    let mut lines = table.stdout.lines();
    assert!(lines.next().unwrap().starts_with("TIME "), "{table:?}");
    assert_eq!(lines.count(), 4, "{table:?}");
    assert!(
        table
            .stderr
            .starts_with("in all pools, since the daemon was started: "),
        "{table:?}"
    );
}

#[test]
fn without_events_in_the_policy_the_command_says_what_to_do_and_what_was_there_is_gone() {
    let scene = Scene::new();
    let policy = scene.policy(&with_events("{}"));
    let filter = scene.filter(&policy);
    line(&scene).send(&syn(FOUR)).unwrap();
    eventually("it is shown", || events(&scene, &[]).len() == 1);
    let follower = Follower::start(&scene, &[]);
    assert!(follower.line().starts_with("TIME "));
    assert!(follower.line().contains(&FOUR.to_string()));

    scene.policy(SMALL);
    filter.reload().unwrap();
    let refused = scene.op25b(&["events"]);
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(1), ""),
        "{refused:?}"
    );
    let what_to_do = format!(
        "add `events: {{}}` to {} and run `op25b reload`",
        policy.display()
    );
    assert!(refused.stderr.contains(&what_to_do), "{refused:?}");
    let problem = scene.op25b(&["events", "--json"]).json();
    assert_eq!(problem["type"], "urn:op25b:problem:conflict");

    scene.policy(&with_events("{}"));
    filter.reload().unwrap();
    eventually("nothing of before is left", || events(&scene, &[]).is_empty());
    let counts = page(&scene, &[])["counts"].clone();
    let blocked = counts
        .as_array()
        .unwrap()
        .iter()
        .find(|count| count["reason"] == "blocked");
    assert_eq!(blocked.unwrap()["shown"], 1, "{counts}");
    drop(follower);
}

#[test]
fn a_follower_ends_with_its_reader_and_waits_for_a_daemon_that_is_restarted() {
    let scene = Scene::new();
    let policy = scene.policy(&with_events("{}"));
    let filter = scene.filter(&policy);
    let line = line(&scene);
    line.send(&syn(offender(1))).unwrap();
    eventually("it is shown", || events(&scene, &[]).len() == 1);
    // Nothing comes after it: the reader's end is noticed without another event.
    let script = "\"$0\" events --follow --json | head -n 1; echo ${PIPESTATUS[0]}";
    let answer = scene.on_router("bash", &["-c", script, OP25B]);
    let lines: Vec<_> = answer.stdout.lines().collect();
    assert!(lines[0].contains("op25b.event/1"), "{answer:?}");
    // As for other programs: SIGPIPE.
    assert_eq!((lines[1], answer.stderr.as_str()), ("141", ""), "{answer:?}");

    let follower = Follower::start(&scene, &["--json"]);
    assert_eq!(follower.event()["source"], offender(1).to_string());
    filter.leave_by(Signal::SIGKILL).unwrap();
    let remark = follower.remark();
    assert!(remark.ends_with("; waiting for it"), "{remark}");
    let _filter = scene.filter(&policy);
    assert_eq!(follower.remark(), "op25b: the daemon answers again");
    line.send(&syn(offender(2))).unwrap();
    assert_eq!(follower.event()["source"], offender(2).to_string());
    assert_eq!(follower.end(Signal::SIGTERM).code, Some(0));
}
