//! Differences between interfaces: tunnels are filtered inside where they are enabled, and each role has its counters.

use std::process::Command;

use etherparse::IpNumber;
use op25b::{
    datapath::{Description, Filter, Interface, Interfaces, LoadOptions, TestRunner},
    policy::{self, Compiled, Role},
};

use op25b_common::Reason;

use crate::support::{
    NOT_TCP, blocked, check_counted, in_a_namespace, kernel,
    packet::{between, syn_header},
    prepared, runner,
    world::{POOLS, V4, WORLDS, bare},
};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Linux `LOOPBACK_IFINDEX`.
const LOOPBACK: u32 = 1;

/// A policy in which one subscriber interface has tunnels and another has none, and a SYN in such a tunnel.
fn tunnelled() -> (Compiled, Description, Vec<u8>) {
    let text = format!(
        "version: 1\n\
         interfaces: [{{ name: lag0, role: subscriber, tunnels: [4in4] }}, {{ name: eth9, role: subscriber }}]\n\
         {POOLS}"
    );
    let policy = policy::parse("test.yaml", &text).unwrap().policy;
    let (compiled, description) = prepared(&policy);
    let inner = V4.outbound().syn(25);
    let frame = bare(&V4.foreign().carrying(IpNumber(4), &inner.bytes));
    (compiled, description, frame)
}

fn interface(name: &str, index: u32, master: Option<u32>) -> Interface {
    Interface {
        name: name.into(),
        index,
        master,
        ..Interface::default()
    }
}

#[test]
fn tunnels_are_filtered_inside_only_where_the_interface_enables_it() {
    let (compiled, description, frame) = tunnelled();
    // Test runs come in on the loopback interface.
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let none = Interfaces::default();
    for (name, action) in [("eth9", XDP_PASS), ("lag0", XDP_DROP)] {
        filter.enter_tunnels(&[(name, LOOPBACK)], &none).unwrap();
        assert_eq!(filter.run(Role::Subscriber, &frame).unwrap().0, action, "{name}");
    }

    let mut runner = TestRunner::load(&compiled, &description).unwrap();
    assert_eq!(runner.run(&frame).unwrap(), blocked(0));
    let (decision, _) = runner.run_from(Role::Uplink, &frame).unwrap();
    assert_eq!(decision, NOT_TCP);
}

/// A bond in native mode runs the program on its ports, and a packet shows the port's index.
#[test]
fn tunnels_of_a_bond_are_filtered_inside_on_its_ports_however_ports_come_and_go() {
    let (compiled, description, frame) = tunnelled();
    in_a_namespace(move || {
        let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
        let [port, other] = two_interfaces();
        let (bond, eth9) = (9_000, 9_001);
        let attached = [("lag0", bond), ("eth9", eth9)];
        let actions = |filter: &mut Filter| {
            let program = filter.program_info(Role::Subscriber).unwrap();
            [port, other].map(|index| kernel::run_on(&program, &frame, index))
        };
        let all = |first, second| {
            let lag0 = interface("lag0", bond, None);
            let ports = [interface("port", port, first), interface("other", other, second)];
            [lag0].into_iter().chain(ports).collect::<Interfaces>()
        };

        // A port of which the filter has not heard yet leaves no gap.
        filter.enter_tunnels(&attached, &all(None, None)).unwrap();
        assert_eq!(actions(&mut filter), [XDP_DROP, XDP_DROP]);
        // A port of the interface without tunnels is not looked into.
        filter
            .enter_tunnels(&attached, &all(Some(bond), Some(eth9)))
            .unwrap();
        assert_eq!(actions(&mut filter), [XDP_DROP, XDP_PASS]);
        // The ports change places.
        filter
            .enter_tunnels(&attached, &all(Some(eth9), Some(bond)))
            .unwrap();
        assert_eq!(actions(&mut filter), [XDP_PASS, XDP_DROP]);
    });
}

/// The indices of two new interfaces in this network namespace.
fn two_interfaces() -> [u32; 2] {
    let add = ["link", "add", "one", "type", "veth", "peer", "name", "two"];
    assert!(Command::new("ip").args(add).status().unwrap().success());
    ["one", "two"].map(|name| nix::net::if_::if_nametoindex(name).unwrap())
}

#[test]
fn what_comes_from_the_internet_is_counted_apart_from_what_subscribers_send() {
    let mut runner = runner(POOLS);
    let roles = [Role::Subscriber, Role::Uplink];
    let before = roles.map(|role| runner.counters(role).unwrap());
    for world in WORLDS {
        // A server's answers to SYNs with forged sources: to an address in a pool, and to one in none.
        for to in [world.subscriber, world.stranger] {
            let mut header = syn_header(40_000);
            (header.source_port, header.ack) = (25, true);
            let frame = bare(&between(world.server, to).tcp(header));
            runner.run_from(Role::Uplink, &frame).unwrap();
        }
        runner
            .run_from(Role::Subscriber, &bare(&world.outbound().syn(25)))
            .unwrap();
    }
    let [subscriber, uplink] = roles.map(|role| runner.counters(role).unwrap());
    check_counted(&before[0], &subscriber, [Reason::Blocked; 2].into_iter());
    let expected = [Reason::Blocked, Reason::NotPooled].repeat(2);
    check_counted(&before[1], &uplink, expected.into_iter());
}
