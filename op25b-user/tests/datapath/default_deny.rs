//! `unlisted: drop` with `uninspectable: drop`: a source in no pool opens no connection to a blocked port by hiding the port.

use etherparse::IpNumber;
use op25b::{datapath::Decision, policy::Role};

use crate::support::{
    NOT_POOLED_DROPPED, Row, UNINSPECTABLE, UNINSPECTABLE_DROPPED, blocked, check, exempt,
    framing::Framing,
    packet::{Ends, Extension, Packet, between, syn_header},
    row, runner, uninspectable_dropped, uninspectable_passed,
    world::{POOLS, V4, V6, WORLDS},
};

/// A SYN to port 25 that does not show its port, in each way.
fn hidden(ends: Ends) -> Vec<(&'static str, Packet)> {
    let segment = ends.segment(syn_header(25), &[]);
    if ends.source.is_ipv4() {
        vec![
            (
                "at fragment offset 1",
                ends.v4_fragment(IpNumber::TCP, &segment, 1, false),
            ),
            (
                "cut before its port",
                ends.v4_fragment(IpNumber::TCP, &segment[..2], 0, true),
            ),
        ]
    } else {
        let nine = [Extension::DESTINATION_OPTIONS; 9];
        let early = Extension::Fragment {
            offset: 15,
            more: false,
        };
        vec![
            ("after nine headers", ends.v6(&nine, IpNumber::TCP, &segment)),
            (
                "at fragment offset 15",
                ends.v6(&[early], IpNumber::UDP, &segment),
            ),
        ]
    }
}

/// Exemptions of the stranger's address in either family.
fn exemptions(terms: &str) -> String {
    format!(
        "exemptions:\n- {{ customer: A, prefixes: ['{}', '{}']{terms} }}\n",
        V4.stranger, V6.stranger
    )
}

/// What happens to hidden segments from a source in no pool with these settings and exemptions.
fn rows(words: &str, expected: Decision) -> Vec<Row> {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for world in WORLDS {
            for (how, packet) in hidden(world.foreign()) {
                let words = format!("{words}: an {} segment {how}, {framing}", world.name);
                rows.push(row(words, framing.frame(&packet), expected));
            }
        }
    }
    rows
}

#[test]
fn a_source_in_no_pool_that_hides_its_port_is_dropped_where_unlisted_and_uninspectable_are() {
    for (block, expected) in [
        ("unlisted: drop", UNINSPECTABLE_DROPPED),
        ("unlisted: pass", UNINSPECTABLE),
        ("unlisted: drop, uninspectable: pass", UNINSPECTABLE),
        ("unlisted: drop, action: reset, match: new", UNINSPECTABLE_DROPPED),
    ] {
        let mut runner = runner(&format!("block: {{ {block} }}\n{POOLS}"));
        check(&mut runner, &rows(block, expected));
    }
}

#[test]
fn only_an_exemption_without_destinations_that_holds_lets_a_source_in_no_pool_hide_its_port() {
    let to_the_server = format!(", destinations: ['{}', '{}']", V4.server, V6.server);
    let (past, future) = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
    for (terms, expected, shown) in [
        (String::new(), UNINSPECTABLE, exempt(0)),
        (format!(", expires: {future}"), UNINSPECTABLE, exempt(0)),
        (
            format!(", expires: {past}"),
            UNINSPECTABLE_DROPPED,
            NOT_POOLED_DROPPED,
        ),
        // The port may be one of another destination's packets: that of a fragment, or after a source route.
        (to_the_server.clone(), UNINSPECTABLE_DROPPED, exempt(0)),
        (
            format!("{to_the_server}, expires: {future}"),
            UNINSPECTABLE_DROPPED,
            exempt(0),
        ),
    ] {
        let mut runner = runner(&format!(
            "block: {{ unlisted: drop }}\n{POOLS}{}",
            exemptions(&terms)
        ));
        let mut rows = rows(&format!("exempt{terms}"), expected);
        for world in WORLDS {
            rows.push(row(
                format!("exempt{terms}: an {} SYN that shows its port", world.name),
                Framing::default().frame(&world.foreign().syn(25)),
                shown,
            ));
        }
        check(&mut runner, &rows);
    }
}

#[test]
fn sources_of_pools_go_by_their_pool_where_unlisted_sources_are_dropped() {
    for (mode, hides, shows) in [
        ("enforce", uninspectable_dropped(0), blocked(0)),
        (
            "monitor",
            uninspectable_passed(0),
            Decision {
                verdict: op25b_common::Verdict::Pass,
                reason: op25b_common::Reason::Monitored,
                rule: Some(0),
            },
        ),
    ] {
        let pools = POOLS.replace("name:", &format!("mode: {mode}, name:"));
        let mut runner = runner(&format!("block: {{ unlisted: drop }}\n{pools}"));
        let mut rows = Vec::new();
        for world in WORLDS {
            let bare = |packet: &Packet| Framing::default().frame(packet);
            for (how, packet) in hidden(world.outbound()) {
                rows.push(row(format!("{} {how}, {mode}", world.name), bare(&packet), hides));
            }
            let syn = world.outbound().syn(25);
            rows.push(row(format!("{} SYN, {mode}", world.name), bare(&syn), shows));
        }
        check(&mut runner, &rows);
    }
}

#[test]
fn addresses_in_no_pool_are_not_protected_from_the_internet() {
    let mut runner = runner(&format!("block: {{ unlisted: drop, inbound: block }}\n{POOLS}"));
    for world in WORLDS {
        for (how, packet) in hidden(between(world.server, world.stranger)) {
            let frame = Framing::default().frame(&packet);
            let (decision, _) = runner.run_from(Role::Uplink, &frame).unwrap();
            assert_eq!(decision, UNINSPECTABLE, "{} {how}", world.name);
        }
    }
}
