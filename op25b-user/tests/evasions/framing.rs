//! Headers between Ethernet and IP on an access line: VLAN tags and `PPPoE`, ended by an access server on the router.

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
    stage::{BOT, Evasion, MAIL, Stage, counters, eventually, growth, named, plain},
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
            assert_eq!(
                stage.plain_attempt(family),
                Outcome::Connected,
                "{count} {family:?}"
            );
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
