//! Compiles a policy to what its program reads: tables, classes, destination sets and constants.

use jiff::Timestamp;
use op25b_common::{
    TableRoot,
    event::ShowEvents,
    framing::MPLS_HERE,
    keys::{AddressV4, AddressV6, DestinationKey},
    values::{Class, DestinationEntry, NO_CLASS, Phases, RuleIndex},
};

use super::{
    entry::{TrieEntry, destinations},
    error::{CompileError, MOST_TABLE_BYTES},
    records::{LruAddresses, RecordIndex},
    sources::{Numbering, Sources, nets, rules},
};
use crate::{
    lpm::{AddressFamily, Bits, Leaf, TableSet},
    policy::model::{
        Action, Alerts, EventExemptions, Events, Handling, Inbound, Interface, Match, Mpls, Policy, Prohibit,
        Relay,
    },
};

/// What the program for a policy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The blocked destination ports.
    pub blocked_ports: Vec<u16>,
    /// Whether TCP from a pool whose ports cannot be read is dropped.
    pub drop_uninspectable: bool,
    /// What happens to blocked ports from a source in no pool, from the date of class [`NO_CLASS`] on.
    pub unlisted: Handling,
    /// Whether only segments that open a connection are blocked.
    pub match_new: bool,
    /// Whether connections from the Internet to blocked ports are blocked.
    pub block_inbound: bool,
    /// How a segment is blocked.
    pub action: Action,
    /// How many resets a CPU sends per second, with [`Action::Reset`]; none for no limit.
    pub reset_rate: Option<u32>,
    /// How its sender is notified, with [`Action::Prohibit`].
    pub prohibit: Option<Prohibit>,
    /// The `EtherType`s of VLAN tags besides the usual ones.
    pub vlan_tpids: Vec<u16>,
    /// Which packets have events.
    pub show_events: ShowEvents,
    /// Of how many exempt subscribers the segments that open a connection are counted, those with the most recent ones; 0 for none.
    pub counted_exempt: u32,
    /// The interfaces, each with the bits of the [`op25b_common::Tunnel`]s in which packets are filtered there, and
    /// [`MPLS_HERE`]; empty if no interface has any.
    pub settings: Vec<(String, u32)>,
    /// The tables by [`TableRoot`]: sources by the number of their class, destinations by relay.
    pub tables: TableSet,
    /// The classes by number.
    pub classes: Vec<Class>,
    /// The phases of pools by number.
    pub phases: Vec<Phases>,
    /// The record of each address of the IPv4 pools that are remembered.
    pub record_index: RecordIndex,
    /// The record of each subscriber of the IPv6 pools that are remembered and fit into the array.
    pub record_index_v6: RecordIndex,
    /// The addresses of the others: their subscribers' records are in the LRU map.
    pub lru_v6: LruAddresses,
    /// The length of the IPv6 prefixes that are subscribers'.
    pub ipv6_prefix: u8,
    /// The IPv4 destinations of all sets, in ascending order; the prefix length counts [`DestinationKey::SET_BITS`].
    pub destinations_v4: Vec<TrieEntry<DestinationKey<AddressV4>, DestinationEntry>>,
    /// The IPv6 destinations of all sets.
    pub destinations_v6: Vec<TrieEntry<DestinationKey<AddressV6>, DestinationEntry>>,
}

impl Compiled {
    /// The part that is in the program itself, without the contents of its maps.
    #[must_use]
    pub fn without_tables(&self) -> Self {
        Self {
            blocked_ports: self.blocked_ports.clone(),
            vlan_tpids: self.vlan_tpids.clone(),
            settings: self.settings.clone(),
            tables: TableSet::new(),
            classes: Vec::new(),
            phases: Vec::new(),
            record_index: RecordIndex::default(),
            record_index_v6: RecordIndex::default(),
            lru_v6: LruAddresses::default(),
            destinations_v4: Vec::new(),
            destinations_v6: Vec::new(),
            ..*self
        }
    }
}

fn check_size(bytes: usize) -> Result<(), CompileError> {
    if bytes > MOST_TABLE_BYTES {
        return Err(CompileError::TooLarge);
    }
    Ok(())
}

/// Compiles a policy. The result depends on nothing else, as the program compares expiries with the clock itself. A policy
/// from [`crate::policy::parse()`] fails to compile only if it is too large.
pub fn compile(policy: &Policy) -> Result<Compiled, CompileError> {
    compile_at(policy, None)
}

/// Compiles a policy without the exemptions that have expired at an instant: they take no room in the kernel. An exemption
/// keeps its index.
pub fn compile_without_expired(policy: &Policy, now: Timestamp) -> Result<Compiled, CompileError> {
    compile_at(policy, Some(now))
}

fn compile_at(policy: &Policy, expired_at: Option<Timestamp>) -> Result<Compiled, CompileError> {
    let lists = [policy.pools.len(), policy.relays.len(), policy.exemptions.len()];
    if lists.into_iter().any(|length| length >= RuleIndex::MAX as usize) {
        return Err(CompileError::TooManyRules);
    }
    let mut numbering = Numbering::new(policy, expired_at)?;
    let mut tables = TableSet::new();
    for (family, sources, relays) in [
        (AddressFamily::V4, TableRoot::SourcesV4, TableRoot::RelaysV4),
        (AddressFamily::V6, TableRoot::SourcesV6, TableRoot::RelaysV6),
    ] {
        // What they were made from is large as well, and no longer needed.
        let Sources { leaves, .. } = numbering.sources(family)?;
        tables.fill(sources, &leaves)?;
        drop(leaves);
        tables.fill(relays, &relay_leaves(policy, family))?;
    }
    let Numbering {
        phases,
        sets,
        mut classes,
        recorded,
        ..
    } = numbering;
    check_size(tables.bytes() + size_of_val(&classes.all[..]))?;
    // Once all are numbered: a class with the same content has this number.
    classes.all[NO_CLASS as usize].enforce_from = policy.block.unlisted_dropped_from();
    Ok(Compiled {
        blocked_ports: policy.block.ports.clone(),
        drop_uninspectable: policy.block.uninspectable == Handling::Drop,
        unlisted: policy.block.unlisted,
        match_new: policy.block.match_ == Match::New,
        block_inbound: policy.block.inbound == Inbound::Block,
        action: policy.block.action,
        reset_rate: policy.block.reset_rate,
        prohibit: policy.block.prohibit,
        vlan_tpids: policy.block.vlan_tpids.clone(),
        show_events: shown(policy.events),
        counted_exempt: counted_exempt(policy.alerts),
        settings: settings(policy),
        tables,
        classes: classes.all,
        phases: phases.all,
        record_index: recorded.v4,
        record_index_v6: recorded.v6,
        lru_v6: recorded.lru,
        ipv6_prefix: policy.subscribers.ipv6_prefix,
        destinations_v4: destinations(sets.v4.into_iter(), Bits::v4_octets),
        destinations_v6: destinations(sets.v6.into_iter(), Bits::octets),
    })
}

/// Which packets have events.
fn shown(events: Option<Events>) -> ShowEvents {
    match events.map(|events| events.exempt) {
        None => ShowEvents::None,
        Some(EventExemptions::NotShown) => ShowEvents::Filtered,
        Some(EventExemptions::Shown) => ShowEvents::FilteredAndExempt,
    }
}

/// Of how many exempt subscribers segments are counted: few providers have more with an exemption.
fn counted_exempt(alerts: Option<Alerts>) -> u32 {
    const MOST: u32 = 1 << 16;
    match alerts.and_then(|alerts| alerts.exempt_syns_per_minute) {
        Some(_) => MOST,
        None => 0,
    }
}

/// The interfaces with their settings, if any has some. One without an entry would be treated as if it had all of them.
fn settings(policy: &Policy) -> Vec<(String, u32)> {
    let of = |interface: &Interface| {
        let tunnels = interface.tunnels.iter().map(|tunnel| u32::from(tunnel.bit()));
        let mpls = match interface.mpls {
            Mpls::Skipped => MPLS_HERE,
            Mpls::NotParsed => 0,
        };
        tunnels.fold(mpls, |settings, tunnel| settings | tunnel)
    };
    let interfaces = policy.interfaces.iter();
    let settings: Vec<_> = interfaces
        .map(|interface| (interface.name.clone(), of(interface)))
        .collect();
    if settings.iter().all(|(_, settings)| *settings == 0) {
        return Vec::new();
    }
    settings
}

/// The leaves of the relays' table of one family, in ascending order.
fn relay_leaves(policy: &Policy, family: AddressFamily) -> Vec<Leaf> {
    let translated = |relay: &Relay| {
        let nets = nets(&relay.prefixes);
        nets.flat_map(|net| policy.nat64.with_translated(net))
            .collect::<Vec<_>>()
    };
    let mut prefixes = rules(
        policy.relays.iter().map(|relay| translated(relay).into_iter()),
        family,
    );
    // A relay's IPv6 prefix may be that of another one's translated addresses: the first in the file has it.
    prefixes.dedup_by_key(|(prefix, _)| *prefix);
    prefixes
        .into_iter()
        .map(|(prefix, relay)| Leaf {
            prefix,
            class: relay + 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    #[test]
    fn packets_have_events_where_the_policy_says_so() {
        for (events, shown) in [
            ("", ShowEvents::None),
            ("events: {}", ShowEvents::Filtered),
            ("events: { exempt: true }", ShowEvents::FilteredAndExempt),
        ] {
            let text = format!(
                "version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\n\
                 pools: [{{ name: a, prefixes: [198.51.100.0/24] }}]\n{events}\n"
            );
            let policy = parse("policy.yaml", &text).unwrap().policy;
            assert_eq!(compile(&policy).unwrap().show_events, shown, "{events}");
        }
    }

    #[test]
    fn tables_over_the_limit_are_refused() {
        assert_eq!(check_size(MOST_TABLE_BYTES), Ok(()));
        let refusal = check_size(MOST_TABLE_BYTES + 1).unwrap_err();
        assert!(refusal.to_string().contains("1024 MiB of tables"), "{refusal}");
    }
}
