//! The stage of the date: the pool is monitored until some seconds from now, and nobody does anything then.

use std::{
    path::Path as FilePath,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use jiff::Timestamp;

use super::{Demo, PATIENCE, SILENCE, policy};
use crate::{filter::Filter, interrupt, lab::Family, mail::Outcome, traffic::Path};

/// How far the date is ahead: long enough for the mail that is monitored.
const AHEAD: i64 = 8;

/// What became of the blocked path before and after the date, and what was counted.
pub(super) struct Crossed {
    pub date: Timestamp,
    pub before: Vec<Outcome>,
    pub after: Vec<Outcome>,
    /// Packets monitored and blocked before the date, and after it.
    pub counted: [[u64; 2]; 2],
    /// What `op25b events` shows of the packets.
    pub events: String,
}

impl Crossed {
    /// The outcomes, and whether each is as it should be.
    pub fn outcomes(&self) -> impl Iterator<Item = (Family, [(&Outcome, bool); 2])> {
        let pairs = self.before.iter().zip(&self.after);
        Family::BOTH
            .into_iter()
            .zip(pairs)
            .map(|(family, (before, after))| {
                let before = (before, *before == Outcome::Works);
                let after = (after, *after == Outcome::Silence);
                (family, [before, after])
            })
    }

    /// Whether packets were counted as monitored before the date only, and as blocked after it only.
    pub fn is_counted_as_expected(&self) -> bool {
        let [[monitored, blocked], [monitored_after, blocked_after]] = self.counted;
        monitored > 0 && blocked == 0 && monitored_after == 0 && blocked_after > 0
    }

    /// Whether events show packets that were monitored and some that were blocked.
    pub fn is_shown_as_expected(&self) -> bool {
        ["monitored", "blocked"]
            .iter()
            .all(|reason| self.events.contains(reason))
    }
}

impl Demo<'_> {
    /// Tries the blocked path before and after a date from which the pool is enforced.
    pub(super) fn cross_the_date(
        &self,
        filter: &Filter,
        lab_policy: &FilePath,
        policy: &FilePath,
    ) -> anyhow::Result<Crossed> {
        self.progress.stage(
            "waiting for the date on which blocking begins",
            2 * Family::BOTH.len(),
        );
        let date = Timestamp::from_second(Timestamp::now().as_second() + AHEAD)?;
        policy::with_date(lab_policy, policy, date)?;
        let counts =
            || -> anyhow::Result<[u64; 2]> { Ok([filter.count("monitored")?, filter.count("blocked")?]) };
        let since = |then: [u64; 2], now: [u64; 2]| [now[0] - then[0], now[1] - then[1]];
        let begin = counts()?;
        filter.reload()?;
        let before = self.try_direct(PATIENCE)?;
        ensure!(
            Timestamp::now() < date,
            "the mail before the date took longer than {AHEAD} s: the machine is too slow for this stage"
        );
        wait_until(date)?;
        let reached = counts()?;
        let after = self.try_direct(SILENCE)?;
        Ok(Crossed {
            date,
            before,
            after,
            counted: [since(begin, reached), since(reached, counts()?)],
            events: filter.ask(&["events", "--limit", "12"])?,
        })
    }

    /// Tries the blocked path over both families.
    pub(super) fn try_direct(&self, patience: Duration) -> anyhow::Result<Vec<Outcome>> {
        let attempts = Family::BOTH.map(|family| (Path::DIRECT, family, patience));
        Path::attempt_all(&attempts, self.lab, self.servers, || self.progress.step())
    }
}

/// Waits until the date has come, and the program's clock, which is read once a tick, has reached it.
fn wait_until(date: Timestamp) -> anyhow::Result<()> {
    const TICK: Duration = Duration::from_millis(50);
    let left = Duration::try_from(date.duration_since(Timestamp::now())).unwrap_or_default();
    let end = Instant::now() + left + TICK;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(TICK);
    }
    Ok(())
}
