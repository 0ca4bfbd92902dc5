//! A report on the roll-out.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    counts::Counted,
    step::{self, Step},
};
use crate::{
    policy::{Pause, Policy, Pool, PoolMode},
    report::{
        PoolStatus, PoolWord,
        activity::{Mode, Period, Rules},
    },
    store::activity::Covered,
};

/// A report. Adding a member is a compatible change, changing one is not.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rollout {
    /// The period in which attempts are counted.
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) policy_file: PathBuf,
    /// What the history covers; none if there is none.
    pub(crate) history: Option<Covered>,
    /// What is not known, and why.
    pub(crate) missing: Vec<String>,
    pub(crate) pools: Vec<PoolRollout>,
}

/// The roll-out of a pool. What is not known is null, and not 0.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PoolRollout {
    pub(crate) pool: String,
    /// What the kernel does with its packets; with a policy file, what that says.
    pub(crate) mode: PoolWord,
    /// Whether the kernel does something else than the policy wants.
    pub(crate) differs: bool,
    /// The pause for which it is only monitored.
    pub(crate) paused: Option<Pause>,
    /// How many of its phases have begun, and how many it has; a pool in monitor mode has none.
    pub(crate) phase: usize,
    pub(crate) phases: usize,
    /// When the next one begins.
    pub(crate) next_date: Option<Timestamp>,
    /// Subscribers with attempts in the last hour.
    pub(crate) now: Option<u64>,
    /// Subscribers with attempts in the period, without those that are exempt now.
    pub(crate) subscribers: Option<u64>,
    pub(crate) exempt: Option<u64>,
    /// The customers whose attempts they were.
    pub(crate) customers: Option<u64>,
    /// Subscribers whose attempts are one of several customers', and those whose are no known customer's.
    pub(crate) ambiguous: Option<u64>,
    pub(crate) unattributed: Option<u64>,
    /// How many of the customers were written to.
    pub(crate) written: Option<u64>,
    /// Customers who were written to before the period and tried in the 7 days before, and how many of them did not in the period.
    pub(crate) written_before: Option<u64>,
    pub(crate) stopped_since_notice: Option<u64>,
    /// Subscribers who tried in the 7 days before the first date, if it was reached before the period, and how many of them did not in the
    /// period.
    pub(crate) tried_before_date: Option<u64>,
    pub(crate) stopped_since_date: Option<u64>,
    /// What is to do next, in a word and in words.
    pub(crate) step: Step,
    pub(crate) next: String,
}

/// What is known of the pools besides the policy.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) period: Period,
    pub(crate) history: Option<Covered>,
    /// The pools and the pauses of the filter that runs; none for a policy file.
    pub(crate) enforced: Option<(&'a [PoolStatus], &'a [Pause])>,
    /// Subscribers of each pool with attempts in the last hour.
    pub(crate) active: Option<&'a [u64]>,
    /// What was counted of each pool in the history.
    pub(crate) counted: Option<&'a [Counted]>,
    /// Whether it is known who was written to.
    pub(crate) has_notices: bool,
}

impl Rollout {
    /// The report on all pools of a policy, or on one of them.
    pub(crate) fn new(
        policy: (&Policy, PathBuf),
        rules: &Rules<'_>,
        known: Known<'_>,
        only: Option<usize>,
        missing: Vec<String>,
    ) -> Self {
        let (policy, policy_file) = policy;
        let pools = policy.pools.iter().enumerate();
        let pools = pools.filter(|(number, _)| only.is_none_or(|only| only == *number));
        Self {
            since: known.period.since,
            until: known.period.until,
            policy_file,
            history: known.history,
            missing,
            pools: pools
                .map(|(number, pool)| PoolRollout::new(number, pool, rules, known))
                .collect(),
        }
    }
}

impl PoolRollout {
    fn new(number: usize, pool: &Pool, rules: &Rules<'_>, known: Known<'_>) -> Self {
        let now = known.period.until;
        let status = known.enforced.and_then(|(pools, pauses)| {
            let status = pools.iter().find(|status| status.name == pool.name)?;
            Some((status, pauses))
        });
        let state = status.and_then(|(status, _)| status.actual.or(status.wanted));
        let by_policy = match rules.mode(pool).0 {
            Mode::Enforce => PoolWord::Enforce,
            Mode::Partial => PoolWord::Partial,
            Mode::Monitor => PoolWord::Monitor,
        };
        let paused = status.filter(|(status, _)| status.is_paused());
        let paused = paused.and_then(|(_, pauses)| pauses.iter().find(|pause| pause.concerns(&pool.name)));
        let phases = match pool.mode {
            PoolMode::Monitor => &[][..],
            PoolMode::Enforce => &pool.phases,
        };
        let begun = phases.iter().filter(|phase| phase.has_begun(now)).count();
        let ahead = phases.iter().filter(|phase| !phase.has_begun(now));
        let counted = known.counted.and_then(|counted| counted.get(number));
        let customers = counted.and_then(|counted| counted.customers.as_ref());
        let told = customers.filter(|_| known.has_notices);
        let since_date = counted.and_then(|counted| counted.since_date);
        let mut rollout = Self {
            pool: pool.name.clone(),
            mode: state.map_or(by_policy, |state| state.mode),
            differs: status.is_some_and(|(status, _)| status.differs()),
            paused: paused.cloned(),
            phase: begun,
            phases: phases.len(),
            next_date: ahead.filter_map(|phase| phase.from).map(|from| from.at).min(),
            now: known.active.and_then(|active| active.get(number).copied()),
            subscribers: counted.map(|counted| counted.subscribers),
            exempt: counted.map(|counted| counted.exempt),
            customers: customers.map(|customers| customers.customers),
            ambiguous: customers.map(|customers| customers.ambiguous),
            unattributed: customers.map(|customers| customers.unattributed),
            written: told.map(|customers| customers.written),
            written_before: told.map(|customers| customers.since_notice.of),
            stopped_since_notice: told.map(|customers| customers.since_notice.stopped),
            tried_before_date: since_date.map(|since| since.of),
            stopped_since_date: since_date.map(|since| since.stopped),
            step: Step::Nothing,
            next: String::new(),
        };
        let oldest = known.history.and_then(|history| history.oldest);
        (rollout.step, rollout.next) = step::next(&rollout, oldest, now);
        rollout
    }

    /// The phase that begins at the next date.
    pub(super) fn next_phase(&self) -> String {
        match self.phases {
            1 => "enforcement".to_owned(),
            phases => format!("phase {} of {phases}", self.phase + 1),
        }
    }
}
