//! The records of subscribers as the history reads them: those that had packets lately, and where the current bucket begins.

use std::{io, net::IpAddr, os::fd::AsFd as _};

use aya::maps::{Array, HashMap, Map, MapData, MapType};
use ipnet::IpNet;
use op25b_common::{
    names::{BUCKET, SUBSCRIBERS_LRU},
    values::Subscriber,
};

use super::{SubscriberRecords, record_layout::PlaceV6, subscribers::record_in_array};
use crate::datapath::sys::{
    bpf,
    map::{MapError, Shape},
};

/// The shape of the map with the beginning of the bucket. The next program shares it.
pub(crate) const BUCKET_SHAPE: Shape = Shape {
    kind: MapType::Array,
    key_size: 4,
    value_size: 4,
    max_entries: 1,
};

/// How many records of the LRU map are read with one system call.
const BATCH: usize = 4096;

/// The subscribers' records of one filter, for the thread that records the history.
pub(crate) struct RecentRecords {
    records: SubscriberRecords,
    bucket: Array<MapData, u32>,
}

impl RecentRecords {
    pub(crate) fn new(records: SubscriberRecords, bucket: MapData) -> Result<Self, MapError> {
        let bucket = Array::try_from(Map::Array(bucket)).map_err(MapError::read(BUCKET))?;
        Ok(Self { records, bucket })
    }

    /// Begins a bucket: the first packet of a subscriber at this time, as [`op25b_common::values::Hot::last_seen`], or later begins another
    /// sketch. With 0 none does.
    pub(crate) fn begin_bucket(&mut self, begin: u32) -> Result<(), MapError> {
        self.bucket.set(0, begin, 0).map_err(MapError::write(BUCKET))
    }

    /// Visits the subscribers that had a packet at a time or later. Returns how many records the LRU map has.
    pub(crate) fn each_since(
        &self,
        since: u32,
        mut visit: impl FnMut(IpNet, Subscriber),
    ) -> Result<u64, MapError> {
        self.records.each_in_array_since(since, &mut visit)?;
        let mut all = 0;
        let Map::LruHashMap(map) = &self.records.lru else {
            return Ok(all);
        };
        let (mut keys, mut values) = (vec![0_u64; BATCH], vec![Subscriber::default(); BATCH]);
        let mut from = None;
        loop {
            let read = bpf::lookup_batch(map.fd().as_fd(), from, &mut keys, &mut values);
            let (count, next) = read.map_err(MapError::read::<io::Error>(SUBSCRIBERS_LRU))?;
            all += count as u64;
            for (prefix, record) in keys.iter().zip(&values).take(count) {
                if record.hot.last_seen >= since && record.cold.first_seen != 0 {
                    visit(self.records.net_v6(*prefix), *record);
                }
            }
            match next {
                Some(_) => from = next,
                None => return Ok(all),
            }
        }
    }

    /// The record of a subscriber, if it has one.
    pub(crate) fn of(&self, subscriber: IpNet) -> Result<Option<Subscriber>, MapError> {
        let SubscriberRecords {
            layout, array, lru, ..
        } = &self.records;
        let index = match subscriber.network() {
            IpAddr::V4(address) => layout.ipv4.record_of(address.to_bits().into()),
            IpAddr::V6(address) => {
                let prefix = (address.to_bits() >> 64) as u64;
                match layout.place_v6(prefix) {
                    Some(PlaceV6::Array(index)) => Some(index),
                    Some(PlaceV6::Lru) => return record_in_lru_map(lru, prefix),
                    None => None,
                }
            }
        };
        index.map_or(Ok(None), |index| record_in_array(array, index))
    }

    /// The length of IPv6 subscribers' prefixes.
    pub(crate) fn ipv6_prefix(&self) -> u8 {
        self.records.ipv6_prefix()
    }
}

/// The record of the IPv6 subscriber with these first 64 bits, if it has one in the LRU map.
fn record_in_lru_map(map: &Map, prefix: u64) -> Result<Option<Subscriber>, MapError> {
    let failed = MapError::read::<aya::maps::MapError>(SUBSCRIBERS_LRU);
    let map = HashMap::<&MapData, u64, Subscriber>::try_from(map).map_err(&failed)?;
    match map.get(&prefix, 0) {
        Ok(record) => Ok((record.cold.first_seen != 0).then_some(record)),
        Err(aya::maps::MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
