//! Frames that are not IP are counted by their last `EtherType` and the interface; no other frame is.

use std::process::Command;

use op25b::{
    datapath::{Filter, FrameKind, LoadOptions, NotIp},
    policy::Role,
};

use crate::support::{
    filter,
    framing::{Framing, MAX_TAGS, PPPOE_DISCOVERY},
    in_a_namespace, kernel,
    world::{V4, WORLDS, policy},
};
use FrameKind::{Ethertype, Llc, Other};

/// Linux `LOOPBACK_IFINDEX`, on which test runs come in.
const LOOPBACK: u32 = 1;
const XDP_PASS: u32 = 2;

/// How many `EtherType`s a CPU tells apart.
const SLOTS: u16 = 16;

fn load() -> Filter {
    filter(&policy(""), LoadOptions::default())
}

fn counted(filter: &Filter, interface: u32) -> NotIp {
    let all = filter.not_ip().unwrap();
    all.of(&[interface], |_| None).remove(0)
}

fn frames(frames: &[(FrameKind, u64)]) -> NotIp {
    frames.iter().copied().collect()
}

#[track_caller]
fn pass(filter: &mut Filter, role: Role, frame: &[u8]) {
    let (action, output) = filter.run(role, frame).unwrap();
    assert_eq!((action, output.as_slice()), (XDP_PASS, frame));
}

#[test]
fn a_frame_that_is_not_ip_is_counted_under_its_last_ethertype_after_tags_too() {
    let bytes = V4.outbound().syn(25).bytes;
    let mut filter = load();
    for role in [Role::Subscriber, Role::Uplink] {
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x8100; MAX_TAGS]] {
            let framing = Framing::tags(tags);
            for (frame, kind) in [
                (framing.ethernet(0x0806, &bytes), Ethertype(0x0806)),
                (framing.ethernet(0x8847, &bytes), Ethertype(0x8847)),
                (framing.ethernet(PPPOE_DISCOVERY, &bytes), Ethertype(0x8863)),
                (framing.ethernet(0x9200, &bytes), Ethertype(0x9200)),
                (framing.ethernet(0x0600, &bytes), Ethertype(0x0600)),
                (framing.ethernet(0x05ff, &bytes), Llc),
                (framing.ethernet(0x0040, &bytes), Llc),
                (framing.ethernet(0, &bytes), Llc),
                // PPP that is no IP, and IP of another version or without a whole header.
                (framing.pppoe(&[0xc0, 0x21], &bytes), Ethertype(0x8864)),
                (framing.pppoe(&[0x00, 0x57], &bytes), Ethertype(0x8864)),
                (framing.ethernet(0x86dd, &bytes), Ethertype(0x86dd)),
                (framing.ethernet(0x0800, &bytes[..19]), Ethertype(0x0800)),
            ] {
                let before = counted(&filter, LOOPBACK);
                pass(&mut filter, role, &frame);
                pass(&mut filter, role, &frame);
                let since = counted(&filter, LOOPBACK).since(&before);
                assert_eq!(since, frames(&[(kind, 2)]), "{framing}");
            }
        }
    }
    // The frame ends in its tag: that is the last EtherType that is there.
    let before = counted(&filter, LOOPBACK);
    let frame = Framing::tags(&[0x8100]).ethernet(0x0800, &bytes);
    pass(&mut filter, Role::Subscriber, &frame[..15]);
    let since = counted(&filter, LOOPBACK).since(&before);
    assert_eq!(since, frames(&[(Ethertype(0x8100), 1)]));
}

#[test]
fn a_fifth_tag_is_counted_as_not_ip_where_it_is_not_ip() {
    let frame = Framing::tags(&[0x88a8; MAX_TAGS + 1]).frame(&V4.outbound().syn(25));
    let mut filter = load();
    pass(&mut filter, Role::Uplink, &frame);
    assert_eq!(counted(&filter, LOOPBACK), frames(&[(Ethertype(0x88a8), 1)]));
    filter.run(Role::Subscriber, &frame).unwrap();
    assert_eq!(counted(&filter, LOOPBACK), frames(&[(Ethertype(0x88a8), 1)]));
}

#[test]
fn ip_is_not_counted_whatever_becomes_of_it() {
    let mut filter = load();
    for framing in Framing::usual() {
        for world in WORLDS {
            for (_, packet, _) in world.packets() {
                for role in [Role::Subscriber, Role::Uplink] {
                    filter.run(role, &framing.frame(&packet)).unwrap();
                }
            }
        }
    }
    assert_eq!(counted(&filter, LOOPBACK), NotIp::default());
}

#[test]
fn ever_new_ethertypes_take_no_more_slots_than_there_are_and_the_first_go_on_being_counted() {
    let mut filter = load();
    let program = filter.program_info(Role::Subscriber).unwrap();
    // On one CPU: each has slots of its own.
    let cpus = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
    let mut one = nix::sched::CpuSet::new();
    let first = (0..nix::sched::CpuSet::count()).find(|cpu| cpus.is_set(*cpu).unwrap());
    one.set(first.unwrap()).unwrap();
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).unwrap();
    for _ in 0..2 {
        for number in 0..SLOTS + 4 {
            let frame = Framing::default().ethernet(0x7000 + number, &[0; 46]);
            assert_eq!(kernel::run(&program, &frame).0, XDP_PASS);
        }
    }
    let first = (0..SLOTS).map(|number| (Ethertype(0x7000 + number), 2));
    let expected: NotIp = first.chain([(Other, 8)]).collect();
    assert_eq!(counted(&filter, LOOPBACK), expected);
}

#[test]
fn each_interface_is_counted_apart_and_ports_with_the_interface_that_they_belong_to() {
    let arp = Framing::default().ethernet(0x0806, &[0; 46]);
    in_a_namespace(move || {
        let mut filter = load();
        let program = filter.program_info(Role::Subscriber).unwrap();
        let add = ["link", "add", "one", "type", "veth", "peer", "name", "two"];
        assert!(Command::new("ip").args(add).status().unwrap().success());
        let [one, two] = ["one", "two"].map(|name| nix::net::if_::if_nametoindex(name).unwrap());
        for (interface, times) in [(one, 3), (two, 5)] {
            for _ in 0..times {
                assert_eq!(kernel::run_on(&program, &arp, interface), XDP_PASS);
            }
        }
        assert_eq!(counted(&filter, one), frames(&[(Ethertype(0x0806), 3)]));
        assert_eq!(counted(&filter, two), frames(&[(Ethertype(0x0806), 5)]));
        // One is a port of the other.
        let all = filter.not_ip().unwrap();
        let together = all.of(&[one], |index| (index == two).then_some(one));
        assert_eq!(together, [frames(&[(Ethertype(0x0806), 8)])]);
    });
}
