//! How long the history is kept, and what is forgotten of it.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        times::{Times, timestamp},
        writer::Limits,
    },
    NotRecorded, Recorder,
};
use crate::{
    datapath::MapError,
    policy::{History, Privacy},
    store::{
        Deleted,
        activity::{Forget, Kind},
    },
};

/// How often it is examined how much is kept.
pub(super) const KEEP: Duration = Duration::from_mins(10);
/// A larger change of the clock means that it was set: nothing is removed for its age until it is steady.
const STEP: Duration = Duration::from_secs(2);

impl Recorder {
    /// Removes what is not kept any longer, now and then.
    pub(super) fn keep_if_due(&mut self, history: &History, times: Times) -> Result<(), NotRecorded> {
        if Instant::now() < self.keep_at {
            return Ok(());
        }
        self.keep_at = Instant::now() + KEEP;
        let is_steady = u128::from(times.step_since(self.kept)) <= STEP.as_nanos();
        self.kept = times;
        let before = |length| {
            let before = timestamp(times.unix()).checked_sub(length).ok();
            before.filter(|_| is_steady).unwrap_or(Timestamp::MIN)
        };
        let limits = Limits {
            oldest: before(kept_for(history, self.privacy)),
            shorter: kept_shorter(self.privacy).map(|(kind, length)| (kind, before(length))),
        };
        self.writer.keep(limits, history)?;
        self.prune()
    }

    /// Forgets what records had counted that the kernel does not have any more.
    fn prune(&mut self) -> Result<(), NotRecorded> {
        let Some(records) = self.records.as_ref().filter(|_| self.is_ready) else {
            return Ok(());
        };
        let (live, mut failed) = (&self.live, None);
        self.writer.prune(|known| {
            let still = live.still()?;
            let is_gone = |(subscriber, began): &(IpNet, u32)| -> Result<bool, MapError> {
                let record = records.of(*subscriber)?;
                Ok(record.is_none_or(|record| record.cold.first_seen != *began))
            };
            let gone: Result<Vec<_>, _> = known.iter().map(is_gone).collect();
            match gone {
                Ok(gone) => (live.still() == Some(still)).then_some(gone),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        })?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Removes what is to be forgotten, also of the open bucket.
    pub(super) fn forget(&mut self, forget: &[Forget]) -> Result<Deleted, NotRecorded> {
        if let Some(history) = self.history {
            // Then all there is of it is in the database.
            self.write_open(&history)?;
            if !self.is_ready {
                return Err(NotRecorded::NotBegun);
            }
        }
        self.recent.clear();
        self.alerts.forget(forget);
        if let Some(records) = &mut self.records {
            records.forget_exempt(|subscriber| forget.iter().any(|forget| forget.is_about(subscriber)))?;
        }
        let deleted = self.writer.forget(forget)?;
        if self.history.is_some() {
            self.prune()?;
        }
        Ok(deleted)
    }
}

/// How long buckets are kept: no longer than what is recorded of subscribers in any pool.
pub(in super::super) fn kept_for(history: &History, privacy: Privacy) -> SignedDuration {
    privacy
        .longest()
        .map_or(history.keep, |longest| longest.min(history.keep))
}

/// What is kept for less long than the buckets, and how long.
fn kept_shorter(privacy: Privacy) -> Option<(Kind, SignedDuration)> {
    let Privacy {
        retain,
        monitor_retain,
        ..
    } = privacy;
    let blocked = retain.map(|retain| (Kind::Blocked, retain));
    let monitored = monitor_retain.map(|retain| (Kind::Monitored, retain));
    match (blocked, monitored) {
        (Some(blocked), Some(monitored)) if blocked.1 == monitored.1 => None,
        (Some(blocked), Some(monitored)) if blocked.1 < monitored.1 => Some(blocked),
        (blocked, monitored) => monitored.or(blocked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_kept_for_the_shorter_time_and_of_two_kinds_the_shorter_ends_first() {
        let days = |days: i64| Some(SignedDuration::from_hours(days * 24));
        let privacy = |retain, monitor_retain| Privacy {
            retain,
            monitor_retain,
            require_reason: false,
        };
        let history = History::default();
        for (retain, monitor_retain, buckets, shorter) in [
            (days(90), days(90), 90, None),
            (days(30), days(30), 30, None),
            (days(90), days(30), 90, Some((Kind::Monitored, 30))),
            (days(7), days(30), 30, Some((Kind::Blocked, 7))),
            (None, days(30), 90, Some((Kind::Monitored, 30))),
            (days(30), None, 90, Some((Kind::Blocked, 30))),
            (days(200), days(200), 90, None),
            (None, None, 90, None),
        ] {
            let privacy = privacy(retain, monitor_retain);
            let shorter = shorter.map(|(kind, days)| (kind, SignedDuration::from_hours(days * 24)));
            assert_eq!(Some(kept_for(&history, privacy)), days(buckets), "{privacy:?}");
            assert_eq!(kept_shorter(privacy), shorter, "{privacy:?}");
        }
    }
}
