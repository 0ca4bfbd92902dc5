//! Pauses: pools that are only monitored for a while. The end of a pause is its pools' date of enforcement: it is written to the maps
//! of the program that runs, and a generation with it is loaded. The program ends the pause by itself, and another generation
//! without the date follows then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::warn;

use super::{
    described::DescribedPolicy,
    host::Host,
    prepare,
    state::{Enforcer, RETRY},
};
use crate::{
    datapath::Description,
    policy::{Dates, Pause, Pauses},
};

/// When the pauses were put in force, by the clock and by the time that passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PausedAt {
    clock: Timestamp,
    passed: Instant,
}

impl PausedAt {
    pub(super) fn now() -> Self {
        Self {
            clock: Timestamp::now(),
            passed: Instant::now(),
        }
    }

    /// Whether a pause is over at an instant after so much time. A clock that was set back meanwhile does not prolong it.
    fn is_over(self, pause: &Pause, now: Timestamp, passed: Duration) -> bool {
        let Some(until) = pause.until else {
            return false;
        };
        let lasts = until.duration_since(self.clock);
        !pause.is_in_force(now) || Duration::try_from(lasts).is_ok_and(|lasts| lasts <= passed)
    }
}

/// Logs pauses that end as the policy does not have their pools.
pub(super) fn log_ended(ended: &[Pause]) {
    for pause in ended {
        warn!(
            user = pause.user,
            uid = pause.uid,
            reason = pause.reason,
            "the policy has no {} any more: its pause has ended",
            pause.what()
        );
    }
}

impl Enforcer {
    /// The pauses, of which some may have ended a moment ago.
    pub(crate) fn pauses(&self) -> &Pauses {
        &self.description.pauses
    }

    /// Has these pauses in force at once: in the filter that runs, before a generation with them is loaded. Returns a warning if
    /// that generation cannot be loaded now. If it fails, nothing has changed.
    pub(crate) async fn brake(
        &mut self,
        pauses: Pauses,
        host: &mut impl Host,
    ) -> anyhow::Result<Option<String>> {
        let is_live = match self.set_dates(&pauses) {
            Ok(()) => true,
            Err(error) => {
                warn!("the pause waits for a generation to be loaded: {error:#}");
                false
            }
        };
        match self.set_pauses(pauses, host).await {
            Ok(()) => Ok(None),
            Err(error) if is_live => {
                self.has_live_dates = true;
                let message = format!(
                    "the filter that runs was changed for the pause, and a generation with it cannot be loaded: {error:#}; this is \
                     retried every {RETRY:?}"
                );
                self.kernel_falls_behind(message.clone());
                Ok(Some(message))
            }
            Err(error) => Err(error),
        }
    }

    /// Has the filter that runs block from the dates on that these pauses make.
    fn set_dates(&mut self, pauses: &Pauses) -> anyhow::Result<()> {
        let dates = Dates::during(self.policy(), pauses);
        let filter = self.datapath.filter().context("no filter is running")?;
        filter.set_dates(&dates)?;
        // Whatever is loaded from now on has them.
        self.description.pauses = pauses.clone();
        self.paused_at = PausedAt::now();
        Ok(())
    }

    /// Has these pauses in force instead of those before. If it fails, nothing has changed.
    pub(crate) async fn set_pauses(&mut self, pauses: Pauses, host: &mut impl Host) -> anyhow::Result<()> {
        let (records, is_unread) = self.records_to_load(host).await;
        let is_stale = self.active_set_is_stale;
        self.repair_pins();
        let policy = Arc::clone(self.policy());
        let description = Description {
            pauses,
            ..self.description.clone()
        };
        let again = move || anyhow::Ok(DescribedPolicy::again(&policy, records, &description)?);
        let file = host.run_while_waiting(self, again).await??;
        let (reused, log) = (self.datapath.reusable(&file.compiled)?, self.datapath_log);
        let load = move || prepare::load(file, log, &reused);
        let prepared = host.run_while_waiting(self, load).await??;
        self.install(prepared, host)?;
        self.paused_at = PausedAt::now();
        if is_unread {
            self.active_set_is_stale = is_stale;
            self.retry_at = Some(Instant::now() + RETRY);
        }
        Ok(())
    }

    /// The pauses that are over, and that the kernel still has dates for, if the next attempt is due.
    pub(crate) fn pauses_over(&mut self) -> Vec<Pause> {
        let (now, passed) = (Timestamp::now(), self.paused_at.passed.elapsed());
        let is_over = |pause: &&Pause| self.paused_at.is_over(pause, now, passed);
        let over: Vec<_> = self.description.pauses.iter().filter(is_over).cloned().collect();
        if over.is_empty() || self.end_pauses_at.is_some_and(|due| Instant::now() < due) {
            return Vec::new();
        }
        self.end_pauses_at = Some(Instant::now() + RETRY);
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_pause_is_over_at_its_end_by_the_clock_or_once_its_time_has_passed() {
        let began = at("2026-11-29T03:00:00Z");
        let pause = Pause {
            pool: None,
            except: Vec::new(),
            at: began,
            until: Some(at("2026-11-29T03:30:00Z")),
            uid: 0,
            user: "root".to_owned(),
            reason: "a test".to_owned(),
        };
        let paused_at = PausedAt {
            clock: began,
            passed: Instant::now(),
        };
        let minutes = Duration::from_mins;
        let is_over = |now, passed| paused_at.is_over(&pause, at(now), passed);
        assert!(!is_over("2026-11-29T03:29:59Z", minutes(29)));
        assert!(
            is_over("2026-11-29T03:30:00Z", minutes(1)),
            "the clock was set ahead"
        );
        assert!(!is_over("2026-11-29T02:00:00Z", minutes(29)), "it was set back");
        assert!(is_over("2026-11-29T02:01:00Z", minutes(30)), "it was set back");
        assert!(is_over("1970-01-01T00:00:00Z", minutes(1)), "it was lost");
        let endless = Pause {
            until: None,
            ..pause.clone()
        };
        assert!(!paused_at.is_over(&endless, at("2099-01-01T00:00:00Z"), minutes(1_000_000)));
    }
}
