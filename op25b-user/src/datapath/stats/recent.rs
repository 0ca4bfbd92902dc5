//! The records of subscribers as the history and alerts read them: those that had packets lately, what exempt subscribers sent, and where
//! the current bucket begins.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::AsFd as _,
};

use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData, MapType},
};
use ipnet::IpNet;
use op25b_common::{
    names::{BUCKET, EXEMPT_SYNS, SUBSCRIBERS_LRU},
    values::Subscriber,
};

use super::{SubscriberRecords, record_layout::PlaceV6, subscribers::record_in_array};
use crate::datapath::sys::bpf::{
    self,
    map::{MapError, Shape},
};

/// The shape of the map with the beginning of the bucket. The next program shares it.
pub(crate) const BUCKET_SHAPE: Shape = Shape {
    kind: MapType::Array,
    key_size: 4,
    value_size: 4,
    max_entries: 1,
};

/// How many entries of a map are read with one system call.
const BATCH: usize = 4096;

/// The subscribers' records of one filter, for the thread that records the history.
pub(crate) struct RecentRecords {
    records: SubscriberRecords,
    bucket: Array<MapData, u32>,
    exempt: Map,
}

impl RecentRecords {
    pub(crate) fn new(
        records: SubscriberRecords,
        bucket: MapData,
        exempt: MapData,
    ) -> Result<Self, MapError> {
        let bucket = Array::try_from(Map::Array(bucket)).map_err(MapError::read(BUCKET))?;
        Ok(Self {
            records,
            bucket,
            exempt: Map::LruHashMap(exempt),
        })
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
        in_batches(
            SUBSCRIBERS_LRU,
            &self.records.lru,
            |prefix, record: Subscriber| {
                all += 1;
                if record.hot.last_seen >= since && record.cold.first_seen != 0 {
                    visit(self.records.net_v6(prefix), record);
                }
            },
        )?;
        Ok(all)
    }

    /// Visits the exempt subscribers that are counted, each with how many segments that open a connection it has sent since it is.
    pub(crate) fn each_exempt(&self, mut visit: impl FnMut(IpNet, u32)) -> Result<(), MapError> {
        in_batches(EXEMPT_SYNS, &self.exempt, |key, syns| {
            visit(self.exempt_net(key), syns);
        })
    }

    /// Forgets what was counted of exempt subscribers.
    pub(crate) fn forget_exempt(&mut self, which: impl Fn(IpNet) -> bool) -> Result<(), MapError> {
        let mut keys = Vec::new();
        in_batches(EXEMPT_SYNS, &self.exempt, |key, _: u32| {
            if which(self.exempt_net(key)) {
                keys.push(key);
            }
        })?;
        let failed = MapError::write::<aya::maps::MapError>(EXEMPT_SYNS);
        let mut map = HashMap::<&mut MapData, u64, u32>::try_from(&mut self.exempt).map_err(&failed)?;
        for key in keys {
            match map.remove(&key) {
                // It was evicted meanwhile.
                Err(aya::maps::MapError::KeyNotFound) => {}
                removed => removed.map_err(&failed)?,
            }
        }
        Ok(())
    }

    /// The subscriber with a key of [`EXEMPT_SYNS`].
    fn exempt_net(&self, key: u64) -> IpNet {
        match u32::try_from(key) {
            Ok(address) => IpAddr::from(Ipv4Addr::from_bits(address)).into(),
            Err(_) => self.records.net_v6(key),
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

/// Visits the entries of a hash map, in no order.
fn in_batches<V: Pod + Default>(
    name: &'static str,
    map: &Map,
    mut visit: impl FnMut(u64, V),
) -> Result<(), MapError> {
    let Map::LruHashMap(map) = map else {
        return Ok(());
    };
    let (mut keys, mut values) = (vec![0_u64; BATCH], vec![V::default(); BATCH]);
    let mut from = None;
    loop {
        let read = bpf::lookup_batch(map.fd().as_fd(), from, &mut keys, &mut values);
        let (count, next) = read.map_err(MapError::read::<io::Error>(name))?;
        for (key, value) in keys.iter().zip(&values).take(count) {
            visit(*key, *value);
        }
        match next {
            Some(_) => from = next,
            None => return Ok(()),
        }
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
