//! The programs of op25b-ebpf/src/bench: one that drops everything, one that counts by source as well,
//! and one on the kernel's tries.

use anyhow::Context as _;
use aya::{
    Ebpf, Pod,
    maps::{
        MapData,
        lpm_trie::{Key, LpmTrie},
    },
    programs::XdpMode,
};
use std::net::IpAddr;

use super::Filter;
use crate::{programs, scenario::Scenario, veth::Pair};

pub struct Program(Ebpf);

impl Program {
    pub fn drop_all(pairs: &[&Pair]) -> anyhow::Result<Self> {
        Self(programs::load("empty_drop", &[])?).attached("empty_drop", pairs)
    }

    pub fn drop_and_record(pairs: &[&Pair]) -> anyhow::Result<Self> {
        Self(programs::load("drop_record", &[])?).attached("drop_record", pairs)
    }

    pub fn baseline(pair: &Pair, scenario: &Scenario) -> anyhow::Result<Self> {
        let exemptions = u32::try_from(scenario.exemptions.len()).context("very many exemptions")?;
        let sizes = [("EXEMPTIONS_V4", exemptions), ("EXEMPTIONS_V6", exemptions)];
        let mut ebpf = programs::load("baseline", &sizes)?;
        let family = scenario.family;
        let exempt = scenario
            .exemptions
            .iter()
            .map(|bits| (family.address(*bits), family.exempt_length()));
        match family.pool().0 {
            IpAddr::V4(_) => {
                fill(&mut ebpf, "POOLS_V4", [family.pool()].into_iter(), octets_v4)?;
                fill(&mut ebpf, "EXEMPTIONS_V4", exempt, octets_v4)?;
            }
            IpAddr::V6(_) => {
                fill(&mut ebpf, "POOLS_V6", [family.pool()].into_iter(), octets_v6)?;
                fill(&mut ebpf, "EXEMPTIONS_V6", exempt, octets_v6)?;
            }
        }
        Self(ebpf).attached("baseline", &[pair])
    }

    fn attached(mut self, name: &str, pairs: &[&Pair]) -> anyhow::Result<Self> {
        let program = programs::program(&mut self.0, name)?;
        for pair in pairs {
            program
                .attach(pair.receiver(), XdpMode::Driver)
                .with_context(|| format!("cannot attach {name}"))?;
        }
        Ok(self)
    }
}

impl Filter for Program {
    fn dropped(&self) -> anyhow::Result<u64> {
        programs::dropped(&self.0)
    }
}

fn fill<K: Pod>(
    ebpf: &mut Ebpf,
    map: &str,
    prefixes: impl Iterator<Item = (IpAddr, u8)>,
    octets: fn(IpAddr) -> Option<K>,
) -> anyhow::Result<()> {
    let data = ebpf
        .map_mut(map)
        .with_context(|| format!("there is no map {map}"))?;
    let mut trie = LpmTrie::<&mut MapData, K, u32>::try_from(data)?;
    for (index, (address, length)) in (0..).zip(prefixes) {
        let key = octets(address).context("an address of the other family")?;
        trie.insert(&Key::new(length.into(), key), index, 0)
            .with_context(|| format!("cannot fill {map}"))?;
    }
    Ok(())
}

fn octets_v4(address: IpAddr) -> Option<[u8; 4]> {
    match address {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    }
}

fn octets_v6(address: IpAddr) -> Option<[u8; 16]> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address.octets()),
    }
}
