//! Dates of pools that are reached while the policy is enforced: from then on they hold, whatever the clock says.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use tracing::{info, warn};

use super::{
    host::Host,
    state::{Enforcer, RETRY},
};
use crate::policy::{PoolMode, ReachedDates};

impl Enforcer {
    /// The dates that were reached.
    pub(crate) fn reached_dates(&self) -> &ReachedDates {
        &self.description.reached
    }

    /// Notes the dates of the policy that are reached now.
    pub(crate) fn reach_dates(&mut self, is_reached: impl Fn(Timestamp) -> bool) {
        let policy = Arc::clone(self.policy());
        for pool in policy.pools.iter().filter(|pool| pool.mode == PoolMode::Enforce) {
            for from in pool.phases.iter().filter_map(|phase| phase.from) {
                if !from.is_reached
                    && is_reached(from.at)
                    && self.description.reached.insert(&pool.name, from.at)
                {
                    info!(
                        pool = pool.name,
                        enforce_from = %from.at,
                        "the pool's date is reached: it stays enforced until the policy names another date"
                    );
                    self.hold_dates_at = Some(Instant::now());
                }
            }
        }
    }

    /// Loads the policy once more if a date was reached since it was loaded. The program compares the date with the clock, and
    /// would open the pool if the clock was set back.
    pub(crate) async fn hold_dates(&mut self, host: &mut impl Host) {
        if self.hold_dates_at.is_some_and(|due| due <= Instant::now()) {
            self.hold_dates_at = Some(Instant::now() + RETRY);
            match self.load_again(host).await {
                Ok(()) => self.hold_dates_at = None,
                Err(error) => warn!(
                    "a clock that is set back would open pools whose date is reached: {error:#}; this is retried every {RETRY:?}"
                ),
            }
        }
    }
}
