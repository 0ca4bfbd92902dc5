//! The sketch of a record is that of the current bucket of the history.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use op25b::{
    datapath::{Filter, LoadOptions, clock},
    policy::{RecordIndex, Role},
};
use op25b_common::values::Subscriber;

use crate::support::{
    packet::{between, syn_header},
    parse, prepared,
    world::{WORLDS, World, bare, policy},
};

/// The present time as records have it.
fn now() -> u32 {
    u32::try_from(clock::since_boot().unwrap() / 1_000_000_000).unwrap() + 1
}

/// The records of both families, IPv4 first.
fn records(filter: &Filter, record_index: &RecordIndex) -> [Subscriber; 2] {
    [
        filter.subscribers_v4(record_index).unwrap()[0].1,
        filter.subscribers_v6().unwrap()[0].1,
    ]
}

/// SYNs of each family's subscriber to this many servers.
fn send(filter: &mut Filter, servers: u8) {
    let destination = |world: &World, number: u8| match world.server {
        IpAddr::V4(address) => IpAddr::from((address.to_bits() + u32::from(number)).to_be_bytes()),
        IpAddr::V6(address) => IpAddr::from((address.to_bits() + u128::from(number)).to_be_bytes()),
    };
    for world in WORLDS {
        for number in 0..servers {
            let ends = between(world.subscriber, destination(&world, number));
            let frame = bare(&ends.tcp(syn_header(25)));
            filter.run(Role::Subscriber, &frame).unwrap();
        }
    }
}

#[test]
fn the_first_packet_in_a_bucket_begins_another_sketch_and_counts_go_on() {
    let (compiled, description) = prepared(&parse(&policy("")));
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let record_index = compiled.record_index;
    send(&mut filter, 20);
    for record in records(&filter, &record_index) {
        assert!(record.hot.destinations.count_ones() > 10, "{record:?}");
    }
    let begin = now() + 1;
    filter.begin_bucket(begin).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while now() < begin {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    // Until the next tick of the kernel's timer a CPU has the time before.
    thread::sleep(Duration::from_millis(20));
    send(&mut filter, 1);
    let first = records(&filter, &record_index);
    send(&mut filter, 2);
    for (first, second) in first.iter().zip(records(&filter, &record_index)) {
        assert_eq!(first.hot.destinations.count_ones(), 1, "{first:?}");
        assert_eq!(
            second.hot.destinations & first.hot.destinations,
            first.hot.destinations
        );
        assert!(second.hot.destinations.count_ones() <= 2, "{second:?}");
        assert_eq!(second.hot.blocked_syns, 23);
        assert!(second.cold.first_seen < second.hot.last_seen);
    }
}
