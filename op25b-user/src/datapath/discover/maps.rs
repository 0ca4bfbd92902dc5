//! Opens the maps of a loaded program by their names and reads them.

use aya::{
    maps::{Map, MapData, MapInfo},
    programs::ProgramInfo,
};
use op25b_common::names::{ANSWER_COUNTS, COUNTERS, DESCRIPTION, MISSES_V6, NOT_IP, POOL_COUNTERS};

use super::found::{DiscoverError, FoundFilter, FoundInterface};
use crate::datapath::{
    object::{Described, Description, Layout},
    stats::{
        CounterTable, NotIpByIndex, PoolCounts, PoolStarts, RecordLayout, SubscriberRecords, answer_counts,
    },
    sys::bpf::{
        map::{self, MapError, MapOp},
        possible_cpus::possible_cpus,
    },
};

/// Why this op25b cannot read a filter's maps: the filter is of another version.
pub(super) type Unreadable = String;

/// The maps of one program.
pub(super) struct Maps {
    program_id: u32,
    all: Vec<(u32, MapInfo)>,
}

impl Maps {
    pub(super) fn of(program: &ProgramInfo) -> Result<Self, DiscoverError> {
        let program_id = program.id();
        let ids = program.map_ids()?.unwrap_or_default();
        let all = ids
            .into_iter()
            .map(|id| match MapInfo::from_id(id) {
                Ok(info) => Ok((id, info)),
                Err(source) => Err(MapError {
                    op: MapOp::Read,
                    name: id.to_string().into(),
                    source,
                }),
            })
            .collect::<Result<_, _>>()
            .map_err(|source| DiscoverError::Maps { program_id, source })?;
        Ok(Self { program_id, all })
    }

    /// The id of the map of this name, which all programs of a filter share.
    pub(super) fn id(&self, name: &str) -> Option<u32> {
        let mut all = self.all.iter();
        all.find(|(_, info)| info.name_as_str() == Some(name))
            .map(|(id, _)| *id)
    }

    fn open(&self, name: &'static str) -> Result<Result<MapData, Unreadable>, DiscoverError> {
        let Some(id) = self.id(name) else {
            return Ok(Err(format!("it has no map {name}")));
        };
        let opened = MapData::from_id(id).map_err(MapError::read(name));
        opened.map(Ok).map_err(|source| DiscoverError::Maps {
            program_id: self.program_id,
            source,
        })
    }

    /// Reads the filter's description, counters and records.
    pub(super) fn read(
        &self,
        interfaces: &[FoundInterface],
    ) -> Result<Result<FoundFilter, Unreadable>, DiscoverError> {
        let (description, counters) = match (self.open(DESCRIPTION)?, self.open(COUNTERS)?) {
            (Ok(description), Ok(counters)) => (description, counters),
            (Err(unreadable), _) | (_, Err(unreadable)) => return Ok(Err(unreadable)),
        };
        let read = || -> Result<FoundFilter, Unreadable> {
            let Described {
                description,
                layout,
                records,
                pool_slots,
            } = Described::read(description).map_err(unreadable)?;
            let counters =
                CounterTable::read(&Map::PerCpuArray(counters), &layout.counters()).map_err(unreadable)?;
            Ok(FoundFilter {
                pool_starts: self.pool_starts(&description),
                pools: self.counts(&layout, POOL_COUNTERS).and_then(|map| {
                    let pools = description.pools.iter().map(|pool| pool.name.as_str());
                    PoolCounts::read(&map, &pool_slots, pools).ok()
                }),
                answers: self
                    .counts(&layout, ANSWER_COUNTS)
                    .and_then(|map| answer_counts(&map).ok()),
                interfaces: interfaces.to_vec(),
                description,
                counters,
                not_ip: self.not_ip(),
                map_bytes: self.bytes()?,
                records: self.records(records),
            })
        };
        Ok(read())
    }

    /// Bytes of kernel memory that they take, about.
    fn bytes(&self) -> Result<u64, Unreadable> {
        let possible_cpus = possible_cpus().map_err(unreadable)?;
        let all = self.all.iter().map(|(_, info)| map::bytes(info, possible_cpus));
        Ok(all.sum())
    }

    /// From when on each pool is enforced. Another version's classes may be laid out otherwise.
    fn pool_starts(&self, description: &Description) -> Option<PoolStarts> {
        let is_of_this_version = description.version == env!("CARGO_PKG_VERSION");
        let open = |name| -> anyhow::Result<MapData> { self.open(name)?.map_err(anyhow::Error::msg) };
        is_of_this_version.then(|| PoolStarts::read(&description.pools, open).ok())?
    }

    /// A per-CPU map of what is counted; none if it is not counted as in this version.
    fn counts(&self, layout: &Layout, name: &'static str) -> Option<Map> {
        let map = layout.is_ours().then(|| self.open(name).ok()?.ok())??;
        Some(Map::PerCpuArray(map))
    }

    /// The frames that were not IP; none if the version that loaded the filter does not count them.
    fn not_ip(&self) -> NotIpByIndex {
        let map = self.open(NOT_IP).ok().and_then(Result::ok);
        let frames = map.and_then(|map| NotIpByIndex::read(&Map::PerCpuHashMap(map)).ok());
        frames.unwrap_or_default()
    }

    /// The subscribers' records, if this version of op25b can read their layout.
    fn records(&self, layout: Option<RecordLayout>) -> Option<SubscriberRecords> {
        let layout = layout.filter(RecordLayout::has_current_records)?;
        let open = |name| self.open(name).ok()?.ok();
        Some(SubscriberRecords {
            array: open(layout.array_name())?,
            lru: Map::LruHashMap(open(layout.lru_name())?),
            misses: Map::PerCpuArray(open(MISSES_V6)?),
            layout,
        })
    }
}

/// An error with all its sources.
fn unreadable(error: impl Into<anyhow::Error>) -> Unreadable {
    format!("{:#}", error.into())
}
