//! Headers between Ethernet and IP on an access line: VLAN tags, LLC/SNAP, labels and `PPPoE`, which an access server on the
//! router ends.

use std::{net::IpAddr, time::Duration};

use op25b_common::Reason::{Blocked, Uninspectable};
use op25b_testlab::lab::{
    Family::{self, V4},
    Host,
};

use crate::support::{
    bot::Outcome,
    concentrator::end_sessions,
    line::{Line, Ppp},
    packet::{cut, fragments},
    segment::TCP,
    stage::{BOT, Evasion, MAIL, PROBE, Stage, counters, eventually, growth, named, plain, policy},
};

fn stage(line: Line) -> Stage {
    let addresses: [IpAddr; 2] = Family::BOTH.map(|family| Host::Pppoe.address(family));
    let stage = Stage::with(line, Host::Pppoe, addresses);
    end_sessions(&stage.lab, line, &addresses);
    stage
}

fn plain_syns() -> [Evasion; 2] {
    Family::BOTH.map(|family| Evasion::new(family, &[(Blocked, 1)], |flow| vec![flow.syn().packet()]))
}

#[test]
fn a_syn_in_pppoe_in_qinq_is_blocked() {
    stage(Line::PPPOE_IN_QINQ).play(&plain(), &plain_syns());
}

#[test]
fn a_syn_after_a_compressed_ppp_protocol_is_blocked() {
    let line = Line {
        ppp: Some(Ppp::Compressed),
        ..Line::PPPOE_IN_QINQ
    };
    stage(line).play(&plain(), &plain_syns());
}

#[test]
fn a_syn_after_four_tags_of_three_kinds_is_blocked_with_and_without_pppoe() {
    for ppp in [None, Some(Ppp::Full)] {
        let line = Line {
            tags: &[(0x88a8, 100), (0x9100, 7), (0x8100, 42), (0x8100, 43)],
            ppp,
            tunnels: &[],
        };
        stage(line).play(&plain(), &plain_syns());
    }
}

#[test]
fn a_syn_in_tiny_fragments_in_pppoe_in_qinq_is_blocked() {
    let evasion = Evasion::new(V4, &[(Blocked, 1), (Uninspectable, 1)], |flow| {
        let pieces = cut(&flow.syn().bytes(), 8);
        fragments(flow.source.ip(), flow.destination.ip(), TCP, &pieces)
    });
    stage(Line::PPPOE_IN_QINQ).play(&plain(), &[evasion]);
}

/// Tags for no VLAN, only for a priority (IEEE 802.1Q): Linux itself takes them off.
fn with_priority_tags(tags: &'static [(u16, u16)]) -> Stage {
    let line = Line {
        tags,
        ..Line::ETHERNET
    };
    Stage::with(line, Host::Subscriber, BOT)
}

#[test]
fn a_syn_after_priority_tags_is_blocked() {
    for count in [1, 2, 4] {
        with_priority_tags(&[(0x8100, 0); 4][..count]).play(&plain(), &plain_syns());
    }
    with_priority_tags(&[(0x88a8, 0), (0x8100, 0)]).play(&plain(), &plain_syns());
}

#[test]
fn five_priority_tags_and_more_are_uninspectable_though_linux_takes_them_off() {
    for count in [5, 100] {
        let mut stage = with_priority_tags(&[(0x8100, 0); 100][..count]);
        for family in Family::BOTH {
            // Linux 7.3 takes off fewer than 100.
            let is_taken_off = are_taken_off(&mut stage, family);
            assert!(is_taken_off || count > 5, "{count} {family:?}");
        }
        let filter = stage.filter(&plain());
        for family in Family::BOTH {
            let before = counters(&filter);
            let flow = stage.bot.flow(family, MAIL);
            stage.bot.send(&flow.syn().packet());
            eventually("it is counted", || {
                growth(&before, &counters(&filter)) == named(&[(Uninspectable, 1)])
            });
            // Probes after as many tags would be dropped, too; without tags they are answered.
            let tagged = std::mem::replace(&mut stage.bot.line, Line::ETHERNET);
            assert_eq!(
                stage.plain_attempt(family),
                Outcome::Nothing,
                "{count} {family:?}"
            );
            stage.bot.line = tagged;
            assert!(
                !stage.server.accepts(flow.source, Duration::ZERO),
                "{count} {family:?}"
            );
        }
    }
}

/// Whether Linux answers a SYN after the tags of the line. A probe without tags is answered in any case.
fn are_taken_off(stage: &mut Stage, family: Family) -> bool {
    let flow = stage.bot.flow(family, MAIL);
    stage.bot.send(&flow.syn().packet());
    let tagged = std::mem::replace(&mut stage.bot.line, Line::ETHERNET);
    let probe = stage.bot.flow(family, PROBE);
    stage.bot.send(&probe.syn().packet());
    let answer = (stage.bot).receive(|answer| flow.is_agreed_by(answer) || probe.is_agreed_by(answer));
    stage.bot.line = tagged;
    flow.is_agreed_by(&answer)
}

/// A SYN in a frame that Linux does not take for IP, as another router may: no connection without op25b, blocked with it.
fn assert_blocked_though_linux_ignores_it(policy: &str, wrap: impl Fn(&[u8]) -> Vec<u8>) {
    let mut stage = Stage::new();
    let assert_no_connection = |stage: &mut Stage| {
        for family in Family::BOTH {
            let flow = stage.bot.flow(family, MAIL);
            let frame = Line::ETHERNET.frame(&flow.syn().packet());
            stage.bot.send_frame(&wrap(&frame));
            // The probes after it get through.
            let outcome = stage.bot.connect(family, &stage.server, &|_| Vec::new());
            assert_eq!(outcome, Outcome::Nothing, "{family:?}");
            assert!(!stage.server.accepts(flow.source, Duration::ZERO), "{family:?}");
        }
    };
    assert_no_connection(&mut stage);
    let filter = stage.filter(policy);
    let before = counters(&filter);
    assert_no_connection(&mut stage);
    eventually("both are counted", || {
        growth(&before, &counters(&filter)) == named(&[(Blocked, 2)])
    });
}

/// A frame with other headers between its addresses and its `EtherType`.
fn with_headers(frame: &[u8], headers: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [addresses, headers, rest].concat()
}

#[test]
fn a_syn_after_llc_snap_is_blocked_though_linux_does_not_take_it_for_ip() {
    let snap = [0xaa, 0xaa, 3, 0, 0, 0];
    assert_blocked_though_linux_ignores_it(&plain(), |frame| {
        let length = u16::try_from(frame.len() - 12 + snap.len())
            .unwrap()
            .to_be_bytes();
        with_headers(frame, &[&length[..], &snap].concat())
    });
    // After a tag for a priority, too.
    assert_blocked_though_linux_ignores_it(&plain(), |frame| {
        let length = u16::try_from(frame.len() - 12 + snap.len())
            .unwrap()
            .to_be_bytes();
        with_headers(frame, &[&[0x81, 0, 0, 0][..], &length, &snap].concat())
    });
}

#[test]
fn a_syn_after_a_tag_of_the_policy_is_blocked_though_linux_does_not_know_the_tag() {
    let policy = policy("block: { vlan_tpids: [0x9200] }\n");
    assert_blocked_though_linux_ignores_it(&policy, |frame| with_headers(frame, &[0x92, 0, 0, 0]));
}

#[test]
fn a_syn_after_labels_is_blocked_where_the_interface_has_mpls_though_linux_here_routes_none() {
    let policy = plain().replace(
        "{ name: sub0, role: subscriber }",
        "{ name: sub0, role: subscriber, mpls: true }",
    );
    assert!(policy.contains("mpls"), "{policy}");
    assert_blocked_though_linux_ignores_it(&policy, |frame| {
        let stack = [0, 1, 0, 0x40, 0, 2, 0x01, 0x40];
        [&frame[..12], &[0x88, 0x47], &stack, &frame[14..]].concat()
    });
}
