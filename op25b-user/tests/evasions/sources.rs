//! Bots that do not use their own address, or let the server begin: forged sources, two bots in league, both ends at once.

use std::{collections::BTreeMap, net::SocketAddr};

use op25b_common::Reason::{Blocked, NotPooled};
use op25b_testlab::{
    filter::Filter,
    lab::{Family, Host},
};
use socket2::{Domain, Socket, Type};

use crate::support::{
    bot::{Bot, Outcome},
    line::Line,
    segment::{ACK, Flow, SYN, Segment},
    stage::{BOT, Evasion, OTHER_BOT, Stage, counters, eventually, growth, named, plain, policy},
};

#[test]
fn a_source_forged_from_another_pool_is_blocked_though_the_answers_would_arrive_there() {
    let mut stage = Stage::new();
    stage.bot = Bot::apart(
        &stage.lab,
        Host::Subscriber,
        Host::Corporate,
        Line::ETHERNET,
        OTHER_BOT,
    );
    let evasions = Family::BOTH
        .map(|family| Evasion::new(family, &[(Blocked, 1)], |flow: Flow| vec![flow.syn().packet()]));
    stage.play(&plain(), &evasions);
}

#[test]
fn a_source_forged_from_no_pool_is_dropped_where_unlisted_sources_are() {
    let mut stage = Stage::with_unlisted_bot();
    let filter = stage.filter(&plain());
    for family in Family::BOTH {
        assert_eq!(stage.plain_attempt(family), Outcome::Connected, "{family:?}");
    }
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    let evasions = Family::BOTH
        .map(|family| Evasion::new(family, &[(NotPooled, 1)], |flow: Flow| vec![flow.syn().packet()]));
    stage.play(&policy("block: { unlisted: drop }\n"), &evasions);
}

fn from_uplink(filter: &Filter) -> BTreeMap<String, u64> {
    filter.status().unwrap().uplink_counters.unwrap()
}

#[test]
fn triangular_spamming_works_past_subscriber_interfaces_and_is_blocked_on_the_uplink() {
    let mut stage = Stage::new();
    // One bot sends, with the other's address, where there is no filter; the server answers to the other.
    stage.bot = Bot::apart(&stage.lab, Host::Relay, Host::Subscriber, Line::ETHERNET, BOT);
    let filter = stage.filter(&plain());
    for family in Family::BOTH {
        assert_eq!(stage.plain_attempt(family), Outcome::Connected, "{family:?}");
    }
    assert!(counters(&filter).values().all(|count| *count == 0));
    assert_eq!(filter.stop().unwrap().code(), Some(0));

    for block in ["", "block: { match: new }\n"] {
        let uplink = "interfaces:\n  - { name: up0, role: uplink }\n";
        let filter = stage.filter(&policy(block).replace("interfaces:\n", uplink));
        for family in Family::BOTH {
            let before = from_uplink(&filter);
            assert_eq!(stage.plain_attempt(family), Outcome::Nothing, "{family:?}");
            let growth = growth(&before, &from_uplink(&filter));
            // The server may have answered again by now.
            assert!(growth["blocked"] > 0 && growth.len() == 1, "{growth:?}");
        }
        assert!(counters(&filter).values().all(|count| *count == 0));
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

/// A port without a listener, so that the server's host can begin from it.
const BEGIN: u16 = 2525;

/// Lets the server begin a connection to the bot: what the bot has to answer it with is a SYN and this acknowledgment.
fn begun(stage: &mut Stage, family: Family) -> (Socket, Flow, u32) {
    let flow = stage.bot.flow(family, BEGIN);
    let (from, to) = (flow.destination, flow.source);
    let socket = stage
        .lab
        .host(Host::Internet)
        .run(move || begin(from, to))
        .unwrap();
    let theirs = stage
        .bot
        .receive(|answer| answer.syn && answer.destination == to && answer.source == from);
    assert!(!theirs.ack, "{theirs:?}");
    (socket, flow, theirs.sequence.wrapping_add(1))
}

fn begin(from: SocketAddr, to: SocketAddr) -> anyhow::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&from.into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(socket),
        other => anyhow::bail!("a connection to a closed port: {other:?}"),
    }
}

/// Proves that a segment of the bot's is blocked, and that its server's kernel has no connection afterwards.
fn assert_blocked(stage: &mut Stage, family: Family, filter: &Filter, socket: &Socket, segment: &Segment) {
    let before = counters(filter);
    stage.bot.send(&segment.packet());
    // What is sent later is filtered later.
    assert_eq!(stage.plain_attempt(family), Outcome::Nothing);
    assert_eq!(growth(&before, &counters(filter)), named(&[(Blocked, 2)]));
    assert!(socket.peer_addr().is_err(), "{family:?}");
}

#[test]
fn a_simultaneous_open_with_a_server_in_league_is_blocked() {
    let mut stage = Stage::new();
    for family in Family::BOTH {
        let (socket, flow, acknowledgment) = begun(&mut stage, family);
        stage.bot.send(&flow.syn().packet());
        // The server's kernel agrees to what is, to it, a SYN that crossed its own (RFC 9293 section 3.5).
        stage.bot.receive(|answer| flow.is_agreed_by(answer));
        let finish = Segment {
            sequence: flow.sequence.wrapping_add(1),
            acknowledgment,
            options: Vec::new(),
            ..flow.first(ACK)
        };
        stage.bot.send(&finish.packet());
        eventually("a simultaneous open", || socket.peer_addr().is_ok());
    }
    for block in ["ports: [25, 2525]", "ports: [25, 2525], match: new"] {
        let filter = stage.filter(&policy(&format!("block: {{ {block} }}\n")));
        for family in Family::BOTH {
            let (socket, flow, _) = begun(&mut stage, family);
            assert_blocked(&mut stage, family, &filter, &socket, &flow.syn());
        }
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

#[test]
fn an_answer_to_a_server_that_begins_at_the_port_is_blocked_too() {
    let mut stage = Stage::new();
    let answer = |flow: Flow, acknowledgment| Segment {
        acknowledgment,
        ..flow.first(SYN | ACK)
    };
    for family in Family::BOTH {
        let (socket, flow, acknowledgment) = begun(&mut stage, family);
        stage.bot.send(&answer(flow, acknowledgment).packet());
        eventually("a connection", || socket.peer_addr().is_ok());
    }
    let filter = stage.filter(&policy("block: { ports: [25, 2525] }\n"));
    for family in Family::BOTH {
        let (socket, flow, acknowledgment) = begun(&mut stage, family);
        let answer = answer(flow, acknowledgment);
        assert_blocked(&mut stage, family, &filter, &socket, &answer);
    }
}
