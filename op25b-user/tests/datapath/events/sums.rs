//! Each packet that has an event by its reason is shown, lost, or sampled out.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use etherparse::IpNumber;
use op25b::{
    datapath::{EventCount, Filter},
    policy::Role,
};
use op25b_common::{Reason, event::PacketEvent};

use super::{fill_allowances, loaded, read};
use crate::support::{
    kernel,
    packet::{Packet, between, syn_header},
    world::{V4, V6, bare},
};

const POLICY: &str = "events: { exempt: true }\n\
    block: { unlisted: drop }\n\
    pools:\n\
    - { name: p, prefixes: [198.51.0.0/16, 2001:db8:100::/40] }\n\
    - { name: m, mode: monitor, prefixes: [198.54.0.0/16] }\n\
    relays: [{ name: post1, prefixes: [192.0.2.25] }]\n\
    exemptions: [{ customer: A, prefixes: [198.52.0.0/16] }]\n";

/// A packet with each reason that is counted, and whether it has events.
fn packets() -> Vec<(Reason, bool, Role, Packet)> {
    let from = |network: [u8; 2]| Ipv4Addr::new(network[0], network[1], 0, 1);
    let syn = |network| between(from(network), V4.server).syn(25);
    // Of each sender one packet is shown in a second, whatever its reason.
    let hidden =
        between(Ipv4Addr::new(198, 51, 0, 2), V4.server).v4_fragment(IpNumber::TCP, &[0; 8], 1, false);
    let mut answer = syn_header(40_000);
    (answer.ack, answer.source_port) = (true, 25);
    let answer = |to| between(V4.server, from(to)).tcp(answer.clone());
    vec![
        (Reason::Blocked, true, Role::Subscriber, syn([198, 51])),
        (Reason::Uninspectable, true, Role::Subscriber, hidden),
        (Reason::Monitored, true, Role::Subscriber, syn([198, 54])),
        (Reason::Exempt, true, Role::Subscriber, syn([198, 52])),
        (Reason::NotPooled, true, Role::Subscriber, syn([198, 53])),
        (
            Reason::Relay,
            false,
            Role::Subscriber,
            between(from([198, 51]), V4.relay).syn(25),
        ),
        (Reason::Blocked, true, Role::Uplink, answer([198, 51])),
        (Reason::NotPooled, false, Role::Uplink, answer([198, 53])),
    ]
}

/// What was counted of the packets that have events.
fn all(filter: &Filter, reason: Reason) -> u64 {
    let roles = [Role::Subscriber, Role::Uplink].into_iter();
    let roles = roles.filter(|role| filter.has_events(*role, reason));
    roles
        .map(|role| filter.counters(role).unwrap().packets(reason))
        .sum()
}

fn assert_counts(filter: &Filter, events: &[PacketEvent], sampled_out: &HashMap<Reason, u64>) {
    let counts = filter.event_counts().unwrap();
    for (reason, EventCount { shown, lost }) in counts.iter() {
        let read = events.iter().filter(|event| event.reason == reason as u8).count();
        assert_eq!(shown, read as u64, "{reason:?}");
        let rest = sampled_out.get(&reason).copied().unwrap_or_default();
        assert_eq!(shown + lost + rest, all(filter, reason), "{reason:?} {lost}");
    }
}

#[test]
fn what_is_shown_lost_and_sampled_out_are_all_packets_of_each_reason() {
    const EACH: u64 = 200;
    let (mut filter, mut reader) = loaded(POLICY);
    let (mut events, mut sampled_out) = (Vec::new(), HashMap::new());
    for (reason, has_events, role, packet) in packets() {
        assert_eq!(filter.has_events(role, reason), has_events, "{reason:?} {role:?}");
        let frame = bare(&packet);
        for _ in 0..EACH {
            filter.run(role, &frame).unwrap();
            let shown = read(&mut reader);
            if has_events {
                *sampled_out.entry(reason).or_default() += 1 - shown.len() as u64;
            }
            events.extend(shown);
        }
    }
    assert_counts(&filter, &events, &sampled_out);
    for (reason, has_events, ..) in packets() {
        let of = events.iter().filter(|event| event.reason == reason as u8).count();
        assert!(of > 0 || !has_events, "{reason:?}");
    }
    assert!(
        sampled_out.values().all(|packets| *packets > EACH / 2),
        "{sampled_out:?}"
    );
}

#[test]
fn what_finds_the_ring_buffer_full_is_lost_and_what_is_in_it_stays() {
    /// Fewer than any bucket holds.
    const AT_ONCE: usize = 40;
    let (mut filter, mut reader) = loaded(POLICY);
    let program = filter.program_info(Role::Subscriber).unwrap();
    let mut sources = (0..=u16::MAX).map(|number| {
        let [high, low] = number.to_be_bytes().map(u16::from);
        Ipv6Addr::new(0x2001, 0xdb8, 0x100 | high, low << 8, 0, 0, 0, 7)
    });
    let run = |source| kernel::run(&program, &bare(&between(source, V6.server).syn(25)));
    let mut sent = Vec::new();
    while filter.event_counts().unwrap().of(Reason::Blocked).lost == 0 {
        fill_allowances(&mut filter);
        for _ in 0..AT_ONCE {
            let source = sources.next().expect("the ring buffer is full before that");
            run(source);
            sent.push(source);
        }
    }
    let events = read(&mut reader);
    let EventCount { shown, lost } = filter.event_counts().unwrap().of(Reason::Blocked);
    assert_eq!((shown, shown + lost), (events.len() as u64, sent.len() as u64));
    let shown: Vec<_> = events.iter().map(|event| Ipv6Addr::from(event.source)).collect();
    assert_eq!(shown, sent[..shown.len()], "the first ones, in their order");
    // There is room again.
    fill_allowances(&mut filter);
    run(sources.next().unwrap());
    assert_eq!(read(&mut reader).len(), 1);
}
