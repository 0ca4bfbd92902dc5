//! TCP headers that are not those of an ordinary SYN.

use std::time::Duration;

use op25b_common::Reason::{self, Blocked};
use op25b_testlab::lab::{Family, Host};

use crate::support::{
    bot::Outcome,
    segment::{ACK, AE_AND_RESERVED, CWR, ECE, FIN, Flow, PSH, RST, SYN, Segment, URG},
    server::Server,
    stage::{Evasion, PATIENCE, Stage, counters, growth, named, plain, policy},
};

const ONCE: [(Reason, u64); 1] = [(Blocked, 1)];

/// The same segment in both families.
fn both(first: impl Fn(Flow) -> Segment + Copy + 'static) -> [Evasion; 2] {
    Family::BOTH.map(|family| Evasion::new(family, &ONCE, move |flow| vec![first(flow).packet()]))
}

fn both_refused_by_linux(first: impl Fn(Flow) -> Segment + Copy + 'static) -> [Evasion; 2] {
    both(first).map(Evasion::refused_by_linux)
}

fn new_only() -> String {
    policy("block: { match: new }\n")
}

#[test]
fn an_ordinary_syn_connects_without_the_filter_and_not_with_it() {
    for policy in [plain(), new_only()] {
        Stage::new().play(&policy, &both(Flow::syn));
    }
}

#[test]
fn a_syn_with_ecn_urgent_push_or_reserved_bits_is_blocked() {
    for policy in [plain(), new_only()] {
        let evasions = [ECE | CWR, URG | PSH, AE_AND_RESERVED, CWR | AE_AND_RESERVED]
            .map(|bits| {
                both(move |flow: Flow| Segment {
                    urgent: 1,
                    ..flow.first(SYN | bits)
                })
            })
            .into_iter()
            .flatten();
        Stage::new().play(&policy, &evasions.collect::<Vec<_>>());
    }
}

#[test]
fn a_syn_with_fin_or_rst_is_blocked_though_linux_ignores_it() {
    for policy in [plain(), new_only()] {
        let evasions = [SYN | FIN, SYN | RST, SYN | FIN | PSH | URG]
            .map(|flags| both_refused_by_linux(move |flow| flow.first(flags)))
            .into_iter()
            .flatten();
        Stage::new().play(&policy, &evasions.collect::<Vec<_>>());
    }
}

#[test]
fn segments_without_syn_are_blocked_though_they_open_nothing() {
    let evasions = [0, ACK, FIN, FIN | ACK, FIN | PSH | URG, SYN | ACK]
        .map(|flags| both_refused_by_linux(move |flow| flow.first(flags)))
        .into_iter()
        .flatten();
    Stage::new().play(&plain(), &evasions.collect::<Vec<_>>());
}

#[test]
fn a_data_offset_of_15_words_with_40_bytes_of_options_is_blocked() {
    // No operation, 36 times, before the usual option.
    let first = |flow: Flow| {
        let syn = flow.syn();
        Segment {
            options: [[1; 36].as_slice(), &syn.options].concat(),
            ..syn
        }
    };
    for policy in [plain(), new_only()] {
        Stage::new().play(&policy, &both(first));
    }
}

#[test]
fn a_data_offset_below_the_header_or_beyond_the_packet_is_blocked_though_linux_drops_it() {
    for policy in [plain(), new_only()] {
        let evasions = [0, 1, 4, 15]
            .map(|offset| {
                both_refused_by_linux(move |flow: Flow| Segment {
                    data_offset: Some(offset),
                    ..flow.syn()
                })
            })
            .into_iter()
            .flatten();
        Stage::new().play(&policy, &evasions.collect::<Vec<_>>());
    }
}

fn with_data(flow: Flow) -> Segment {
    Segment {
        data: b"EHLO bot.example\r\n".into(),
        ..flow.syn()
    }
}

#[test]
fn a_syn_with_data_is_blocked() {
    for policy in [plain(), new_only()] {
        Stage::new().play(&policy, &both(with_data));
    }
}

#[test]
fn a_syn_with_data_is_blocked_where_the_server_would_take_it_at_once() {
    const FAST: u16 = 2525;
    let mut stage = Stage::new();
    let internet = stage.lab.host(Host::Internet);
    // TCP Fast Open (RFC 7413) for every new listener, without asking for a cookie.
    let set = || Ok(std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "1538")?);
    internet.run(set).unwrap();
    let server = Server::start(internet, FAST);
    for family in Family::BOTH {
        let flow = stage.bot.flow(family, FAST);
        stage.bot.send(&with_data(flow).packet());
        // One packet is a connection: nothing else was sent.
        assert!(server.accepts(flow.source, PATIENCE), "{family:?}");
    }
    let filter = stage.filter(&policy("block: { ports: [25, 2525] }\n"));
    for family in Family::BOTH {
        let flow = stage.bot.flow(family, FAST);
        let before = counters(&filter);
        stage.bot.send(&with_data(flow).packet());
        // What is sent later is filtered later.
        assert_eq!(stage.plain_attempt(family), Outcome::Nothing);
        assert_eq!(growth(&before, &counters(&filter)), named(&[(Blocked, 2)]));
        assert!(!server.accepts(flow.source, Duration::ZERO), "{family:?}");
    }
}
