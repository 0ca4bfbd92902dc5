//! A source in no pool that hides the port of every segment, where the policy drops what unlisted sources send.

use op25b_common::Reason::{self, NotPooled, Uninspectable};
use op25b_testlab::lab::{
    Family::{self, V6},
    Host,
};

use crate::support::{
    bot::Outcome,
    packet::{IPV6_DESTINATION_OPTIONS, destination_options, ip},
    segment::{ACK, Flow, PSH, Segment, TCP},
    stage::{Evasion, MAIL, Stage, UNLISTED_BOT, counters, growth, named, plain, policy},
};

/// One header more than is skipped.
const HEADERS: usize = 9;
const GREETING: &[u8] = b"EHLO bot.example\r\n";
const HIDDEN: [(Reason, u64); 1] = [(Uninspectable, 1)];

/// A policy that drops what unlisted sources send to the mail port, with these exemptions of the bot.
fn default_deny(exemption: &str) -> String {
    let [v4, v6] = UNLISTED_BOT;
    let exemption = match exemption {
        "" => String::new(),
        terms => format!("exemptions:\n  - {{ customer: A, prefixes: [{v4}, '{v6}']{terms} }}\n"),
    };
    policy("block: { unlisted: drop }\n") + &exemption
}

/// A segment after more destination options headers than are skipped.
fn hidden(segment: &Segment) -> Vec<u8> {
    let mut payload = destination_options(IPV6_DESTINATION_OPTIONS).repeat(HEADERS - 1);
    payload.extend(destination_options(TCP));
    payload.extend(segment.bytes());
    let (source, destination) = (segment.flow.source.ip(), segment.flow.destination.ip());
    ip(source, destination, IPV6_DESTINATION_OPTIONS, &payload)
}

fn hidden_syn(flow: Flow) -> Vec<Vec<u8>> {
    vec![hidden(&flow.syn())]
}

/// Opens a connection, sends a greeting and receives the server's answer, each segment after nine headers.
fn hold_a_dialogue(stage: &mut Stage) {
    let flow = stage.bot.flow(V6, MAIL);
    stage.bot.send(&hidden(&flow.syn()));
    let agreement = stage.bot.receive(|answer| flow.is_agreed_by(answer));
    let finish = flow.finish(&agreement);
    stage.bot.send(&hidden(&finish));
    let greeting = Segment {
        flags: PSH | ACK,
        data: GREETING.into(),
        ..finish
    };
    stage.bot.send(&hidden(&greeting));
    stage
        .bot
        .receive(|answer| answer.source == flow.destination && answer.length == GREETING.len());
}

#[test]
fn a_dialogue_after_nine_headers_from_an_unlisted_source_is_blocked_where_unlisted_sources_are() {
    let mut stage = Stage::with_unlisted_bot();
    hold_a_dialogue(&mut stage);
    let filter = stage.filter(&plain());
    let before = counters(&filter);
    hold_a_dialogue(&mut stage);
    // `unlisted: pass`: the SYN, the end of the handshake and the greeting.
    assert_eq!(growth(&before, &counters(&filter)), named(&[(Uninspectable, 3)]));
    assert_eq!(filter.stop().unwrap().code(), Some(0));

    stage.play(&default_deny(""), &[Evasion::new(V6, &HIDDEN, hidden_syn)]);
}

#[test]
fn an_exemption_for_some_destinations_lets_an_unlisted_source_hide_no_ports() {
    let mut stage = Stage::with_unlisted_bot();
    let evasion = || Evasion::new(V6, &HIDDEN, hidden_syn);
    stage.play(
        &default_deny(", destinations: [192.0.2.200, 2001:db8:dead::1]"),
        &[evasion()],
    );
    // Not even with one for this very server: it could be for any other.
    let server = Family::BOTH.map(|family| format!("'{}'", Host::Internet.address(family)));
    let restricted = default_deny(&format!(", destinations: [{}]", server.join(", ")));
    stage.play(&restricted, &[evasion()]);

    let filter = stage.filter(&default_deny(", note: everywhere"));
    assert_eq!(stage.attempt(&evasion()), Outcome::Connected);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    let shown = Evasion::new(V6, &[(NotPooled, 1)], |flow: Flow| vec![flow.syn().packet()]);
    stage.play(&default_deny(""), &[shown]);
}
