//! What an event shows of a packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, LoadOptions, clock},
    policy::{self, Role},
};
use op25b_common::{
    Reason, Tunnel, Verdict,
    event::{NO_VLAN, PacketEvent},
    values::NO_RULE,
};

use super::{loaded, read};
use crate::support::{
    framing::Framing,
    kernel,
    packet::{Packet, between, syn_header},
    prepared,
    world::{POOLS, V4, V6, WORLDS, bare, policy},
};

const EVENTS: &str = "events: {}\n";
/// Linux `LOOPBACK_IFINDEX`: test runs come in there.
const LOOPBACK: u32 = 1;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
/// The session and the ports of the frames.
const SESSION: u16 = 0x17;
const SOURCE_PORT: u16 = 49_152;

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The event of a subscriber's first SYN to port 25, in bare Ethernet.
fn first(source: IpAddr, destination: IpAddr, frame: &[u8]) -> PacketEvent {
    PacketEvent {
        time: 0,
        source: octets(source),
        destination: octets(destination),
        interface: LOOPBACK,
        pool: 0,
        rule: 0,
        length: frame.len().try_into().unwrap(),
        source_port: SOURCE_PORT,
        destination_port: 25,
        vlans: [NO_VLAN; 2],
        pppoe_session: 0,
        reason: Reason::Blocked as u8,
        verdict: Verdict::Drop as u8,
        tcp_flags: SYN,
        tunnels: 0,
        marks: PacketEvent::IS_FIRST | KNOWN,
        unused: 0,
    }
}

/// Addresses, ports and flags are read.
const KNOWN: u8 = PacketEvent::HAS_ADDRESSES | PacketEvent::HAS_PORTS | PacketEvent::HAS_FLAGS;

/// The only event of a frame, without its time.
fn only(
    filter: &mut Filter,
    reader: &mut op25b::datapath::EventReader,
    role: Role,
    frame: &[u8],
) -> PacketEvent {
    filter.run(role, frame).unwrap();
    let events = read(reader);
    let [event] = events[..] else { panic!("{events:?}") };
    PacketEvent { time: 0, ..event }
}

/// The subscriber with this number, who has sent nothing before.
fn subscriber(of_v6: bool, number: u8) -> IpAddr {
    if of_v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0x101, u16::from(number) << 8, 0, 0, 0, 7).into()
    } else {
        Ipv4Addr::new(198, 51, 102, number).into()
    }
}

#[test]
fn an_event_has_the_addresses_ports_tags_and_session_of_its_packet() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    for world in WORLDS {
        for (number, framing) in (0..).zip(Framing::usual()) {
            let source = subscriber(world.name == V6.name, number);
            let frame = framing.frame(&between(source, world.server).syn(25));
            // The outermost tag has the highest number.
            let tags = u16::try_from(framing.tags.len()).unwrap();
            let vlan = |place: u16| {
                if place < tags {
                    100 + tags - 1 - place
                } else {
                    NO_VLAN
                }
            };
            let expected = PacketEvent {
                vlans: [vlan(0), vlan(1)],
                pppoe_session: framing.session.map_or(0, |_| SESSION),
                ..first(source, world.server, &frame)
            };
            let event = only(&mut filter, &mut reader, Role::Subscriber, &frame);
            assert_eq!(event, expected, "{} {framing}", world.name);
        }
    }
}

#[test]
fn the_time_is_that_of_the_packet_by_the_boot_time_clock() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    let before = clock::since_boot().unwrap();
    filter
        .run(Role::Subscriber, &bare(&V4.outbound().syn(25)))
        .unwrap();
    let after = clock::since_boot().unwrap();
    let time = read(&mut reader)[0].time.cast_signed();
    assert!((before..=after).contains(&time), "{before} {time} {after}");
}

#[test]
fn flags_that_open_no_connection_are_shown_as_they_are() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    let mut header = syn_header(25);
    (header.syn, header.ack) = (false, true);
    let frame = bare(&V4.outbound().tcp(header));
    let expected = PacketEvent {
        tcp_flags: ACK,
        ..first(V4.subscriber, V4.server, &frame)
    };
    assert_eq!(only(&mut filter, &mut reader, Role::Subscriber, &frame), expected);
}

#[test]
fn an_event_names_the_tunnels_and_the_subscriber_inside() {
    let interfaces = "{ name: eth1, role: subscriber, tunnels: [4in4, 6in4, gre] }";
    let text = format!("version: 1\ninterfaces: [{interfaces}]\n{EVENTS}{POOLS}");
    let (compiled, description) = prepared(&policy::parse("test.yaml", &text).unwrap().policy);
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let mut reader = filter.take_events().unwrap().unwrap();
    let syn = |number| between(subscriber(false, number), V4.server).syn(25);
    let ip_in_gre = |packet: &Packet| [&[0, 0, 0x08, 0x00][..], &packet.bytes].concat();
    let in_one = V4.foreign().carrying(IpNumber(4), &syn(1).bytes);
    let in_gre = V4.foreign().carrying(IpNumber(47), &ip_in_gre(&syn(2)));
    let in_two = V4.foreign().carrying(
        IpNumber(47),
        &ip_in_gre(&V4.foreign().carrying(IpNumber(4), &syn(3).bytes)),
    );
    for (number, packet, tunnels) in [
        (1, in_one, Tunnel::V4InV4.bit()),
        (2, in_gre, Tunnel::Gre.bit()),
        (3, in_two, Tunnel::Gre.bit() | Tunnel::V4InV4.bit()),
    ] {
        let frame = Framing::tags(&[0x8100]).frame(&packet);
        let expected = PacketEvent {
            tunnels,
            vlans: [100, NO_VLAN],
            ..first(subscriber(false, number), V4.server, &frame)
        };
        assert_eq!(
            only(&mut filter, &mut reader, Role::Subscriber, &frame),
            expected,
            "{number}"
        );
    }
}

#[test]
fn what_comes_in_on_an_uplink_is_marked_and_shown_from_its_sender_to_the_subscriber() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    for world in WORLDS {
        let mut header = syn_header(40_000);
        (header.ack, header.source_port) = (true, 25);
        let frame = bare(&between(world.server, world.subscriber).tcp(header));
        let expected = PacketEvent {
            source_port: 25,
            destination_port: 40_000,
            tcp_flags: SYN | ACK,
            marks: PacketEvent::IS_FROM_UPLINK | KNOWN,
            ..first(world.server, world.subscriber, &frame)
        };
        assert_eq!(only(&mut filter, &mut reader, Role::Uplink, &frame), expected);
    }
}

#[test]
fn the_interface_is_the_one_that_the_packet_came_in_on() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    let frame = bare(&V4.outbound().syn(25));
    let program = filter.program_info(Role::Subscriber).unwrap();
    kernel::run_on(&program, &frame, LOOPBACK);
    assert_eq!(read(&mut reader)[0].interface, LOOPBACK);
}

#[test]
fn of_a_packet_that_hides_its_ports_there_are_none() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    let fragment = V4.outbound().v4_fragment(IpNumber::TCP, &[0; 8], 1, false);
    let frame = bare(&fragment);
    let expected = PacketEvent {
        source_port: 0,
        destination_port: 0,
        reason: Reason::Uninspectable as u8,
        tcp_flags: 0,
        marks: PacketEvent::IS_FIRST | PacketEvent::HAS_ADDRESSES,
        ..first(V4.subscriber, V4.server, &frame)
    };
    assert_eq!(only(&mut filter, &mut reader, Role::Subscriber, &frame), expected);
}

#[test]
fn of_a_frame_with_more_tags_than_are_skipped_there_are_no_addresses() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    let frame = Framing::tags(&[0x8100; 5]).frame(&V4.outbound().syn(25));
    let expected = PacketEvent {
        source: [0; 16],
        destination: [0; 16],
        pool: NO_RULE,
        rule: NO_RULE,
        source_port: 0,
        destination_port: 0,
        vlans: [104, 103],
        reason: Reason::Uninspectable as u8,
        tcp_flags: 0,
        marks: 0,
        ..first(V4.subscriber, V4.server, &frame)
    };
    assert_eq!(only(&mut filter, &mut reader, Role::Subscriber, &frame), expected);
}

#[test]
fn the_verdict_is_that_of_the_policy() {
    for (block, verdict) in [
        ("block: { action: reset }\n", Verdict::Reject),
        ("block: { action: drop }\n", Verdict::Drop),
    ] {
        let (mut filter, mut reader) = loaded(&policy(&[block, EVENTS].concat()));
        for world in WORLDS {
            let frame = bare(&world.outbound().syn(25));
            let expected = PacketEvent {
                verdict: verdict as u8,
                ..first(world.subscriber, world.server, &frame)
            };
            assert_eq!(
                only(&mut filter, &mut reader, Role::Subscriber, &frame),
                expected,
                "{block}"
            );
        }
    }
}

#[test]
fn a_packet_that_would_be_blocked_is_shown_as_one_that_passed() {
    let monitored = format!("{EVENTS}pools: [{{ name: p, mode: monitor, prefixes: [198.51.100.0/22] }}]\n");
    let (mut filter, mut reader) = loaded(&monitored);
    let frame = bare(&V4.outbound().syn(25));
    let expected = PacketEvent {
        reason: Reason::Monitored as u8,
        verdict: Verdict::Pass as u8,
        ..first(V4.subscriber, V4.server, &frame)
    };
    assert_eq!(only(&mut filter, &mut reader, Role::Subscriber, &frame), expected);
}

#[test]
fn packets_of_exemptions_are_shown_with_theirs_where_the_policy_says_so() {
    for (events, is_shown) in [("events: {}\n", false), ("events: { exempt: true }\n", true)] {
        let (mut filter, mut reader) = loaded(&policy(events));
        for world in WORLDS {
            let frame = bare(&between(world.exempt, world.server).syn(25));
            filter.run(Role::Subscriber, &frame).unwrap();
            let expected = PacketEvent {
                reason: Reason::Exempt as u8,
                verdict: Verdict::Pass as u8,
                marks: KNOWN,
                ..first(world.exempt, world.server, &frame)
            };
            let events: Vec<_> = read(&mut reader)
                .into_iter()
                .map(|event| PacketEvent { time: 0, ..event })
                .collect();
            assert_eq!(events, if is_shown { vec![expected] } else { Vec::new() });
        }
    }
}

#[test]
fn sources_in_no_pool_are_shown_where_they_are_dropped() {
    for (block, is_shown) in [("", false), ("block: { unlisted: drop }\n", true)] {
        let (mut filter, mut reader) = loaded(&policy(&[block, EVENTS].concat()));
        for world in WORLDS {
            let frame = bare(&world.foreign().syn(25));
            filter.run(Role::Subscriber, &frame).unwrap();
            // From the Internet they are not dropped.
            filter.run(Role::Uplink, &frame).unwrap();
            let shown: Vec<_> = read(&mut reader);
            assert_eq!(shown.len(), usize::from(is_shown), "{block} {shown:?}");
            if let [event] = shown[..] {
                let (pool, verdict) = (event.pool, u32::from(event.verdict));
                assert_eq!((pool, event.reason), (NO_RULE, Reason::NotPooled as u8));
                assert_eq!(verdict, Verdict::Drop as u32);
                assert_eq!(event.source, octets(world.stranger));
            }
        }
    }
}

#[test]
fn packets_that_are_not_filtered_have_no_events() {
    let (mut filter, mut reader) = loaded(&policy(EVENTS));
    for world in WORLDS {
        let relayed = between(world.subscriber, world.relay).syn(25);
        for packet in [
            relayed,
            world.outbound().syn(587),
            world.outbound().udp(25),
            world.foreign().syn(25),
        ] {
            filter.run(Role::Subscriber, &bare(&packet)).unwrap();
        }
    }
    assert!(read(&mut reader).is_empty());
}
