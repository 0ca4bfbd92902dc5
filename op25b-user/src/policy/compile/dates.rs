//! The dates of a policy that a pause changes: in its tables, and in the maps of a program that runs.

use op25b_common::values::{Class, NEVER, NO_CLASS, NO_PHASES, NO_RULE, UnixSeconds};

use crate::policy::model::{Pause, Pauses, Policy};

/// When what a policy blocks is blocked from on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Sources in no pool.
    unlisted: UnixSeconds,
    /// Any pool, towards any destination.
    any: UnixSeconds,
    /// Each pool: towards every destination, and towards any.
    pools: Vec<(UnixSeconds, UnixSeconds)>,
}

impl Dates {
    /// Those of a policy with these pauses instead of its own.
    #[must_use]
    pub fn during(policy: &Policy, pauses: &Pauses) -> Self {
        let pools: Vec<_> = policy
            .pools
            .iter()
            .map(|pool| pool.dates(pauses.of_pool(&pool.name).map(Pause::end)))
            .collect();
        Self {
            unlisted: policy
                .block
                .unlisted_dropped_during(pauses.of_everything().map(Pause::end)),
            any: pools.iter().map(|(_, any)| *any).min().unwrap_or(NEVER),
            pools,
        }
    }

    /// The date of the phases with number 0.
    #[must_use]
    pub fn of_any_pool(&self) -> UnixSeconds {
        self.any
    }

    /// The date of a class with this number; none if it has none. With it the number of its pool's phases and their date, if it has
    /// phases.
    #[must_use]
    pub fn of_class(&self, number: u32, class: &Class) -> Option<(UnixSeconds, Option<(u32, UnixSeconds)>)> {
        if number == NO_CLASS {
            return Some((self.unlisted, None));
        }
        if !class.is_written() || class.pool == NO_RULE {
            return None;
        }
        let (everywhere, any) = *self.pools.get(class.pool as usize)?;
        let phases = (class.phases != NO_PHASES).then_some((class.phases, any));
        Some((everywhere, phases))
    }
}
