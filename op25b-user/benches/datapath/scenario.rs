//! Random policies and sources, the same in each run.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use op25b::{
    exemption::Terms,
    policy::{Exemption, Origin, Policy},
};
use serde::Serialize;
use ulid::Ulid;

use crate::programs;

/// How many sources there are; the generator in op25b-ebpf/src/bench has a table of this size.
pub const SOURCES: u32 = 1 << 16;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Family {
    /// `IPv4`.
    #[serde(rename = "IPv4")]
    V4,
    /// `IPv6`.
    #[serde(rename = "IPv6")]
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// One in the pool that is no source of a dense scenario and not exempt there.
    pub fn offender(self, number: u32) -> IpAddr {
        /// After all dense sources and the blocks between them.
        const FIRST: u32 = 1 << 23;
        self.address(self.subscriber(FIRST + number))
    }

    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The pool that all sources are in: its address and length.
    pub fn pool(self) -> (IpAddr, u8) {
        match self {
            Self::V4 => (Ipv4Addr::new(10, 0, 0, 0).into(), 8),
            Self::V6 => (self.address(0), 32),
        }
    }

    /// The length of an exemption's prefix.
    pub fn exempt_length(self) -> u8 {
        match self {
            Self::V4 => 29,
            Self::V6 => 56,
        }
    }

    /// The bits after an exemption's prefix, of the 32 in which addresses differ.
    fn subscriber_bits(self) -> u32 {
        match self {
            Self::V4 => 32 - 29,
            Self::V6 => 64 - 56,
        }
    }

    /// How many subscribers an exemption's prefix has.
    fn subscribers_in_block(self) -> u32 {
        match self {
            Self::V4 => 1 << self.subscriber_bits(),
            Self::V6 => 1,
        }
    }

    /// The bits of one of the pool's 2²⁴ subscribers: its IPv4 address, or the second 32 bits of its /56.
    fn subscriber(self, number: u32) -> u32 {
        match self {
            Self::V4 => 10 << 24 | number,
            Self::V6 => number << self.subscriber_bits(),
        }
    }

    /// The bits of any subscriber.
    fn bits(self, random: &mut fastrand::Rng) -> u32 {
        self.subscriber(random.u32(..1 << 24))
    }

    /// The address, or for `IPv6` the /56's first one, with these bits.
    pub fn address(self, bits: u32) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from(bits).into(),
            Self::V6 => Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(bits) << 64).into(),
        }
    }
}

/// Where in the pool the sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Side by side, as the subscribers of one router are; every second block of them is exempt, as far as exemptions go.
    Dense,
    /// Anywhere in the whole pool, more scattered than real ones: hardly two of them share a page of memory.
    Scattered,
    /// Side by side, but few do nearly everything: 95 % of the frames come from 50 of them, from the first twice as often as
    /// from the second, three times as often as from the third (Zipf's law), the rest from all others in turn.
    Zipf,
}

impl Spread {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Scattered => "scattered",
            Self::Zipf => "Zipf",
        }
    }
}

/// Whether the policy has events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// It has.
    On,
    /// It has none.
    Off,
}

/// Who sends, and who may.
#[derive(Debug)]
pub struct Scenario {
    /// Of which family.
    pub family: Family,
    /// The bits of every sender; none of them is exempt.
    pub sources: Vec<u32>,
    /// The bits of each exemption's first address.
    pub exemptions: Vec<u32>,
}

impl Scenario {
    /// Draws the sources first, and then exemptions that hold none of them.
    pub fn draw(family: Family, exemptions: u32, spread: Spread) -> Self {
        let mut random = fastrand::Rng::with_seed(25);
        let block = |bits: u32| bits >> family.subscriber_bits();
        let mut drawn = Vec::new();
        let sources: Vec<u32> = match spread {
            Spread::Scattered => (0..SOURCES).map(|_| family.bits(&mut random)).collect(),
            Spread::Dense | Spread::Zipf => {
                let size = family.subscribers_in_block();
                let blocks = (0..SOURCES / size).map(|number| 2 * number);
                let mut sources: Vec<u32> = blocks
                    .clone()
                    .flat_map(|block| (0..size).map(move |place| family.subscriber(block * size + place)))
                    .collect();
                random.shuffle(&mut sources);
                let exempt = blocks.map(|block| family.subscriber((block + 1) * size));
                drawn.extend(exempt.take(exemptions as usize));
                if spread == Spread::Zipf {
                    by_zipf(&mut sources, &mut random);
                }
                sources
            }
        };
        let mut taken: HashSet<u32> = sources.iter().chain(&drawn).map(|bits| block(*bits)).collect();
        while drawn.len() < exemptions as usize {
            let bits = family.bits(&mut random);
            if taken.insert(block(bits)) {
                drawn.push(block(bits) << family.subscriber_bits());
            }
        }
        Self {
            family,
            sources,
            exemptions: drawn,
        }
    }

    /// The exemptions' prefixes.
    pub fn exempt_prefixes(&self) -> impl Iterator<Item = String> {
        let length = self.family.exempt_length();
        self.exemptions
            .iter()
            .map(move |bits| format!("{}/{length}", self.family.address(*bits)))
    }

    /// As a policy for subscriber interfaces.
    pub fn policy(&self, interfaces: &[&str], events: Events) -> anyhow::Result<Policy> {
        let (pool, length) = self.family.pool();
        let interfaces = interfaces
            .iter()
            .map(|name| format!("  - {{ name: {name}, role: subscriber }}\n"));
        let events = match events {
            Events::On => "events: {}\n",
            Events::Off => "",
        };
        let mut policy = programs::policy(&format!(
            "version: 1\n{events}interfaces:\n{}pools:\n  - {{ name: residential, prefixes: [{pool}/{length}] }}\n",
            interfaces.collect::<String>()
        ))?;
        // Not read from text, which takes long without optimisation.
        let exemption = |(number, bits): (usize, &u32)| {
            let prefix = IpNet::new(self.family.address(*bits), self.family.exempt_length())?;
            let terms = Terms::new(format!("Customer {number}"), [prefix]);
            Ok(Exemption::new(terms, Origin::Store(Ulid::from(number as u128))))
        };
        let exemptions = self.exemptions.iter().enumerate().map(exemption);
        policy.exemptions = exemptions.collect::<anyhow::Result<_>>()?;
        Ok(policy)
    }
}

/// How many sources do nearly everything.
const BUSY: u32 = 50;

/// Has the first sources take the places of others, until they have 95 % of all, and mixes them.
fn by_zipf(sources: &mut [u32], random: &mut fastrand::Rng) {
    let (busy, others) = sources.split_at_mut(BUSY as usize);
    let harmonic: f64 = (1..=BUSY).map(|rank| 1.0 / f64::from(rank)).sum();
    let mut places = others.iter_mut();
    for (rank, bits) in (1..).zip(&*busy) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of all sources"
        )]
        let frames = (0.95 * f64::from(SOURCES) / harmonic / f64::from(rank)) as usize;
        // Its own place is one of them.
        for place in places.by_ref().take(frames.saturating_sub(1)) {
            *place = *bits;
        }
    }
    random.shuffle(sources);
}
