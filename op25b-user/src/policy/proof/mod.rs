//! Proves that compiled tables say what the policy says, for every address of both families.
//!
//! A walk through each whole table yields ranges of addresses with their classes. They are compared with the ranges that follow
//! from the policy's prefixes by the verdict table's own words; that part shares no code with the compiler. Both sides are
//! walked once, so the time is that of sorting the prefixes.

mod destinations;
mod records;
mod relays;
mod sources;
mod sweep;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use op25b_common::{
    TableRoot,
    lpm::{STEPS_V4, STEPS_V6},
    values::{ALWAYS_PAST, Class, NEVER, NO_CLASS, NO_PHASES, NO_RULE, RuleIndex, UnixSeconds},
};
use serde::Serialize;
use thiserror::Error;

use self::{
    destinations::{Sets, Wrong},
    sources::Around,
    sweep::Sweep,
};
use super::{
    characters,
    compile::Compiled,
    model::{Handling, PauseEnd, Phase, Policy, Pool, PoolMode},
};
use crate::lpm::AddressFamily;

/// How many ranges of addresses the policy distinguishes, all of which were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Ranges of sources.
    pub sources: u64,
    /// Ranges of relays' destinations.
    pub relays: u64,
}

/// A range of addresses for which the compiled tables do not say what the policy says: a defect of the compiler.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the compiled tables differ from the policy for the {what} {first} to {last}: by the tables {tables}, by the policy {policy}; \
     this is a defect of op25b, please report it with the policy"
)]
pub struct Difference {
    /// `sources`, `destinations of an exemption`, `destinations of a pool's phases` or `relays`.
    pub what: &'static str,
    /// The first address.
    pub first: IpAddr,
    /// The last address.
    pub last: IpAddr,
    /// What the tables say.
    pub tables: String,
    /// What the policy says.
    pub policy: String,
}

/// Proves that tables which were compiled at an instant, or before, say what the policy says from then on.
///
/// # Errors
///
/// [`Difference`]: the first range of addresses for which they do not.
pub fn prove(policy: &Policy, compiled: &Compiled, at: Timestamp) -> Result<Proof, Difference> {
    let at = u32::try_from(at.as_second().max(0)).unwrap_or(NEVER);
    let mut proof = Proof::default();
    let Some(sets) = Sets::new(policy, compiled) else {
        return Err(difference(
            "destinations of an exemption",
            AddressFamily::V6,
            (0, u128::MAX),
            "an entry is for several sets",
            "each is for one",
        ));
    };
    let mut prover = Prover {
        policy,
        compiled,
        at,
        sets,
    };
    prover.dates()?;
    records::prove_apart(compiled)?;
    for family in [AddressFamily::V4, AddressFamily::V6] {
        proof.sources += prover.sources(family)?;
        proof.relays += relays::prove(policy, compiled, family)?;
    }
    Ok(proof)
}

/// The proof of the tables of sources.
struct Prover<'a> {
    policy: &'a Policy,
    compiled: &'a Compiled,
    /// What ends until then grants nothing, whether it is in the tables or not.
    at: UnixSeconds,
    sets: Sets<'a>,
}

impl Prover<'_> {
    /// Compares what applies to packets without a class: when sources in no pool are blocked from on, and when any pool is enforced.
    fn dates(&self) -> Result<(), Difference> {
        let wrong = |tables: &str, policy: &str| {
            let everywhere = (0, u128::MAX);
            Err(difference(
                "sources",
                AddressFamily::V6,
                everywhere,
                tables,
                policy,
            ))
        };
        if self.compiled.unlisted != self.policy.block.unlisted {
            return wrong(
                "those in no pool have another treatment",
                "they have that of `unlisted`",
            );
        }
        let pools = self.policy.pools.iter();
        let first = pools.map(Early::any).min().unwrap_or(NEVER);
        match self.compiled.phases.get(NO_PHASES as usize) {
            Some(none) if none.from == first => Ok(()),
            _ => wrong(
                "the first pool is enforced from another date on",
                &shown_time(first),
            ),
        }
    }

    /// Compares one family's table; returns the number of ranges.
    fn sources(&mut self, family: AddressFamily) -> Result<u64, Difference> {
        let (policy, compiled) = (self.policy, self.compiled);
        let (root, steps) = match family {
            AddressFamily::V4 => (TableRoot::SourcesV4, STEPS_V4),
            AddressFamily::V6 => (TableRoot::SourcesV6, STEPS_V6),
        };
        let prefixes = sources::prefixes(policy, family, self.at);
        let mut expected = Sweep::new(&prefixes, Around::default(), |outer: &Around, span, item| {
            outer.with(span, *item)
        });
        compiled.tables.walk(root, steps, &mut |first, last, class| {
            along(&mut expected, first, last, |range, around| {
                self.source(family, range, class, around)
            })
        })?;
        Ok(expected.ranges())
    }

    /// Compares the class of a range of sources.
    fn source(
        &mut self,
        family: AddressFamily,
        range: (u128, u128),
        number: Option<u32>,
        around: &Around,
    ) -> Result<(), Difference> {
        let class = number.and_then(|number| self.compiled.classes.get(number as usize));
        let wrong = |tables: &dyn fmt::Display, policy: &dyn fmt::Display| {
            Err(difference("sources", family, range, tables, policy))
        };
        let expected = Said::by_policy(self.policy, around, number);
        let Some(class) = class else {
            return wrong(&"there is no class", &expected.shown(self.policy));
        };
        let said = Said::by_class(class, self.at);
        if said != expected {
            return wrong(&said.shown(self.policy), &expected.shown(self.policy));
        }
        if let Err((tables, policy)) = records::prove(self.policy, self.compiled, family, range, class) {
            return wrong(&tables, &policy);
        }
        self.phases(class, &wrong)?;
        let from = expected.until.max(self.at);
        let restricted = around.restricted();
        self.sets
            .prove(class.destinations, restricted, from)
            .map_err(|wrong| {
                let Wrong {
                    family,
                    first,
                    last,
                    set,
                    policy,
                } = wrong;
                let shown = |granted: destinations::Said| match granted {
                    Some((until, rule)) => format!("granted {} by exemption {rule}", shown_end(until)),
                    None => "not granted".to_owned(),
                };
                difference(
                    "destinations of an exemption",
                    family,
                    (first, last),
                    shown(set),
                    shown(policy),
                )
            })
    }

    /// Compares the phases of a class with those of its pool that begin before it is enforced towards every destination.
    fn phases(
        &mut self,
        class: &Class,
        wrong: &impl Fn(&dyn fmt::Display, &dyn fmt::Display) -> Result<(), Difference>,
    ) -> Result<(), Difference> {
        let early = self
            .policy
            .pools
            .get(class.pool as usize)
            .map_or_else(Early::none, Early::of);
        let phases = self.compiled.phases.get(class.phases as usize);
        let first = phases
            .filter(|_| class.phases != NO_PHASES)
            .map(|phases| phases.from);
        if first != early.first {
            let shown = |first: Option<UnixSeconds>| match first {
                Some(from) => format!("phases, the first from {}", shown_time(from)),
                None => "no phases".to_owned(),
            };
            return wrong(&shown(first), &shown(early.first));
        }
        let Some(phases) = phases.filter(|_| class.phases != NO_PHASES) else {
            return Ok(());
        };
        let proven = self
            .sets
            .prove_phases(phases.destinations, class.pool, early.everywhere);
        proven.map_err(
            |Wrong {
                 family,
                 first,
                 last,
                 set,
                 policy,
             }| {
                let shown = |phase: destinations::Said| match phase {
                    Some((from, place)) => {
                        format!("blocked from {} by phase {}", shown_time(from), place + 1)
                    }
                    None => "in no phase".to_owned(),
                };
                let what = "destinations of a pool's phases";
                difference(what, family, (first, last), shown(set), shown(policy))
            },
        )
    }
}

/// The phases of a pool that begin before it is enforced towards every destination.
struct Early {
    /// When the first one applies: not during a pause.
    first: Option<UnixSeconds>,
    /// When the pool is enforced towards every destination, as if there was no pause.
    everywhere: UnixSeconds,
}

impl Early {
    fn none() -> Self {
        Self {
            first: None,
            everywhere: ALWAYS_PAST,
        }
    }

    fn of(pool: &Pool) -> Self {
        if pool.mode == PoolMode::Monitor {
            return Self::none();
        }
        let begins = |is_everywhere: bool| {
            let phases = pool.phases.iter();
            let phases = phases.filter(move |phase| phase.only_to.is_empty() == is_everywhere);
            phases.map(Phase::begins).min()
        };
        let everywhere = begins(true).unwrap_or(NEVER);
        let paused = paused_until(pool.paused_until);
        let first = begins(false).filter(|first| *first < everywhere);
        Self {
            first: first.map(|first| first.max(paused)),
            everywhere,
        }
    }

    /// When a pool is enforced from on, towards any destination.
    fn any(pool: &Pool) -> UnixSeconds {
        let early = Self::of(pool);
        let everywhere = match pool.mode {
            PoolMode::Monitor => NEVER,
            PoolMode::Enforce => early.everywhere.max(paused_until(pool.paused_until)),
        };
        early.first.map_or(everywhere, |first| first.min(everywhere))
    }
}

/// Until when nothing is blocked, as the program represents it.
fn paused_until(end: Option<PauseEnd>) -> UnixSeconds {
    match end {
        None => ALWAYS_PAST,
        Some(PauseEnd::At(end)) => u32::try_from(end.as_second().max(0)).unwrap_or(NEVER),
        Some(PauseEnd::Resume) => NEVER,
    }
}

/// What is said of a source, apart from destinations and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    pool: RuleIndex,
    enforce_from: UnixSeconds,
    until: UnixSeconds,
    exemption: RuleIndex,
}

impl Said {
    fn by_policy(policy: &Policy, around: &Around, number: Option<u32>) -> Self {
        let pool = around.pool();
        // The class of those that have none has the date for all sources in no pool.
        let unlisted = match policy.block.unlisted {
            Handling::Drop if number == Some(NO_CLASS) => paused_until(policy.block.unlisted_paused_until),
            _ => NEVER,
        };
        let (until, exemption) = around.everywhere();
        Self {
            pool,
            enforce_from: policy
                .pools
                .get(pool as usize)
                .map_or(unlisted, Pool::enforced_from),
            until,
            exemption,
        }
    }

    fn by_class(class: &Class, at: UnixSeconds) -> Self {
        let (until, exemption) = if class.until > at {
            (class.until, class.exemption)
        } else {
            (ALWAYS_PAST, NO_RULE)
        };
        Self {
            pool: class.pool,
            enforce_from: class.enforce_from,
            until,
            exemption,
        }
    }
}

impl Said {
    /// The words for it.
    fn shown(self, policy: &Policy) -> String {
        let pool = match policy.pools.get(self.pool as usize) {
            Some(pool) => {
                let name = characters::printable(&pool.name);
                match self.enforce_from {
                    ALWAYS_PAST => format!("pool {name}, enforced"),
                    NEVER => format!("pool {name}, monitored"),
                    from => format!("pool {name}, enforced from {}", shown_time(from)),
                }
            }
            None => "no pool".to_owned(),
        };
        match policy.exemptions.get(self.exemption as usize) {
            Some(exemption) => format!(
                "{pool}, exempt {} by exemption {} of {}",
                shown_end(self.until),
                self.exemption,
                characters::printable(&exemption.terms.customer)
            ),
            None => format!("{pool}, no exemption for every destination"),
        }
    }
}

/// `until 2026-06-02T00:00:00Z`
fn shown_end(until: UnixSeconds) -> String {
    match until {
        NEVER => "without end".to_owned(),
        until => format!("until {}", shown_time(until)),
    }
}

fn shown_time(seconds: UnixSeconds) -> String {
    Timestamp::from_second(seconds.into()).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// Compares a range of a table, which are in ascending order and without gaps, with the ranges of a sweep that it has a part of.
fn along<T, S, F: Fn(&S, sweep::Span, &T) -> S, E>(
    expected: &mut Sweep<'_, T, S, F>,
    mut first: u128,
    last: u128,
    mut compare: impl FnMut((u128, u128), &S) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let end = expected.last().min(last);
        compare((first, end), expected.state())?;
        if expected.last() == end {
            expected.advance();
        }
        match end.checked_add(1) {
            Some(next) if next <= last => first = next,
            _ => return Ok(()),
        }
    }
}

fn difference(
    what: &'static str,
    family: AddressFamily,
    (first, last): (u128, u128),
    tables: impl fmt::Display,
    policy: impl fmt::Display,
) -> Difference {
    let address = |address: u128| -> IpAddr {
        match family {
            AddressFamily::V4 => std::net::Ipv4Addr::from_bits((address >> 96) as u32).into(),
            AddressFamily::V6 => std::net::Ipv6Addr::from_bits(address).into(),
        }
    };
    Difference {
        what,
        first: address(first),
        last: address(last),
        tables: tables.to_string(),
        policy: policy.to_string(),
    }
}
