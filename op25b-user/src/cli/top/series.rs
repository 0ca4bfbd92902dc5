//! The rates of the last minutes, for the sparklines.

use std::collections::{HashMap, VecDeque};

use super::per_second::{ReasonRate, Recently, of_recent, reasons};
use crate::report::Rates;

/// How many rates of each series are kept: no terminal is wider.
const KEPT: usize = 400;

/// Rates, the newest last; none where it is not known.
#[derive(Clone, Debug, Default)]
pub(super) struct Series(VecDeque<Option<f64>>);

impl Series {
    fn push(&mut self, rate: Option<f64>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(rate);
    }

    /// The newest of them, as many as there are.
    pub(super) fn newest(&self, count: usize) -> impl Iterator<Item = Option<f64>> + Clone {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied()
    }
}

/// The series of all reasons and pools.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    last: Option<Rates>,
    /// What is counted now.
    pub(super) reasons: Vec<ReasonRate>,
    by_reason: HashMap<String, Series>,
    by_pool: HashMap<String, Series>,
}

impl History {
    /// Adds what was counted, if it is newer than what was added last.
    pub(super) fn add(&mut self, rates: &Rates) {
        if self
            .last
            .as_ref()
            .is_some_and(|last| last.clock_ms == rates.clock_ms)
        {
            return;
        }
        self.reasons = reasons(self.last.as_ref(), rates);
        for rate in &self.reasons {
            self.by_reason
                .entry(rate.name())
                .or_default()
                .push(rate.per_second);
        }
        for pool in &rates.pools {
            let rate = of_recent(pool.recent, rates.measured_ms);
            let series = self.by_pool.entry(pool.pool.clone()).or_default();
            series.push(rate.map(Recently::packets));
        }
        let is_there = |name: &String| rates.pools.iter().any(|pool| pool.pool == *name);
        self.by_pool.retain(|name, _| is_there(name));
        self.last = Some(rates.clone());
    }

    /// The rates of a reason.
    pub(super) fn of_reason(&self, rate: &ReasonRate) -> Option<&Series> {
        self.by_reason.get(&rate.name())
    }

    /// The rates of a pool.
    pub(super) fn of_pool(&self, pool: &str) -> Option<&Series> {
        self.by_pool.get(pool)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rates(clock_ms: u64, blocked: u64, pool: &str, recent: u64) -> Rates {
        serde_json::from_value(json!({
            "at": "2026-11-29T03:00:00Z", "clock_ms": clock_ms, "measured_ms": 1000,
            "counters": { "blocked": blocked }, "uplink_counters": null,
            "pools": [{
                "pool": pool, "remembered": true, "subscribers": 1, "active": 1,
                "recent": { "blocked": recent, "monitored": 0, "hidden": 0 },
            }],
        }))
        .unwrap()
    }

    #[test]
    fn each_reading_adds_one_rate_and_one_that_begins_anew_a_gap() {
        let mut history = History::default();
        for (clock, blocked) in [(1000, 5), (2000, 15), (2000, 15), (3000, 2), (4000, 4)] {
            history.add(&rates(clock, blocked, "homes", 3));
        }
        let series = history.of_reason(&history.reasons[0]).unwrap();
        let all: Vec<_> = series.newest(9).collect();
        assert_eq!(all, [None, Some(10.0), None, Some(2.0)]);
        assert_eq!(series.newest(1).collect::<Vec<_>>(), [Some(2.0)]);
        assert_eq!(history.of_pool("homes").unwrap().newest(9).count(), 4);
        history.add(&rates(5000, 4, "mobile", 3));
        assert!(history.of_pool("homes").is_none());
        assert_eq!(
            history.of_pool("mobile").unwrap().newest(1).collect::<Vec<_>>(),
            [Some(3.0)]
        );
    }

    #[test]
    fn a_series_forgets_what_no_terminal_shows() {
        let mut series = Series::default();
        for _ in 0..=KEPT {
            series.push(Some(1.0));
        }
        assert_eq!(series.newest(usize::MAX).count(), KEPT);
    }
}
