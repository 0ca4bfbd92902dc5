//! Which packets are shown when there are too many.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use etherparse::IpNumber;
use op25b::{datapath::Filter, policy::Role};
use op25b_common::{Reason, event::PacketEvent};

use super::{loaded, read};
use crate::support::{
    framing::Framing,
    kernel,
    packet::{Packet, between},
    world::{V4, V6, bare},
};

/// A pool of 65,536 addresses; exemptions and sources in no pool have events, too.
const POLICY: &str = "events: { exempt: true }\n\
    block: { unlisted: drop }\n\
    pools: [{ name: p, prefixes: [198.51.0.0/16, 2001:db8:100::/40] }]\n\
    exemptions: [{ customer: A, prefixes: [198.52.0.0/16] }]\n";

/// How many frames one sender floods with.
const FLOOD: usize = 20_000;

/// The events by their source, which is IPv4.
fn by_source(events: &[PacketEvent]) -> HashMap<Ipv4Addr, usize> {
    let mut counts = HashMap::new();
    for event in events {
        let source = Ipv6Addr::from(event.source).to_ipv4_mapped().unwrap();
        *counts.entry(source).or_default() += 1;
    }
    counts
}

fn run_all(filter: &mut Filter, frames: impl Iterator<Item = Vec<u8>>) {
    let program = filter.program_info(Role::Subscriber).unwrap();
    for frame in frames {
        kernel::run(&program, &frame);
    }
}

/// How many events one sender can have since then: one in each second, on each CPU that the program may have been run on.
fn most_in(start: Instant) -> usize {
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap() + 2;
    seconds * std::thread::available_parallelism().unwrap().get()
}

/// One sender floods, then 20 others send a packet each.
fn assert_flooder_hides_nobody(network: [u8; 2], packet: impl Fn(IpAddr) -> Packet, reason: Reason) {
    let (mut filter, mut reader) = loaded(POLICY);
    let [a, b] = network;
    let frame = |host: u8| bare(&packet(Ipv4Addr::new(a, b, 7, host).into()));
    let start = Instant::now();
    let flooder = frame(255);
    run_all(&mut filter, (0..FLOOD).map(|_| flooder.clone()));
    run_all(&mut filter, (1..=20).map(frame));
    let most = most_in(start);
    let events = read(&mut reader);
    assert!(
        events.iter().all(|event| event.reason == reason as u8),
        "{events:?}"
    );
    let shown = by_source(&events);
    for host in 1..=20 {
        assert_eq!(shown[&Ipv4Addr::new(a, b, 7, host)], 1, "{reason:?} {host}");
    }
    let flooder = shown[&Ipv4Addr::new(a, b, 7, 255)];
    assert!(
        (1..=most).contains(&flooder),
        "{reason:?}: {flooder} of at most {most}"
    );
}

#[test]
fn one_flooder_hides_no_other_subscriber() {
    assert_flooder_hides_nobody(
        [198, 51],
        |source| between(source, V4.server).syn(25),
        Reason::Blocked,
    );
}

#[test]
fn one_who_floods_with_packets_that_hide_their_ports_hides_no_other() {
    let hidden = |source| between(source, V4.server).v4_fragment(IpNumber::TCP, &[0; 8], 1, false);
    assert_flooder_hides_nobody([198, 51], hidden, Reason::Uninspectable);
}

#[test]
fn what_comes_from_the_internet_gives_no_subscriber_another_turn() {
    const EACH: usize = 100;
    let (mut filter, mut reader) = loaded(POLICY);
    let hidden = between(V4.server, V4.subscriber).v4_fragment(IpNumber::TCP, &[0; 8], 1, false);
    let start = Instant::now();
    for _ in 0..EACH {
        filter.run(Role::Uplink, &bare(&hidden)).unwrap();
        run_all(&mut filter, std::iter::once(bare(&V4.outbound().syn(25))));
    }
    let blocked: Vec<_> = read(&mut reader)
        .into_iter()
        .filter(|event| event.reason == Reason::Blocked as u8)
        .collect();
    let most = most_in(start);
    assert!((1..=most).contains(&blocked.len()), "{} of {EACH}", blocked.len());
}

#[test]
fn one_flooder_in_no_pool_hides_no_other() {
    assert_flooder_hides_nobody(
        [198, 53],
        |source| between(source, V4.server).syn(25),
        Reason::NotPooled,
    );
}

#[test]
fn one_exempt_customer_with_many_connections_hides_no_other() {
    assert_flooder_hides_nobody(
        [198, 52],
        |source| between(source, V4.server).syn(25),
        Reason::Exempt,
    );
}

#[test]
fn a_station_that_sends_many_frames_with_too_many_tags_hides_no_other() {
    let (mut filter, mut reader) = loaded(POLICY);
    let frame = |station: u8| {
        let mut frame = Framing::tags(&[0x8100; 5]).frame(&V4.outbound().syn(25));
        frame[11] = station;
        frame
    };
    run_all(&mut filter, (0..FLOOD).map(|_| frame(255)));
    let flooded = read(&mut reader).len();
    run_all(&mut filter, (1..=20).map(frame));
    assert!((1..FLOOD / 100).contains(&flooded), "{flooded}");
    assert_eq!(read(&mut reader).len(), 20);
}

/// A SYN of the subscriber with this number.
fn syn(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    bare(&between(Ipv4Addr::new(198, 51, high, low), V4.server).syn(25))
}

#[test]
fn a_new_subscriber_is_shown_while_all_others_of_the_pool_flood() {
    const NEW: u16 = 0xffff;
    let (mut filter, mut reader) = loaded(POLICY);
    // Once all others are known.
    run_all(&mut filter, (0..NEW).map(syn));
    read(&mut reader);
    let half = NEW / 2;
    run_all(&mut filter, (0..half).map(syn));
    run_all(&mut filter, std::iter::once(syn(NEW)));
    run_all(&mut filter, (half..NEW).map(syn));
    let events = read(&mut reader);
    let new = Ipv4Addr::new(198, 51, 255, 255).to_ipv6_mapped().octets();
    let event = events.iter().find(|event| event.source == new);
    assert!(event.expect("it is shown").has(PacketEvent::IS_FIRST));
    assert!(events.len() < usize::from(NEW) / 10, "{}", events.len());
    let others = events.iter().filter(|event| event.source != new);
    for event in others {
        assert!(!event.has(PacketEvent::IS_FIRST), "{event:?}");
    }
}

#[test]
fn ever_new_ipv6_sources_do_not_hide_a_new_ipv4_subscriber() {
    let (mut filter, mut reader) = loaded(POLICY);
    let forged = |number: u16| {
        let source = Ipv6Addr::new(0x2001, 0xdb8, 0x101, number, 0, 0, 0, 7);
        bare(&between(source, V6.server).syn(25))
    };
    run_all(&mut filter, (0..20_000).map(forged));
    let forged = read(&mut reader).len();
    run_all(&mut filter, std::iter::once(syn(1)));
    let events = read(&mut reader);
    assert!(forged < 10_000, "{forged}");
    assert_eq!(events.len(), 1);
    assert!(events[0].has(PacketEvent::IS_FIRST));
}
