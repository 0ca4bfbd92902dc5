//! Reads what the program of a filter has counted, and how much memory its maps take.

use std::net::Ipv4Addr;

use aya::maps::{Map, MapData, PerCpuHashMap};
use ipnet::IpNet;
use op25b_common::{
    names::{
        ANSWER_COUNTS, BUCKET, COUNTERS, EVENT_COUNTS, EXEMPT_SYNS, MISSES_V6, NOT_IP, POOL_COUNTERS,
        SUBSCRIBERS, SUBSCRIBERS_LRU,
    },
    not_ip::NotIpFrames,
    values::Subscriber,
};

use super::{description::PoolSummary, error::LoadError, filter::Filter, layout::Layout, maps};
use crate::{
    datapath::{
        stats::{
            AnswerCount, CounterTable, Counters, Misses, NotIpByIndex, PoolCounts, PoolStarts, RecentRecords,
            SubscriberRecords, answer_counts, misses_v6, records_in_array, records_in_lru_map,
        },
        sys::bpf::{
            map::{self, MapError},
            possible_cpus::possible_cpus,
        },
    },
    policy::{RecordIndex, Role},
};

impl Filter {
    /// The packets counted so far on interfaces of this role.
    pub fn counters(&self, role: Role) -> Result<Counters, LoadError> {
        Ok(self.counter_table()?.of(role))
    }

    /// The packets counted so far, by interface.
    pub fn counter_table(&self) -> Result<CounterTable, LoadError> {
        Ok(CounterTable::read(
            self.map(COUNTERS)?,
            &Layout::current().counters(),
        )?)
    }

    /// The packets counted so far, by pool.
    pub fn pool_counts(&self) -> Result<PoolCounts, LoadError> {
        let pools = self.pools.iter().map(String::as_str);
        Ok(PoolCounts::read(
            self.map(POOL_COUNTERS)?,
            &self.pool_slots,
            pools,
        )?)
    }

    /// Adds what was counted in a map that this filter does not share.
    pub(crate) fn add_migrated_counters(&mut self, counters: &CounterTable) -> Result<(), LoadError> {
        Ok(counters.add_migrated_to(maps::map_mut(self.ebpf_mut(), COUNTERS)?)?)
    }

    /// The replies to rejected packets.
    pub fn answer_counts(&self) -> Result<Vec<AnswerCount>, LoadError> {
        Ok(answer_counts(self.map(ANSWER_COUNTS)?)?)
    }

    /// The IPv4 addresses that have a record, in ascending order by pool.
    pub fn subscribers_v4(
        &self,
        record_index: &RecordIndex,
    ) -> Result<Vec<(Ipv4Addr, Subscriber)>, LoadError> {
        let mut found = Vec::new();
        let map = maps::array(self.ebpf(), SUBSCRIBERS)?;
        records_in_array(map, record_index, 0, |number, subscriber| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the number of IPv4 is the address"
            )]
            let address = Ipv4Addr::from_bits(number as u32);
            found.push((address, subscriber));
        })?;
        Ok(found)
    }

    /// The IPv6 prefixes that have a record, each as its first 64 bits: those in the array in ascending order, then those in the LRU map in
    /// none.
    pub fn subscribers_v6(&self) -> Result<Vec<(u64, Subscriber)>, LoadError> {
        let mut found = Vec::new();
        let map = maps::array(self.ebpf(), SUBSCRIBERS)?;
        records_in_array(map, &self.records.ipv6_index, 0, |number, subscriber| {
            found.push((self.records.prefix_v6(number), subscriber));
        })?;
        records_in_lru_map(
            SUBSCRIBERS_LRU,
            self.map(SUBSCRIBERS_LRU)?,
            |prefix, subscriber| {
                found.push((prefix, subscriber));
            },
        )?;
        Ok(found)
    }

    /// The subscribers' records, for a thread of its own.
    pub(crate) fn subscriber_records(&self) -> Result<SubscriberRecords, LoadError> {
        Ok(SubscriberRecords {
            layout: self.records.clone(),
            array: self.shared_map(SUBSCRIBERS)?,
            lru: Map::LruHashMap(self.shared_map(SUBSCRIBERS_LRU)?),
            misses: Map::PerCpuArray(self.shared_map(MISSES_V6)?),
        })
    }

    /// The same for the thread that records the history.
    pub(crate) fn recent_records(&self) -> Result<RecentRecords, LoadError> {
        let [bucket, exempt] = [self.shared_map(BUCKET)?, self.shared_map(EXEMPT_SYNS)?];
        Ok(RecentRecords::new(self.subscriber_records()?, bucket, exempt)?)
    }

    /// The exempt subscribers that are counted, each with how many segments that open a connection it has sent since it is.
    pub fn exempt_syns(&self) -> Result<Vec<(IpNet, u32)>, LoadError> {
        let mut found = Vec::new();
        let records = self.recent_records()?;
        records.each_exempt(|subscriber, syns| found.push((subscriber, syns)))?;
        Ok(found)
    }

    /// Begins a bucket of the history, as `RecentRecords::begin_bucket`.
    pub fn begin_bucket(&self, begin: u32) -> Result<(), LoadError> {
        Ok(self.recent_records()?.begin_bucket(begin)?)
    }

    /// A map with a file descriptor of its own.
    pub(crate) fn shared_map(&self, name: &'static str) -> Result<MapData, LoadError> {
        let fd = self.map_fd(name)?.try_clone_to_owned();
        let fd = fd.map_err(MapError::read(name))?;
        Ok(MapData::from_fd(fd).map_err(MapError::read(name))?)
    }

    /// The counters of events, which can be read after this filter was replaced.
    pub(crate) fn event_counts_map(&self) -> Result<Map, LoadError> {
        Ok(Map::PerCpuArray(self.shared_map(EVENT_COUNTS)?))
    }

    /// How often IPv6 packets found no record.
    pub fn misses_v6(&self) -> Result<Misses, LoadError> {
        Ok(misses_v6(self.map(MISSES_V6)?)?)
    }

    /// From when on each of these pools of its description is enforced, by the maps in the kernel.
    pub fn pool_starts(&self, pools: &[PoolSummary]) -> Result<PoolStarts, LoadError> {
        PoolStarts::read(pools, |name| self.shared_map(name))
    }

    /// The frames that were not IP.
    pub fn not_ip(&self) -> Result<NotIpByIndex, LoadError> {
        Ok(NotIpByIndex::read(self.map(NOT_IP)?)?)
    }

    /// Forgets the frames of an interface that does not exist any more, so that there is room for those of others.
    pub(crate) fn forget_not_ip(&mut self, index: u32) -> Result<(), LoadError> {
        let failed = MapError::write(NOT_IP);
        let map = maps::map_mut(self.ebpf_mut(), NOT_IP)?;
        let mut map = PerCpuHashMap::<&mut MapData, u32, NotIpFrames>::try_from(map).map_err(&failed)?;
        Ok(map.remove(&index).map_err(failed)?)
    }

    /// Bytes of kernel memory that the maps take, about.
    pub fn map_bytes(&self) -> Result<u64, LoadError> {
        let possible_cpus = possible_cpus()?;
        let mut bytes = 0;
        for (name, map) in self.ebpf().maps() {
            if let Some(data) = maps::data(map) {
                let info = data.info().map_err(|source| MapError {
                    op: map::MapOp::Read,
                    name: name.to_owned().into(),
                    source,
                })?;
                bytes += map::bytes(&info, possible_cpus);
            }
        }
        Ok(bytes)
    }
}
