//! Tunnels: which UDP may be one, whose source decides and is recorded, and what each interface enables.

use aya::{
    maps::{Array, Map, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, Interfaces, LoadOptions, LogLevel},
    policy::{self, Compiled, Role},
};
use op25b_common::{
    Reason, Verdict,
    names::DECISION,
    values::{self, NO_RULE},
};
use op25b_ebpf::parse::segment::Segment;

use crate::support::{
    kernel::map,
    packet::{Packet, between},
    prepared,
    world::{EXEMPTIONS, POOLS, V4, V6, World, bare},
};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

const IPV4: IpNumber = IpNumber(4);
const IPV6: IpNumber = IpNumber(41);
const GRE: IpNumber = IpNumber(47);

/// The program with a policy whose interfaces have these tunnels.
fn loaded(interfaces: &str, options: LoadOptions) -> (Filter, Compiled) {
    let text = format!("version: 1\ninterfaces: [{interfaces}]\n{POOLS}{EXEMPTIONS}");
    let policy = match policy::parse("test.yaml", &text) {
        Ok(loaded) => loaded.policy,
        Err(report) => panic!("{text}\n{report}"),
    };
    let (compiled, description) = prepared(&policy);
    let filter = Filter::load(&compiled, &description, options).unwrap();
    (filter, compiled)
}

fn eth1(tunnels: &str) -> String {
    format!("{{ name: eth1, role: subscriber, tunnels: [{tunnels}] }}")
}

/// Claims every slot for the state of frames on the slow path, so that such a frame is not decided on.
fn claim_the_slow_path(filter: &mut Filter) {
    // `claimed`, the segment and a chunk of 40 bytes: another size is an error of the map.
    const SLOT: usize = 8 + size_of::<Segment>() + 40;
    let scratch = Map::PerCpuArray(map(filter, "SCRATCH"));
    let mut scratch = PerCpuArray::<_, [u8; SLOT]>::try_from(scratch).unwrap();
    let mut claimed = [0; SLOT];
    claimed[0] = 1;
    for slot in 0..scratch.len() {
        let values = vec![claimed; nr_cpus().unwrap()];
        let values = PerCpuValues::try_from(values).unwrap();
        scratch.set(slot, values, 0).unwrap();
    }
}

const UNDECIDED: values::Decision = values::Decision {
    reason: u32::MAX,
    verdict: u32::MAX,
    rule: u32::MAX,
};

/// What the program records of a frame; [`UNDECIDED`] for one that the slow path would decide on.
fn decision(filter: &mut Filter, frame: &[u8]) -> values::Decision {
    let decisions = Map::Array(map(filter, DECISION));
    let mut decisions = Array::<_, values::Decision>::try_from(decisions).unwrap();
    decisions.set(0, UNDECIDED, 0).unwrap();
    assert_eq!(filter.run(Role::Subscriber, frame).unwrap().0, XDP_PASS);
    decisions.get(&0, 0).unwrap()
}

#[test]
fn udp_to_another_port_than_l2tps_takes_the_fast_path_where_l2tp_is_enabled() {
    const NOT_TCP: values::Decision = values::Decision {
        reason: Reason::NotTcp as u32,
        verdict: Verdict::Pass as u32,
        rule: NO_RULE,
    };
    let options = LoadOptions {
        log: LogLevel::Off,
        trace: true,
    };
    let (mut filter, _) = loaded(&eth1("l2tp"), options);
    claim_the_slow_path(&mut filter);
    for world in [V4, V6] {
        for (port, expected) in [(53, NOT_TCP), (443, NOT_TCP), (1700, NOT_TCP), (1701, UNDECIDED)] {
            let frame = bare(&world.outbound().udp(port));
            assert_eq!(decision(&mut filter, &frame), expected, "{} {port}", world.name);
        }
        // From the port it is what a network server answers.
        let mut from = world.outbound().udp(443);
        let ports = from.header_length();
        from.bytes[ports..ports + 2].copy_from_slice(&1701_u16.to_be_bytes());
        assert_eq!(decision(&mut filter, &bare(&from)), NOT_TCP, "{}", world.name);
    }
    // A fragment does not show the port, nor does a packet that ends before it.
    let fragment = V4.outbound().v4_fragment(IpNumber::UDP, &[0; 16], 1, false);
    let short = V4.outbound().carrying(IpNumber::UDP, &[0; 3]);
    for packet in [fragment, short] {
        assert_eq!(decision(&mut filter, &bare(&packet)), UNDECIDED);
    }
}

/// A SYN to port 25 from the inner source, in a tunnel from the outer one.
fn tunnelled(outer: World, inner: World, inner_source: std::net::IpAddr) -> Packet {
    let syn = between(inner_source, inner.server).syn(25);
    let protocol = if inner.name == V4.name { IPV4 } else { IPV6 };
    outer.outbound().carrying(protocol, &syn.bytes)
}

#[test]
fn a_forged_inner_source_is_blocked_and_recorded_for_the_outer_subscriber() {
    let (mut filter, compiled) = loaded(&eth1("4in4, 6in4, 6in6"), LoadOptions::default());
    for packet in [
        tunnelled(V4, V4, V4.exempt),
        tunnelled(V4, V6, V6.exempt),
        tunnelled(V4, V4, V4.stranger),
    ] {
        let action = filter.run(Role::Subscriber, &bare(&packet)).unwrap().0;
        assert_eq!(action, XDP_DROP);
    }
    let records = filter.subscribers_v4(&compiled.record_index).unwrap();
    let [(address, record)] = &records[..] else {
        panic!("not one record: {records:?}")
    };
    assert_eq!(std::net::IpAddr::from(*address), V4.subscriber);
    assert_eq!(record.hot.blocked_syns, 3);
    assert!(filter.subscribers_v6().unwrap().is_empty());

    let packet = tunnelled(V6, V6, V6.exempt);
    assert_eq!(filter.run(Role::Subscriber, &bare(&packet)).unwrap().0, XDP_DROP);
    assert_eq!(filter.subscribers_v6().unwrap().len(), 1);
}

#[test]
fn an_interface_filters_inside_the_kind_of_gre_that_it_names_and_early_fragments_of_either() {
    const LOOPBACK: u32 = 1;
    let interfaces = "{ name: ip0, role: subscriber, tunnels: [gre] }, \
         { name: eth0, role: subscriber, tunnels: [eogre] }, { name: none0, role: subscriber }";
    let (mut filter, _) = loaded(interfaces, LoadOptions::default());
    let syn = V4.outbound().syn(25);
    let gre = |header: &[u8], payload: &[u8]| {
        let payload = [header, payload].concat();
        bare(&V4.foreign().carrying(GRE, &payload))
    };
    let ip = gre(&[0, 0, 0x08, 0x00], &syn.bytes);
    let ethernet = gre(&[0, 0, 0x65, 0x58], &bare(&syn));
    let fragment = bare(&V4.foreign().v4_fragment(GRE, &[0; 40], 2, true));
    let none = Interfaces::default();
    for (name, actions) in [
        ("ip0", [XDP_DROP, XDP_PASS, XDP_DROP]),
        ("eth0", [XDP_PASS, XDP_DROP, XDP_DROP]),
        ("none0", [XDP_PASS, XDP_PASS, XDP_PASS]),
    ] {
        filter.enter_tunnels(&[(name, LOOPBACK)], &none).unwrap();
        let mut run = |frame: &[u8]| filter.run(Role::Subscriber, frame).unwrap().0;
        assert_eq!(
            [&ip, &ethernet, &fragment].map(|frame| run(frame)),
            actions,
            "{name}"
        );
    }
}

#[test]
fn a_tunnel_in_a_tunnel_passes_where_one_of_both_is_not_enabled() {
    const LOOPBACK: u32 = 1;
    let interfaces = "{ name: both0, role: subscriber, tunnels: [4in4, gre] }, \
         { name: outer0, role: subscriber, tunnels: [4in4] }, { name: inner0, role: subscriber, tunnels: [gre] }";
    let (mut filter, _) = loaded(interfaces, LoadOptions::default());
    let syn = V4.outbound().syn(25);
    let gre = V4
        .foreign()
        .carrying(GRE, &[&[0, 0, 0x08, 0x00], &syn.bytes[..]].concat());
    let frame = bare(&V4.foreign().carrying(IPV4, &gre.bytes));
    let none = Interfaces::default();
    for (name, action) in [("both0", XDP_DROP), ("outer0", XDP_PASS), ("inner0", XDP_PASS)] {
        filter.enter_tunnels(&[(name, LOOPBACK)], &none).unwrap();
        assert_eq!(filter.run(Role::Subscriber, &frame).unwrap().0, action, "{name}");
    }
}
