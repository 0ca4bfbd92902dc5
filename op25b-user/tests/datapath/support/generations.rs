//! Filters that follow one another, in one process or in several, with their pins and records.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use aya::maps::{Array, Map, MapData};
use jiff::Timestamp;
use nix::mount::{MntFlags, umount2};
use op25b::{
    datapath::{Enforced, Filter, Interfaces, LoadOptions, MigratedRecords, Pins},
    policy::{RecordIndex, Role},
};
use op25b_common::{names::DESCRIPTION, values::Subscriber};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    packet::{between, syn_header},
    parse, prepared,
    world::{V4, V6, bare},
};

/// A place for pins that is gone with the value.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn pins(&self) -> PathBuf {
        self.0.path().join("pins")
    }

    /// A process that begins.
    pub fn process(&self) -> Process {
        Process {
            enforced: Enforced::new(Pins::take(&self.pins()).unwrap()),
            record_index: RecordIndex::default(),
        }
    }

    /// The directory of the only generation that is pinned.
    fn generation(&self) -> PathBuf {
        let mut generations = std::fs::read_dir(self.pins().join("generations")).unwrap();
        let path = generations.next().unwrap().unwrap().path();
        assert!(generations.next().is_none());
        path
    }

    /// Unpins a map.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.generation().join(name)).unwrap();
    }

    /// Pins a map, in place of another one of that name.
    pub fn put(&self, name: &str, map: &Map) {
        let path = self.generation().join(name);
        if path.exists() {
            self.remove(name);
        }
        let (Map::Array(map) | Map::LruHashMap(map) | Map::PerCpuArray(map)) = map else {
            panic!("{map:?} is none of records and counters")
        };
        map.pin(path).unwrap();
    }

    /// Changes the description of the generation, as if another version had loaded it.
    pub fn describe(&self, change: impl FnOnce(&mut Value)) {
        let map = MapData::from_pin(self.generation().join(DESCRIPTION)).unwrap();
        let mut chunks = Array::<_, [u8; 256]>::try_from(Map::Array(map)).unwrap();
        let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.unwrap()).collect();
        let text = String::from_utf8(bytes).unwrap();
        let mut described: Value = serde_json::from_str(text.trim_end_matches('\0')).unwrap();
        change(&mut described);
        let mut changed = serde_json::to_vec(&described).unwrap();
        assert!(changed.len() <= text.len());
        changed.resize(text.len(), 0);
        for (index, chunk) in (0..).zip(changed.chunks(256)) {
            chunks
                .set(index, <[u8; 256]>::try_from(chunk).unwrap(), 0)
                .unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The maps go with the file system that they are pinned in.
        let _ = umount2(&self.pins(), MntFlags::MNT_DETACH);
    }
}

/// Switches from filter to filter; what is pinned stays when it is dropped.
pub struct Process {
    pub enforced: Enforced,
    record_index: RecordIndex,
}

impl Process {
    /// Switches to a policy with these pools, attached nowhere.
    pub fn replace(&mut self, pools: &str) -> MigratedRecords {
        let (compiled, mut description) = prepared(&parse(pools));
        // The youngest is the latest.
        description.loaded_at = Timestamp::now();
        let reused = self.enforced.reusable(&compiled).unwrap();
        let filter = Filter::load_with(&compiled, &description, LoadOptions::default(), &reused).unwrap();
        let replacement = self
            .enforced
            .replace(filter, &Interfaces::default(), &[])
            .unwrap();
        assert!(replacement.cleanup_errors.is_empty(), "{replacement:?}");
        self.record_index = compiled.record_index;
        replacement.records
    }

    /// Sends SYNs to so many servers.
    pub fn send(&mut self, source: impl Into<IpAddr>, servers: u32) {
        let source = source.into();
        for server in 0..servers {
            let server = match V4.server {
                IpAddr::V4(first) if source.is_ipv4() => {
                    IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() + server))
                }
                _ => V6.server,
            };
            let frame = bare(&between(source, server).tcp(syn_header(25)));
            let filter = self.enforced.filter().unwrap();
            filter.run(Role::Subscriber, &frame).unwrap();
        }
    }

    pub fn v4(&mut self) -> Vec<(Ipv4Addr, Subscriber)> {
        let filter = self.enforced.filter().unwrap();
        filter.subscribers_v4(&self.record_index).unwrap()
    }

    pub fn v6(&mut self) -> Vec<(u64, Subscriber)> {
        self.enforced.filter().unwrap().subscribers_v6().unwrap()
    }
}

/// A policy's pools: one with these prefixes.
pub fn pools(prefixes: &str) -> String {
    format!("pools: [{{ name: p, prefixes: [{prefixes}] }}]\n")
}

/// The prefixes of the first policy, and addresses in them.
pub const FIRST: &str = "198.51.100.0/24, 203.0.113.0/28, 2001:db8:100::/40";
pub const ONE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub const OTHER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
pub const SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 7);

/// The same with more IPv6 subscribers than the array has records.
pub const WIDE: &str = "198.51.100.0/24, 203.0.113.0/28, 2001:d00::/24";

/// The blocked SYNs of each address.
pub fn blocked(records: &[(Ipv4Addr, Subscriber)]) -> Vec<(Ipv4Addr, u32)> {
    let records = records.iter();
    records
        .map(|(address, record)| (*address, record.hot.blocked_syns))
        .collect()
}

pub fn assert_nothing_is_reset(migrated: &MigratedRecords) {
    assert!(migrated.reset.is_empty(), "{migrated:?}");
}
