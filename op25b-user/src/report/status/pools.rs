//! The pools of a policy: what is wanted of each now, and what the program in the kernel does.

use jiff::Timestamp;
use op25b_common::values::{NEVER, UnixSeconds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    datapath::{Description, PoolStart, PoolStarts, PoolSummary},
    policy::{Pause, PoolMode, ReachedDates},
};

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// The pool's name.
    pub name: String,
    /// The pool's mode, as in the policy.
    pub mode: String,
    /// How many prefixes it has.
    pub prefixes: usize,
    /// Whether its subscribers have records.
    #[serde(default = "yes")]
    pub remembered: bool,
    /// When enforcement begins, as in the policy.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enforce_from: Option<Timestamp>,
    /// What the policy wants now; null in the report of an earlier version.
    #[serde(default)]
    pub wanted: Option<PoolState>,
    /// What the program in the kernel does; null if its maps cannot be read, or no address is looked up to the pool as longer prefixes
    /// of others cover it.
    #[serde(default)]
    pub actual: Option<PoolState>,
}

/// Earlier versions remember all pools' subscribers.
fn yes() -> bool {
    true
}

/// What is done to packets of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolState {
    /// `enforce` or `monitor`; `mixed` if parts of the pool differ, which would be a fault.
    pub mode: PoolWord,
    /// Until when a monitored pool is: it is enforced then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// What is done to packets of a pool, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolWord {
    /// They are blocked.
    Enforce,
    /// They pass, and what would have been blocked is counted.
    Monitor,
    /// The one here and the other there.
    Mixed,
}

impl PoolState {
    /// The state of a pool that is enforced from an instant on, as the program decides it at another one.
    fn from(start: UnixSeconds, now: Timestamp) -> Self {
        let until = Timestamp::from_second(i64::from(start)).ok();
        match until {
            Some(until) if until <= now => Self::enforced(),
            until => Self {
                mode: PoolWord::Monitor,
                until: until.filter(|_| start != NEVER),
            },
        }
    }

    fn enforced() -> Self {
        Self {
            mode: PoolWord::Enforce,
            until: None,
        }
    }

    /// What a policy wants of a pool.
    fn wanted(pool: &PoolSummary, reached: &ReachedDates, now: Timestamp) -> Self {
        let monitored_until = |until| Self {
            mode: PoolWord::Monitor,
            until,
        };
        if pool.mode == PoolMode::Monitor.name() {
            return monitored_until(None);
        }
        match pool.enforce_from {
            Some(from) if from > now && !reached.contains(&pool.name, from) => monitored_until(Some(from)),
            _ => Self::enforced(),
        }
    }

    /// The same during a pause, which ends by itself.
    fn paused(self, pause: Option<&Pause>, now: Timestamp) -> Self {
        match pause.filter(|pause| pause.is_in_force(now)) {
            Some(pause)
                if self.mode == PoolWord::Enforce || self.until.is_some_and(|until| until < pause.until) =>
            {
                Self {
                    mode: PoolWord::Monitor,
                    until: Some(pause.until),
                }
            }
            _ => self,
        }
    }

    /// What the program does.
    fn actual(start: PoolStart, now: Timestamp) -> Self {
        let [first, last] = [start.first, start.last].map(|start| Self::from(start, now));
        if first == last {
            first
        } else {
            Self {
                mode: PoolWord::Mixed,
                until: None,
            }
        }
    }

    /// Whether it is the same, to the second: the program knows no fractions.
    fn is(self, other: Self) -> bool {
        let seconds = |state: Self| state.until.map(Timestamp::as_second);
        self.mode == other.mode && seconds(self) == seconds(other)
    }
}

impl PoolStatus {
    /// Whether the program in the kernel does something else than the policy wants.
    #[must_use]
    pub fn differs(&self) -> bool {
        match (self.wanted, self.actual) {
            (Some(wanted), Some(actual)) => !wanted.is(actual),
            _ => false,
        }
    }
}

impl PoolStatus {
    /// Whether a pool that the policy enforces now is monitored for a while: its date, if it has one, is not the reason.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        let until = |at: Option<Timestamp>| at.map(Timestamp::as_second);
        let is_monitored = |state: PoolState| {
            state.mode == PoolWord::Monitor
                && state.until.is_some()
                && until(state.until) != until(self.enforce_from)
        };
        self.wanted.is_some_and(is_monitored)
    }
}

/// The pools of a filter at an instant, by its description and by its maps as far as they can be read.
#[must_use]
pub fn pool_statuses(
    description: &Description,
    starts: Option<&PoolStarts>,
    now: Timestamp,
) -> Vec<PoolStatus> {
    let pools = description.pools.iter().enumerate();
    pools
        .map(|(index, pool)| PoolStatus {
            name: pool.name.clone(),
            mode: pool.mode.clone(),
            prefixes: pool.prefixes,
            remembered: pool.remembered,
            enforce_from: pool.enforce_from,
            wanted: Some({
                let pause = description.pauses.of_pool(&pool.name);
                PoolState::wanted(pool, &description.reached, now).paused(pause, now)
            }),
            actual: starts
                .and_then(|starts| starts.of(index))
                .map(|start| PoolState::actual(start, now)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use op25b_common::values::ALWAYS_PAST;

    use super::*;

    const NOW: &str = "2026-11-28T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn monitored(until: Option<&str>) -> PoolState {
        PoolState {
            mode: PoolWord::Monitor,
            until: until.map(at),
        }
    }

    fn wanted(mode: &str, enforce_from: Option<&str>, reached: &[&str]) -> PoolState {
        let mut dates = ReachedDates::default();
        for date in reached {
            dates.insert("homes", at(date));
        }
        let pool = PoolSummary {
            name: "homes".to_owned(),
            mode: mode.to_owned(),
            prefixes: 1,
            remembered: true,
            enforce_from: enforce_from.map(at),
        };
        PoolState::wanted(&pool, &dates, at(NOW))
    }

    #[test]
    fn a_pool_whose_date_lies_ahead_is_wanted_monitored_until_then_unless_it_was_reached() {
        let date = "2027-01-01T00:00:00Z";
        assert_eq!(wanted("enforce", None, &[]), PoolState::enforced());
        assert_eq!(wanted("monitor", None, &[]), monitored(None));
        assert_eq!(wanted("enforce", Some(date), &[]), monitored(Some(date)));
        assert_eq!(wanted("enforce", Some(date), &[date]), PoolState::enforced());
        assert_eq!(wanted("enforce", Some(NOW), &[]), PoolState::enforced());
    }

    #[test]
    fn a_pool_is_wanted_monitored_until_the_end_of_its_pause_and_no_longer_than_that() {
        let pause = Pause {
            pool: None,
            except: Vec::new(),
            at: at(NOW),
            until: at("2026-11-28T12:30:00Z"),
            uid: 0,
            user: "root".to_owned(),
            reason: "a test".to_owned(),
        };
        let paused = |state: PoolState, now| state.paused(Some(&pause), at(now));
        assert_eq!(
            paused(PoolState::enforced(), NOW),
            monitored(Some("2026-11-28T12:30:00Z"))
        );
        assert_eq!(
            paused(PoolState::enforced(), "2026-11-28T12:30:00Z"),
            PoolState::enforced()
        );
        assert_eq!(paused(monitored(None), NOW), monitored(None));
        for (date, until) in [("12:10", "12:30"), ("12:50", "12:50")] {
            let [date, until] = [date, until].map(|time| format!("2026-11-28T{time}:00Z"));
            assert_eq!(paused(monitored(Some(&date)), NOW), monitored(Some(&until)));
        }
        assert_eq!(PoolState::enforced().paused(None, at(NOW)), PoolState::enforced());
    }

    #[test]
    fn what_the_kernel_does_is_read_from_the_start_of_enforcement() {
        let now = at(NOW);
        let seconds = |time: &str| UnixSeconds::try_from(at(time).as_second()).unwrap();
        let actual = |first, last| PoolState::actual(PoolStart { first, last }, now);
        assert_eq!(actual(ALWAYS_PAST, ALWAYS_PAST), PoolState::enforced());
        assert_eq!(actual(ALWAYS_PAST, seconds(NOW)), PoolState::enforced());
        assert_eq!(actual(NEVER, NEVER), monitored(None));
        let later = "2026-11-28T12:30:00Z";
        assert_eq!(actual(seconds(later), seconds(later)), monitored(Some(later)));
        assert_eq!(actual(ALWAYS_PAST, NEVER).mode, PoolWord::Mixed);
    }

    #[test]
    fn a_difference_of_less_than_a_second_is_none() {
        let pool = |wanted, actual| PoolStatus {
            name: "homes".to_owned(),
            mode: "enforce".to_owned(),
            prefixes: 1,
            remembered: true,
            enforce_from: None,
            wanted: Some(wanted),
            actual,
        };
        let wanted = monitored(Some("2027-01-01T00:00:00.5Z"));
        assert!(!pool(wanted, Some(monitored(Some("2027-01-01T00:00:00Z")))).differs());
        assert!(pool(wanted, Some(monitored(Some("2027-01-01T00:00:01Z")))).differs());
        assert!(pool(wanted, Some(monitored(None))).differs());
        assert!(pool(wanted, Some(PoolState::enforced())).differs());
        assert!(!pool(wanted, None).differs());
    }
}
