//! Packets are counted by interface and by pool, each by reason and verdict, with the bytes of those that do not pass.

use std::{fmt::Write as _, net::Ipv4Addr, process::Command};

use aya::maps::{Map, MapData, MapType, PerCpuArray, PerCpuValues};
use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, LoadOptions, PacketCount, PacketCounts, PoolCounts},
    policy::Role,
};
use op25b_common::{Reason, Verdict, counters::POOL_SLOTS, names::COUNTERS};

use crate::support::{
    filter,
    framing::Framing,
    generations::{Place, Process},
    in_a_namespace,
    kernel::{self, create_map},
    packet::{between, syn_header},
    world::{V4, V6, WORLDS, bare, policy},
};

/// Linux `LOOPBACK_IFINDEX`, on which test runs come in.
const LOOPBACK: u32 = 1;
const XDP_PASS: u32 = 2;

/// Packets and bytes by reason and verdict.
type Counts = Vec<(Reason, Verdict, u64, Option<u64>)>;

/// What was counted, without what was not.
fn counted(counts: &PacketCounts) -> Counts {
    let counts = counts.iter().filter(|count| count.packets != 0);
    let tuple = |count: PacketCount| (count.reason, count.verdict, count.packets, count.bytes);
    counts.map(tuple).collect()
}

fn on(filter: &Filter, interface: u32, role: Role) -> PacketCounts {
    let all = filter.counter_table().unwrap();
    all.of_interfaces(&[(interface, role)], |_| None).remove(0)
}

fn of(pools: &PoolCounts, name: &str) -> PacketCounts {
    let mut all = pools.pools.iter();
    all.find(|(pool, _)| pool == name).unwrap().1
}

/// Frames of every reason, from a pool, from none and from an exemption.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for world in WORLDS {
        frames.extend(world.packets().iter().map(|(_, packet, _)| bare(packet)));
        for ends in [world.outbound(), world.foreign()] {
            let cut = ends.syn(25).patched(|bytes| bytes.truncate(bytes.len() - 18));
            frames.push(bare(&cut));
            let mut header = syn_header(25);
            (header.syn, header.ack) = (false, true);
            frames.push(bare(&ends.tcp(header)));
        }
    }
    frames
}

/// What servers answer to subscribers and to others, and connections from servers to subscribers.
fn answers() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for world in WORLDS {
        for to in [world.subscriber, world.exempt, world.stranger] {
            let mut header = syn_header(40_000);
            (header.source_port, header.ack) = (25, true);
            frames.push(bare(&between(world.server, to).tcp(header)));
            frames.push(bare(&between(world.server, to).syn(25)));
        }
    }
    frames
}

#[test]
fn the_interfaces_and_the_pools_add_up_to_the_totals_whatever_the_policy() {
    let rows = "pools:\n- { name: a, prefixes: [198.51.100.0/22] }\n- { name: b, prefixes: ['2001:db8:100::/40'], mode: monitor }\n\
                relays: [{ name: post1, prefixes: [192.0.2.25, '2001:db8::25'] }]\n\
                exemptions: [{ customer: x, prefixes: [198.51.100.8/29, '2001:db8:108::/48', 192.0.2.201] }]\n";
    for block in [
        "",
        "block: { match: new, uninspectable: drop, unlisted: drop }\n",
        "block: { action: reset, uninspectable: pass, inbound: block }\n",
        "block: { action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1'] }\n",
    ] {
        let mut filter = filter(&format!("{block}{rows}"), LoadOptions::default());
        let mut stopped = 0;
        let roles = [Role::Subscriber, Role::Uplink];
        for (role, frame) in roles
            .iter()
            .zip([frames(), answers()])
            .flat_map(|(role, frames)| frames.into_iter().map(move |frame| (*role, frame)))
        {
            let (action, _) = filter.run(role, &frame).unwrap();
            if action != XDP_PASS {
                stopped += frame.len() as u64;
            }
        }
        let pools = filter.pool_counts().unwrap();
        let all_pools: PacketCounts = pools
            .pools
            .iter()
            .map(|(_, counts)| counts)
            .chain([&pools.none])
            .sum();
        let interfaces = roles.map(|role| on(&filter, LOOPBACK, role));
        let all_interfaces: PacketCounts = interfaces.iter().sum();
        assert_eq!(all_pools, all_interfaces, "{block}");
        assert_eq!(pools.others, PacketCounts::default(), "{block}");
        for reason in Reason::ALL {
            for (role, interface) in roles.into_iter().zip(&interfaces) {
                let total = filter.counters(role).unwrap().packets(reason);
                assert_eq!(
                    interface.packets(reason),
                    total,
                    "{block}{role} {}",
                    reason.name()
                );
            }
        }
        let bytes: u64 = all_pools.iter().filter_map(|count| count.bytes).sum();
        assert_eq!(bytes, stopped, "{block}");
        // What has no pool is counted so.
        assert_eq!(of(&pools, "a").packets(Reason::NotPooled), 0);
        assert!(pools.none.packets(Reason::NotPooled) > 0 && of(&pools, "b").packets(Reason::Monitored) > 0);
        assert_eq!(of(&pools, "b").packets(Reason::Blocked), 0);
    }
}

#[test]
fn a_packet_is_counted_under_its_verdict_with_its_bytes_unless_it_passes() {
    use Verdict::{Drop, Pass, Reject};
    let blocked = bare(&V4.outbound().syn(25));
    let cut = bare(
        &V4.outbound()
            .syn(25)
            .patched(|bytes| bytes.truncate(bytes.len() - 18)),
    );
    let stranger = bare(&V4.foreign().syn(25));
    let relay = bare(&between(V4.subscriber, V4.relay).syn(25));
    let exempt = bare(&between(V4.exempt, V4.server).syn(25));
    let bytes = |frame: &[u8]| Some(2 * frame.len() as u64);
    for (block, expected) in [
        (
            "",
            [
                (Reason::Blocked, Drop, 2, bytes(&blocked)),
                (Reason::Uninspectable, Drop, 2, bytes(&cut)),
                (Reason::NotPooled, Pass, 2, None),
                (Reason::Relay, Pass, 2, None),
                (Reason::Exempt, Pass, 2, None),
            ],
        ),
        (
            "block: { action: reset, uninspectable: pass, unlisted: drop }\n",
            [
                (Reason::Blocked, Reject, 2, bytes(&blocked)),
                (Reason::NotPooled, Drop, 2, bytes(&stranger)),
                (Reason::Uninspectable, Pass, 2, None),
                (Reason::Relay, Pass, 2, None),
                (Reason::Exempt, Pass, 2, None),
            ],
        ),
    ] {
        let mut filter = filter(&policy(block), LoadOptions::default());
        for frame in [&blocked, &cut, &stranger, &relay, &exempt].repeat(2) {
            filter.run(Role::Subscriber, frame).unwrap();
        }
        assert_eq!(
            counted(&on(&filter, LOOPBACK, Role::Subscriber)),
            expected,
            "{block}"
        );
        let pools = filter.pool_counts().unwrap();
        let of_pool = |count: &&(Reason, Verdict, u64, Option<u64>)| count.0 != Reason::NotPooled;
        let in_pool: Counts = expected.iter().filter(of_pool).copied().collect();
        assert_eq!(counted(&of(&pools, "residential")), in_pool, "{block}");
    }
}

/// Frames of one page and more are given to the program in several buffers; a short one has padding after its packet.
#[test]
fn the_bytes_are_those_of_the_whole_frame_with_its_padding_and_in_all_its_buffers() {
    for framing in Framing::usual() {
        let mut filter = filter(&policy(""), LoadOptions::default());
        let mut expected = (0, 0);
        for world in WORLDS {
            let ends = world.outbound();
            for size in [0, 1_500, 3_600, 9_000, 60_000] {
                let packet = ends.carrying(IpNumber::TCP, &ends.segment(syn_header(25), &vec![0x25; size]));
                let mut frame = framing.frame(&packet);
                if size == 0 {
                    frame.resize(128, 0);
                }
                expected = (expected.0 + 1, expected.1 + frame.len() as u64);
                filter.run(Role::Subscriber, &frame).unwrap();
            }
        }
        let (packets, bytes) = expected;
        assert_eq!(
            counted(&on(&filter, LOOPBACK, Role::Subscriber)),
            [(Reason::Blocked, Verdict::Drop, packets, Some(bytes))],
            "{framing}"
        );
    }
}

/// The packets that were blocked of each pool.
fn blocked(process: &mut Process) -> Vec<(String, u64)> {
    let pools = process.enforced.filter().unwrap().pool_counts().unwrap();
    let pools = pools.pools.into_iter();
    pools
        .map(|(pool, counts)| (pool, counts.packets(Reason::Blocked)))
        .collect()
}

fn named(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    let counts = counts.iter();
    counts
        .map(|(pool, packets)| ((*pool).to_owned(), *packets))
        .collect()
}

const A: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const B: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
const C: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

#[test]
fn pools_keep_their_counts_by_name_when_a_reload_renumbers_them_also_in_another_process() {
    const POOL_A: &str = "- { name: a, prefixes: [198.51.100.0/24] }\n";
    const POOL_B: &str = "- { name: b, prefixes: [203.0.113.0/24] }\n";
    const POOL_C: &str = "- { name: c, prefixes: [192.0.2.0/24] }\n";
    let place = Place::new();
    let mut process = place.process();
    process.replace(&format!("pools:\n{POOL_A}{POOL_B}"));
    process.send(A, 3);
    process.send(B, 5);
    assert_eq!(blocked(&mut process), named(&[("a", 3), ("b", 5)]));
    process.replace(&format!("pools:\n{POOL_C}{POOL_B}{POOL_A}"));
    assert_eq!(blocked(&mut process), named(&[("c", 0), ("b", 5), ("a", 3)]));
    for source in [A, B, C] {
        process.send(source, 1);
    }
    assert_eq!(blocked(&mut process), named(&[("c", 1), ("b", 6), ("a", 4)]));
    // One that is gone has no series, and goes on where it ended when it is back.
    process.replace(&format!("pools:\n{POOL_C}{POOL_B}"));
    assert_eq!(blocked(&mut process), named(&[("c", 1), ("b", 6)]));
    drop(process);
    let mut process = place.process();
    process.replace(&format!("pools:\n{POOL_A}{POOL_C}{POOL_B}"));
    process.send(C, 1);
    assert_eq!(blocked(&mut process), named(&[("a", 4), ("c", 2), ("b", 6)]));
    let total = process.enforced.filter().unwrap().counters(Role::Subscriber);
    assert_eq!(total.unwrap().packets(Reason::Blocked), 12);
}

/// A policy with so many pools of one address each, from 100.64.0.0 on.
fn many(name: &str, count: usize) -> String {
    let mut pools = "pools:\n".to_owned();
    for number in 0..count {
        let address = address(number);
        writeln!(pools, "- {{ name: {name}{number}, prefixes: [{address}] }}").unwrap();
    }
    pools
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x6440_0000 + u32::try_from(number).unwrap())
}

#[test]
fn pools_beyond_1024_are_counted_together() {
    let mut filter = filter(&many("p", POOL_SLOTS + 2), LoadOptions::default());
    for number in [0, POOL_SLOTS - 1, POOL_SLOTS, POOL_SLOTS + 1] {
        let frame = bare(&between(address(number), V4.server).syn(25));
        filter.run(Role::Subscriber, &frame).unwrap();
    }
    let pools = filter.pool_counts().unwrap();
    assert_eq!(pools.pools.len(), POOL_SLOTS);
    for (pool, counts) in &pools.pools {
        let is_one = ["p0", "p1023"].contains(&pool.as_str());
        assert_eq!(counts.packets(Reason::Blocked), u64::from(is_one), "{pool}");
    }
    assert_eq!(pools.others.packets(Reason::Blocked), 2);
    assert_eq!(
        filter
            .counters(Role::Subscriber)
            .unwrap()
            .packets(Reason::Blocked),
        4
    );
}

/// The slots of pools that are gone are used again, and what was counted of those is not that of the new ones.
#[test]
fn new_pools_begin_at_zero_where_those_before_have_taken_all_slots() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&many("old", POOL_SLOTS));
    process.send(address(0), 7);
    // The program before still counts in all slots when this one is loaded.
    process.replace(&many("next", 2));
    process.send(address(0), 5);
    assert_eq!(blocked(&mut process), []);
    let others = process.enforced.filter().unwrap().pool_counts().unwrap().others;
    assert_eq!(others.packets(Reason::Blocked), 5);
    process.replace(&many("next", 2));
    assert_eq!(blocked(&mut process), named(&[("next0", 0), ("next1", 0)]));
    process.send(address(0), 1);
    assert_eq!(blocked(&mut process), named(&[("next0", 1), ("next1", 0)]));
}

/// The version before counted by role and reason alone, in a map of another shape.
#[test]
fn the_totals_of_the_layout_before_are_taken_over_and_counting_goes_on_in_every_process() {
    let pools = "pools: [{ name: a, prefixes: [198.51.100.0/24] }]\n";
    let place = Place::new();
    let mut process = place.process();
    process.replace(pools);
    drop(process);
    let slots = u32::try_from(4 * Reason::COUNT).unwrap();
    let mut counters = Map::PerCpuArray(create_map(MapType::PerCpuArray, 4, 8, slots, 0));
    let mut array = PerCpuArray::<&mut MapData, u64>::try_from(&mut counters).unwrap();
    // What was counted of subscribers, of uplinks, and before that in yet another map.
    let (uplink, migrated) = (Reason::COUNT, 2 * Reason::COUNT);
    for (slot, packets) in [
        (Reason::Blocked as usize, 100),
        (uplink + Reason::Relay as usize, 5),
        (migrated + Reason::Blocked as usize, 7),
    ] {
        let slot = u32::try_from(slot).unwrap();
        let mut values: Vec<u64> = array.get(&slot, 0).unwrap().iter().copied().collect();
        values[0] = packets;
        array
            .set(slot, PerCpuValues::try_from(values).unwrap(), 0)
            .unwrap();
    }
    place.put(COUNTERS, &counters);
    place.describe(|described| {
        let before = described.as_object_mut().unwrap();
        before.remove("pool_slots").unwrap();
        before["layout"].as_object_mut().unwrap().remove("cells").unwrap();
        before["layout"]["abi"] = "0123456789abcdef".into();
    });

    let total = |process: &mut Process, role, reason| {
        let filter = process.enforced.filter().unwrap();
        filter.counters(role).unwrap().packets(reason)
    };
    for (sent, expected) in [(3, 110), (2, 112)] {
        let mut process = place.process();
        process.replace(pools);
        process.send(A, sent);
        assert_eq!(total(&mut process, Role::Subscriber, Reason::Blocked), expected);
        assert_eq!(total(&mut process, Role::Uplink, Reason::Relay), 5);
        assert_eq!(blocked(&mut process), named(&[("a", expected - 107)]));
    }
}

/// Makes interfaces with these indices in this network namespace.
fn make_interfaces(indices: &[u32]) {
    for pair in indices.chunks(2) {
        let [one, two] = [0, 1].map(|end| pair[end].to_string());
        let (name, peer) = (format!("v{one}"), format!("v{two}"));
        let add = ["link", "add", &name, "index", &one, "type", "veth"];
        let peer = ["peer", "name", &peer, "index", &two];
        let done = Command::new("ip").args(add).args(peer).status();
        assert!(done.unwrap().success(), "{pair:?}");
    }
}

#[test]
fn interfaces_are_counted_apart_by_role_as_far_as_there_are_places_and_all_are_in_the_totals() {
    in_a_namespace(|| {
        let mut filter = filter(&policy(""), LoadOptions::default());
        // All of one set of four places; the last two find none. One of another set is not concerned.
        let indices = [100, 164, 228, 100 + 64 * 10, 292, 101];
        make_interfaces(&indices);
        let frames = [V4, V6].map(|world| bare(&world.outbound().syn(25)));
        let program = filter.program_info(Role::Subscriber).unwrap();
        for (times, index) in (1..).zip(indices) {
            for frame in &frames {
                for _ in 0..times {
                    kernel::run_on(&program, frame, index);
                }
            }
        }
        // As an uplink, an interface is another one.
        let uplink = filter.program_info(Role::Uplink).unwrap();
        let mut header = syn_header(40_000);
        (header.source_port, header.ack) = (25, true);
        let answer = bare(&between(V4.server, V4.subscriber).tcp(header));
        for index in [101, 292] {
            kernel::run_on(&uplink, &answer, index);
        }
        let apart = |index, role| on(&filter, index, role).packets(Reason::Blocked);
        let found = indices.map(|index| apart(index, Role::Subscriber));
        assert_eq!(found, [2, 4, 6, 8, 0, 12]);
        assert_eq!([101, 292, 100].map(|index| apart(index, Role::Uplink)), [1, 0, 0]);
        let totals = [Role::Subscriber, Role::Uplink].map(|role| filter.counters(role).unwrap());
        assert_eq!(
            totals.map(|counters| counters.packets(Reason::Blocked)),
            [2 * 21, 2]
        );
        // A port's packets count for the interface that it is a port of.
        let table = filter.counter_table().unwrap();
        let bond = [(9_000, Role::Subscriber)];
        let of_bond = table.of_interfaces(&bond, |index| [100, 164].contains(&index).then_some(9_000));
        assert_eq!(of_bond[0].packets(Reason::Blocked), 6);
    });
}
