//! Events: which packets have them, what they show, and that many packets of one sender do not hide those of others.

mod fields;
mod off;
mod sampling;
mod sums;

use aya::{
    maps::{Map, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use op25b::datapath::{EventReader, Filter, LoadOptions};
use op25b_common::{
    event::{Allowance, PacketEvent},
    names::ALLOWANCES,
};

use crate::support::{filter, kernel::map};

/// A filter with events, and their reader.
fn loaded(sections: &str) -> (Filter, EventReader) {
    let mut filter = filter(sections, LoadOptions::default());
    let reader = filter.take_events().unwrap().expect("the policy has events");
    (filter, reader)
}

/// All events that there are now.
fn read(reader: &mut EventReader) -> Vec<PacketEvent> {
    std::iter::from_fn(|| reader.next()).collect()
}

/// Fills the token buckets of all CPUs.
fn fill_allowances(filter: &mut Filter) {
    let map = Map::PerCpuArray(map(filter, ALLOWANCES));
    let mut buckets = PerCpuArray::<_, u64>::try_from(map).unwrap();
    for allowance in Allowance::ALL {
        let full = PerCpuValues::try_from(vec![0; nr_cpus().unwrap()]).unwrap();
        buckets.set(allowance as u32, full, 0).unwrap();
    }
}
