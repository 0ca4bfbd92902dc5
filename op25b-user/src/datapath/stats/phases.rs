//! The phases of pools, looked up as the program does it.

use std::net::IpAddr;

use aya::{
    Pod,
    maps::{
        Array, Map, MapData,
        lpm_trie::{Key, LpmTrie},
    },
};
use op25b_common::{
    keys::{AddressV4, AddressV6, DestinationKey},
    names::{DESTINATIONS_V4, DESTINATIONS_V6, PHASES},
    values::{DestinationEntry, Phases, RuleIndex, UnixSeconds},
};

use crate::datapath::sys::bpf::map::MapError;

/// The maps of the phases.
pub(crate) struct PhaseTables {
    phases: Array<MapData, Phases>,
    v4: LpmTrie<MapData, DestinationKey<AddressV4>, DestinationEntry>,
    v6: LpmTrie<MapData, DestinationKey<AddressV6>, DestinationEntry>,
}

/// What the phases of a pool say of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PhaseStart {
    /// From when on connections to it are blocked.
    pub(crate) from: UnixSeconds,
    /// The place of the phase in the pool's list.
    pub(crate) place: RuleIndex,
}

impl PhaseTables {
    /// Opens the maps by their names.
    pub(crate) fn open<E: From<MapError>>(
        open: impl Fn(&'static str) -> Result<MapData, E>,
    ) -> Result<Self, E> {
        let phases = Map::Array(open(PHASES)?);
        Ok(Self {
            phases: Array::try_from(phases).map_err(MapError::read(PHASES))?,
            v4: trie(open(DESTINATIONS_V4)?, DESTINATIONS_V4)?,
            v6: trie(open(DESTINATIONS_V6)?, DESTINATIONS_V6)?,
        })
    }

    /// From when on any of the phases of this number applies.
    pub(crate) fn begins(&self, number: u32) -> Result<UnixSeconds, MapError> {
        Ok(self.read(number)?.from)
    }

    /// What the phases of this number say of a destination; none if none of them has it.
    pub(crate) fn of(&self, number: u32, destination: IpAddr) -> Result<Option<PhaseStart>, MapError> {
        let Phases { from, destinations } = self.read(number)?;
        let entry = match destination {
            IpAddr::V4(address) => get(&self.v4, DESTINATIONS_V4, destinations, address.octets())?,
            IpAddr::V6(address) => get(&self.v6, DESTINATIONS_V6, destinations, address.octets())?,
        };
        Ok(entry.map(|entry| PhaseStart {
            from: entry.until.max(from),
            place: entry.rule,
        }))
    }

    fn read(&self, number: u32) -> Result<Phases, MapError> {
        self.phases.get(&number, 0).map_err(MapError::read(PHASES))
    }
}

fn trie<A>(
    map: MapData,
    name: &'static str,
) -> Result<LpmTrie<MapData, DestinationKey<A>, DestinationEntry>, MapError>
where
    DestinationKey<A>: Pod,
{
    LpmTrie::try_from(Map::LpmTrie(map)).map_err(MapError::read(name))
}

fn get<A>(
    trie: &LpmTrie<MapData, DestinationKey<A>, DestinationEntry>,
    name: &'static str,
    set: u32,
    address: A,
) -> Result<Option<DestinationEntry>, MapError>
where
    DestinationKey<A>: Pod,
{
    let key = DestinationKey::new(set, address);
    let bits = u32::try_from(size_of::<DestinationKey<A>>() * 8).unwrap_or(u32::MAX);
    match trie.get(&Key::new(bits, key), 0) {
        Ok(entry) => Ok(Some(entry)),
        Err(aya::maps::MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(MapError::read(name)(error)),
    }
}
