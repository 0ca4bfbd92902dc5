//! The phases of a pool: from when on it is enforced, and towards which destinations.

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use op25b_common::values::{ALWAYS_PAST, NEVER, UnixSeconds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    nat64::Nat64,
    pause::PauseEnd,
    policy::{Policy, Pool},
    position::Prefix,
    word::PoolMode,
};

/// A phase of a pool's roll-out. What the phases before it enforce stays enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// When it begins; without it, it has begun.
    pub from: Option<EnforceFrom>,
    /// Towards which destinations the pool is enforced from then on; none for every destination.
    pub only_to: Vec<Prefix>,
}

/// The beginning of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnforceFrom {
    /// The instant.
    pub at: Timestamp,
    /// Whether it was reached already: the clock, which may have been set back since, does not matter then.
    pub is_reached: bool,
}

/// The phase of a pool that decides about a destination: the first of those that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecidingPhase {
    /// Its place among the pool's phases, counted from 1; null if no phase has the destination, which is only monitored then.
    pub number: Option<usize>,
    /// How many phases the pool has.
    pub of: usize,
    /// When it begins, as in the policy; null if it has no date.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
}

impl fmt::Display for DecidingPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "phase {number} of {}", self.of),
            None if self.of == 1 => f.write_str("`only_to` does not have this destination"),
            None => f.write_str("no phase has this destination"),
        }
    }
}

impl Phase {
    /// Whether it is for every destination.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.only_to.is_empty()
    }

    /// Whether it has begun at an instant.
    #[must_use]
    pub fn has_begun(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from.is_reached || from.at <= now)
    }

    /// When it begins, as the program represents it.
    #[must_use]
    pub fn begins(&self) -> UnixSeconds {
        match self.from {
            None | Some(EnforceFrom { is_reached: true, .. }) => ALWAYS_PAST,
            Some(from) => unix_seconds(from.at),
        }
    }
}

impl Policy {
    /// When any pool is enforced from on, towards any destination, as the program represents it.
    #[must_use]
    pub fn first_enforced_from(&self) -> UnixSeconds {
        let pools = self.pools.iter();
        pools.map(Pool::first_enforced_from).min().unwrap_or(NEVER)
    }
}

impl Pool {
    /// When enforcement towards every destination begins, as the program represents it: [`ALWAYS_PAST`] for a pool that is
    /// enforced, [`NEVER`] for one that is only monitored.
    #[must_use]
    pub fn enforced_from(&self) -> UnixSeconds {
        self.dates(self.paused_until).0
    }

    /// When enforcement towards any destination at all begins.
    #[must_use]
    pub fn first_enforced_from(&self) -> UnixSeconds {
        self.dates(self.paused_until).1
    }

    /// Both if the pool is paused until then.
    #[must_use]
    pub fn dates(&self, paused_until: Option<PauseEnd>) -> (UnixSeconds, UnixSeconds) {
        let paused = paused_until.map_or(ALWAYS_PAST, PauseEnd::unix_seconds);
        let everywhere = self.first(Phase::is_everywhere).max(paused);
        (everywhere, self.first(|_| true).max(paused))
    }

    /// The phases that begin before the pool is enforced towards every destination, each with its place and its beginning, as if
    /// there was no pause.
    pub fn early_phases(&self) -> impl Iterator<Item = (usize, &Phase, UnixSeconds)> {
        let everywhere = self.first(Phase::is_everywhere);
        let phases = self.phases.iter().enumerate();
        let early =
            phases.filter(move |(_, phase)| self.mode == PoolMode::Enforce && phase.begins() < everywhere);
        early.map(|(place, phase)| (place, phase, phase.begins()))
    }

    /// Whether it is enforced towards some destinations before others, or at all.
    #[must_use]
    pub fn is_phased(&self) -> bool {
        !matches!(&self.phases[..], [phase] if phase.is_everywhere())
    }

    /// The phase that decides about a destination; none if the pool has no phases.
    #[must_use]
    pub fn deciding_phase(&self, destination: IpAddr, nat64: &Nat64) -> Option<DecidingPhase> {
        let has_it = |phase: &Phase| {
            let mut nets = phase
                .only_to
                .iter()
                .flat_map(|prefix| nat64.with_translated(prefix.net));
            phase.is_everywhere() || nets.any(|net| net.contains(&destination))
        };
        let number = self.phases.iter().position(has_it);
        let from = number.and_then(|number| self.phases[number].from);
        self.is_phased().then(|| DecidingPhase {
            number: number.map(|number| number + 1),
            of: self.phases.len(),
            from: from.map(|from| from.at),
        })
    }

    /// When the first of these phases begins.
    fn first(&self, of: impl Fn(&Phase) -> bool) -> UnixSeconds {
        if self.mode == PoolMode::Monitor {
            return NEVER;
        }
        let phases = self.phases.iter().filter(|phase| of(phase));
        phases.map(Phase::begins).min().unwrap_or(NEVER)
    }
}

/// A time as the program represents it. Validation refuses times too late for 32 bits; times too early for them are in the past in
/// any case.
pub(super) fn unix_seconds(at: Timestamp) -> UnixSeconds {
    u32::try_from(at.as_second().max(0)).unwrap_or(NEVER)
}
