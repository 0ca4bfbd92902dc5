//! Differences between interfaces: tunnels are filtered inside where they are enabled, and each role has its counters.

use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, LoadOptions, TestRunner},
    policy::{self, Role},
};

use op25b_common::Reason;

use crate::support::{
    NOT_TCP, blocked, check_counted,
    packet::{between, syn_header},
    prepared, runner,
    world::{POOLS, V4, WORLDS, bare},
};

const XDP_PASS: u32 = 2;

#[test]
fn tunnels_are_filtered_inside_only_where_the_interface_enables_it() {
    let text =
        format!("version: 1\ninterfaces: [{{ name: eth1, role: subscriber, tunnels: [4in4] }}]\n{POOLS}");
    let policy = policy::parse("test.yaml", &text).unwrap().policy;
    let (compiled, description) = prepared(&policy);
    let inner = V4.outbound().syn(25);
    let frame = bare(&V4.foreign().carrying(IpNumber(4), &inner.bytes));

    // A filter that is attached nowhere: test runs come in on an interface without tunnels.
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    assert_eq!(filter.run(Role::Subscriber, &frame).unwrap().0, XDP_PASS);

    let mut runner = TestRunner::load(&compiled, &description).unwrap();
    assert_eq!(runner.run(&frame).unwrap(), blocked(0));
    let (decision, _) = runner.run_from(Role::Uplink, &frame).unwrap();
    assert_eq!(decision, NOT_TCP);
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
