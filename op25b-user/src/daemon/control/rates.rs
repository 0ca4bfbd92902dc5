//! The readings of subscribers' records that rates are measured with: kept as long as somebody watches, and then dropped.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{limits, shared::Shared};
use crate::{
    api::Problem,
    daemon::events::scrapes::Scrape,
    datapath::clock,
    report::{Measured, RateQuery, Rates, Readings, SubscribersError, measure},
};

/// How long readings are kept after the last question.
const KEPT: Duration = Duration::from_mins(2);

/// The readings that all clients share.
#[derive(Clone, Default)]
pub(super) struct SharedReadings(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    readings: Readings,
    /// Until when they are kept; nothing while none is.
    until: Option<Instant>,
}

impl SharedReadings {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the readings for a while from now on.
    fn keep(&self) {
        let until = Instant::now() + KEPT;
        if self.lock().until.replace(until).is_none() {
            tokio::spawn(drop_at(self.clone(), until));
        }
    }
}

/// Drops readings for which nobody has asked for a while.
async fn drop_at(readings: SharedReadings, mut until: Instant) {
    loop {
        sleep_until(until).await;
        let mut state = readings.lock();
        match state.until {
            Some(later) if later > until => until = later,
            _ => {
                *state = State::default();
                return;
            }
        }
    }
}

impl Shared {
    /// What the filter has counted, and what its pools and subscribers did since the reading before.
    pub(super) async fn rates(&self, query: RateQuery) -> Result<(Rates, Measured), Problem> {
        self.readings.keep();
        let filter = self.scrape(limits::TURN, Scrape::Filter).await?;
        let (at, now) = (jiff::Timestamp::now(), since_boot()?);
        let records = self.scrape(limits::TURN, Scrape::Records).await?;
        let readings = self.readings.clone();
        let work = move || {
            // Whoever asks at the same time waits: the readings are those of one after the other.
            let state = &mut *readings.lock();
            measure(&records, &query, since_boot()?, &mut state.readings).map_err(|error| match error {
                SubscribersError::NoPool { .. } => Problem::invalid(error.to_string()),
                error => Problem::internal(format!("{:#}", anyhow::Error::from(error))),
            })
        };
        let mut measured = self.readers.work(work).await??;
        let rates = Rates {
            at,
            clock_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            counters: filter.counters,
            uplink_counters: filter.uplink_counters,
            measured_ms: measured.span_ms,
            pools: std::mem::take(&mut measured.pools),
        };
        Ok((rates, measured))
    }
}

/// The time of the boot-time clock.
fn since_boot() -> Result<Duration, Problem> {
    let read = clock::since_boot();
    let read =
        read.map_err(|error| Problem::internal(format!("cannot read the system's clocks: {error}")))?;
    Ok(Duration::from_nanos(u64::try_from(read).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readings_are_dropped_two_minutes_after_the_last_question() {
        let readings = SharedReadings::default();
        let kept = || readings.lock().until.is_some();
        for _ in 0..3 {
            readings.keep();
            advance(KEPT.saturating_sub(Duration::from_secs(1))).await;
            tokio::task::yield_now().await;
            assert!(kept());
        }
        sleep(Duration::from_secs(2)).await;
        assert!(!kept());
        readings.keep();
        assert!(kept());
    }
}
