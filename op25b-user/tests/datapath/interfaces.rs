//! Are tunnels looked into on those interfaces only that ask for it?

use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, LoadOptions, TestRunner},
    policy::{self, Role},
};

use crate::support::{
    NOT_TCP, blocked, prepared,
    world::{POOLS, V4, bare},
};

const XDP_PASS: u32 = 2;

#[test]
fn tunnels_are_looked_into_only_where_the_interface_asks_for_it() {
    let text =
        format!("version: 1\ninterfaces: [{{ name: eth1, role: subscriber, tunnels: [4in4] }}]\n{POOLS}");
    let policy = policy::parse("test.yaml", &text).unwrap().policy;
    let (compiled, description) = prepared(&policy);
    let inner = V4.outbound().syn(25);
    let frame = bare(&V4.foreign().carrying(IpNumber(4), &inner.bytes));

    // A filter that is attached nowhere: test runs come in on an interface that asked for nothing.
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    assert_eq!(filter.run(Role::Subscriber, &frame).unwrap().0, XDP_PASS);

    let mut runner = TestRunner::load(&compiled, &description).unwrap();
    assert_eq!(runner.run(&frame).unwrap(), blocked(0));
    let (decision, _) = runner.judge(Role::Uplink, &frame).unwrap();
    assert_eq!(decision, NOT_TCP);
}
