//! From a policy to the entries of the kernel's maps.
//!
//! A trie answers with the longest prefix only. So each exemption's entry is made to hold everything that the
//! exemptions around it grant as well.

use op25b_common::{
    keys::{AddressV4, AddressV6, DestinationKey},
    tunnel,
    values::{DestinationEntry, ExemptionEntry, NEVER, PoolEntry, RelayEntry, RuleIndex, UnixSeconds},
};
use thiserror::Error;

use super::{
    Action, Handling, Inbound, Match, Policy, Pool, Prefix, Prohibit, Tunnel,
    fold::{Destinations, Sets, Sources, fold},
    nesting::{AddressFamily, Bits},
};

/// The entries of all maps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each becomes a global of the program, and any combination has a meaning"
)]
pub struct Compiled {
    /// The blocked destination ports.
    pub blocked_ports: Vec<u16>,
    /// Whether what cannot be inspected is dropped if it comes from a pool.
    pub drop_uninspectable: bool,
    /// Whether blocked ports from a source in no pool are dropped.
    pub drop_unlisted: bool,
    /// From when on any pool is enforced, as in [`PoolEntry::enforce_from`].
    pub enforced_from: UnixSeconds,
    /// Whether only segments that open a connection are blocked.
    pub match_new: bool,
    /// Whether connections from the Internet to blocked ports are blocked.
    pub block_inbound: bool,
    /// How a segment is blocked.
    pub action: Action,
    /// How its sender is told, with [`Action::Prohibit`].
    pub prohibit: Option<Prohibit>,
    /// The interfaces on which tunnels are looked into, with bits of [`op25b_common::tunnel`].
    pub tunnels: Vec<(String, u8)>,
    /// The IPv4 tries.
    pub v4: Tables<AddressV4>,
    /// The IPv6 tries.
    pub v6: Tables<AddressV6>,
}

/// The tries of one address family, each in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables<A> {
    /// By source.
    pub pools: Vec<Entry<A, PoolEntry>>,
    /// By destination.
    pub relays: Vec<Entry<A, RelayEntry>>,
    /// By source.
    pub exemptions: Vec<Entry<A, ExemptionEntry>>,
    /// By set and destination; the prefix length counts [`DestinationKey::SET_BITS`].
    pub destinations: Vec<Entry<DestinationKey<A>, DestinationEntry>>,
}

/// One entry of a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<K, V> {
    /// How many bits of the key count.
    pub prefix_len: u32,
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
}

/// Why a valid policy cannot be brought into the kernel.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CompileError {
    /// More items than an index has room for.
    #[error("a list of the policy has more than {} items", RuleIndex::MAX - 1)]
    TooManyRules,
    /// Exemptions with destinations, nested in one another, multiply.
    #[error(
        "exemptions with destinations lie in one another so often that they need more than {limit} destination \
         entries; give the outer ones no destinations, or separate them"
    )]
    TooManyDestinations {
        /// The most there may be, for one address family.
        limit: usize,
    },
}

/// Compiles a policy. Nothing but the policy goes in: expiries are judged in the kernel, when a packet comes.
///
/// # Errors
///
/// [`CompileError`]; a policy from [`super::parse`] can only have too much of something.
pub fn compile(policy: &Policy) -> Result<Compiled, CompileError> {
    let lists = [policy.pools.len(), policy.relays.len(), policy.exemptions.len()];
    if lists.into_iter().any(|length| length >= RuleIndex::MAX as usize) {
        return Err(CompileError::TooManyRules);
    }
    let mut sets = Sets::new(&policy.exemptions);
    let sources_v4 = fold(&policy.exemptions, AddressFamily::V4, &mut sets)?;
    let sources_v6 = fold(&policy.exemptions, AddressFamily::V6, &mut sets)?;
    let v4_octets = |bits: Bits| {
        let [a, b, c, d, ..] = bits.octets();
        [a, b, c, d]
    };
    Ok(Compiled {
        blocked_ports: policy.block.ports.clone(),
        drop_uninspectable: policy.block.uninspectable == Handling::Drop,
        drop_unlisted: policy.block.unlisted == Handling::Drop,
        enforced_from: policy
            .pools
            .iter()
            .map(Pool::enforced_from)
            .min()
            .unwrap_or(NEVER),
        match_new: policy.block.match_ == Match::New,
        block_inbound: policy.block.inbound == Inbound::Block,
        action: policy.block.action,
        prohibit: policy.block.prohibit,
        tunnels: tunnels(policy),
        v4: tables(policy, AddressFamily::V4, sources_v4, sets.v4, v4_octets),
        v6: tables(policy, AddressFamily::V6, sources_v6, sets.v6, Bits::octets),
    })
}

/// Every tunnel that some interface looks into.
fn tunnels(policy: &Policy) -> Vec<(String, u8)> {
    let looking = policy
        .interfaces
        .iter()
        .filter(|interface| !interface.tunnels.is_empty());
    looking
        .map(|interface| {
            let kinds = interface
                .tunnels
                .iter()
                .fold(0, |kinds, tunnel| kinds | bit(*tunnel));
            (interface.name.clone(), kinds)
        })
        .collect()
}

fn bit(kind: Tunnel) -> u8 {
    match kind {
        Tunnel::V4InV6 => tunnel::V4_IN_V6,
        Tunnel::V6InV4 => tunnel::V6_IN_V4,
        Tunnel::V4InV4 => tunnel::V4_IN_V4,
        Tunnel::Gre => tunnel::GRE,
        Tunnel::L2tp => tunnel::L2TP,
    }
}

/// The tries of one family; `address` makes its addresses.
fn tables<A: Copy>(
    policy: &Policy,
    family: AddressFamily,
    sources: Sources,
    destinations: Destinations,
    address: fn(Bits) -> A,
) -> Tables<A> {
    let pools = rules(policy.pools.iter().map(|pool| &pool.prefixes[..]), family);
    let relays = rules(policy.relays.iter().map(|relay| &relay.prefixes[..]), family);
    Tables {
        pools: pools
            .into_iter()
            .map(|(bits, rule)| {
                let enforce_from = policy.pools[rule as usize].enforced_from();
                entry(bits, address, PoolEntry { rule, enforce_from })
            })
            .collect(),
        relays: relays
            .into_iter()
            .map(|(bits, rule)| entry(bits, address, RelayEntry { rule }))
            .collect(),
        exemptions: sources
            .into_iter()
            .map(|(bits, value)| entry(bits, address, value))
            .collect(),
        destinations: destinations
            .into_iter()
            .map(|(set, bits, value)| Entry {
                prefix_len: DestinationKey::<A>::SET_BITS + u32::from(bits.length()),
                key: DestinationKey::new(set, address(bits)),
                value,
            })
            .collect(),
    }
}

fn entry<A, V>(bits: Bits, address: fn(Bits) -> A, value: V) -> Entry<A, V> {
    Entry {
        prefix_len: u32::from(bits.length()),
        key: address(bits),
        value,
    }
}

/// The prefixes of one family with the items that they belong to.
fn rules<'a>(items: impl Iterator<Item = &'a [Prefix]>, family: AddressFamily) -> Vec<(Bits, RuleIndex)> {
    let mut rules = Vec::new();
    for (rule, prefixes) in (0..).zip(items) {
        rules.extend(
            prefixes
                .iter()
                .filter_map(|prefix| Some((Bits::of(family, prefix.net)?, rule))),
        );
    }
    rules.sort_unstable();
    rules
}
