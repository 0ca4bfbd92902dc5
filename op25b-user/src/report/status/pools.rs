//! The pools of a policy: what is wanted of each now, and what the program in the kernel does.

use jiff::Timestamp;
use op25b_common::values::{NEVER, UnixSeconds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    datapath::{Description, PoolStart, PoolStarts, PoolSummary},
    policy::{Pause, PauseEnd, PoolMode, ReachedDates},
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
    /// When enforcement towards every destination begins, as in the policy.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enforce_from: Option<Timestamp>,
    /// Its phases, as in the policy; empty for a pool that is enforced or monitored as a whole.
    #[serde(default)]
    pub phases: Vec<PhaseStatus>,
    /// What the policy wants now; null in the report of an earlier version.
    #[serde(default)]
    pub wanted: Option<PoolState>,
    /// What the program in the kernel does; null if its maps cannot be read, or no address is looked up to the pool as longer prefixes
    /// of others cover it.
    #[serde(default)]
    pub actual: Option<PoolState>,
}

/// A phase of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhaseStatus {
    /// When it begins, as in the policy; null for one without a date.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// To how many destination prefixes it is restricted; 0 for every destination.
    pub only_to: usize,
    /// Whether it has begun, by its date. Nothing is enforced for all that in monitor mode and during a pause.
    pub has_begun: bool,
}

/// Earlier versions remember all pools' subscribers.
fn yes() -> bool {
    true
}

/// What is done to packets of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolState {
    /// `enforce`, `partial` or `monitor`; `mixed` if parts of the pool differ, which would be a fault.
    pub mode: PoolWord,
    /// Until when a monitored pool is: it is enforced then, or its first phase begins. For one that is enforced in part: when its next
    /// phase begins.
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
    /// They are blocked towards the destinations of the phases that have begun; the others pass as in `monitor`.
    Partial,
    /// They pass, and what would have been blocked is counted.
    Monitor,
    /// The one here and the other there.
    Mixed,
}

impl PoolState {
    /// The state of a pool at an instant: `everywhere` is when it is enforced towards every destination, and `phases` when towards
    /// some of them; none for never.
    fn at(
        now: Timestamp,
        everywhere: Option<Timestamp>,
        phases: impl Iterator<Item = Option<Timestamp>>,
    ) -> Self {
        let has_begun = |date: &Timestamp| *date <= now;
        if everywhere.as_ref().is_some_and(has_begun) {
            return Self::enforced();
        }
        let (begun, ahead): (Vec<_>, Vec<_>) = phases.flatten().partition(has_begun);
        Self {
            mode: if begun.is_empty() {
                PoolWord::Monitor
            } else {
                PoolWord::Partial
            },
            until: ahead.into_iter().chain(everywhere).min(),
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
        let date = |from| begins(&pool.name, from, reached, now);
        if pool.mode == PoolMode::Monitor.name() {
            return Self::at(now, None, std::iter::empty());
        }
        if pool.phases.is_empty() {
            return Self::at(now, Some(date(pool.enforce_from)), std::iter::empty());
        }
        let everywhere = pool.phases.iter().find(|phase| phase.only_to == 0);
        let everywhere = everywhere.map(|phase| date(phase.from));
        let some = pool.phases.iter().filter(|phase| phase.sample.is_some());
        Self::at(now, everywhere, some.map(|phase| Some(date(phase.from))))
    }

    /// The same during a pause.
    fn paused(self, pause: Option<&Pause>, now: Timestamp) -> Self {
        match pause.filter(|pause| pause.is_in_force(now)) {
            Some(pause) if self.mode != PoolWord::Monitor || self.ends_before(pause.end()) => Self {
                mode: PoolWord::Monitor,
                until: pause.until,
            },
            _ => self,
        }
    }

    fn ends_before(self, end: PauseEnd) -> bool {
        self.until.is_some_and(|until| PauseEnd::At(until) < end)
    }

    /// What the program does.
    fn actual(start: &PoolStart, now: Timestamp) -> Self {
        let [first, last] = [start.first, start.last].map(|everywhere| {
            Self::at(
                now,
                instant(everywhere),
                start.phases.iter().map(|from| instant(*from)),
            )
        });
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

/// When a phase begins, as the program has it.
fn instant(start: UnixSeconds) -> Option<Timestamp> {
    let instant = Timestamp::from_second(i64::from(start)).ok();
    instant.filter(|_| start != NEVER)
}

/// When a phase of a policy begins: a date that was reached is past, whatever the clock says.
fn begins(pool: &str, from: Option<Timestamp>, reached: &ReachedDates, now: Timestamp) -> Timestamp {
    let is_reached = |from: &Timestamp| reached.contains(pool, *from);
    from.map_or(now, |from| if is_reached(&from) { from.min(now) } else { from })
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
    /// Whether a pool that the policy enforces now is monitored for a while: neither its mode nor its date, if it has one, is the
    /// reason.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        let dates = self.phases.iter().map(|phase| phase.from);
        let dates: Vec<Timestamp> = dates.chain([self.enforce_from]).flatten().collect();
        let is_date = |until: Timestamp| dates.iter().any(|date| date.as_second() == until.as_second());
        let is_monitored = |state: PoolState| {
            let has_no_end = self.mode == PoolMode::Enforce.name();
            state.mode == PoolWord::Monitor && state.until.map_or(has_no_end, |until| !is_date(until))
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
            phases: (pool.phases.iter())
                .map(|phase| PhaseStatus {
                    from: phase.from,
                    only_to: phase.only_to,
                    has_begun: begins(&pool.name, phase.from, &description.reached, now) <= now,
                })
                .collect(),
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
    use crate::datapath::PhaseSummary;

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
        PoolState::wanted(&wanted_pool(mode, enforce_from), &dates, at(NOW))
    }

    fn wanted_pool(mode: &str, enforce_from: Option<&str>) -> PoolSummary {
        PoolSummary {
            name: "homes".to_owned(),
            mode: mode.to_owned(),
            prefixes: 1,
            remembered: true,
            enforce_from: enforce_from.map(at),
            phases: Vec::new(),
        }
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
            until: Some(at("2026-11-28T12:30:00Z")),
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
        let endless = Pause { until: None, ..pause };
        let later = at("2099-01-01T00:00:00Z");
        let state = monitored(Some("2098-01-01T00:00:00Z")).paused(Some(&endless), later);
        assert_eq!(state, monitored(None), "its date passes");
        for (mode, is_paused) in [("enforce", true), ("monitor", false)] {
            let pool = PoolStatus {
                name: "homes".to_owned(),
                mode: mode.to_owned(),
                prefixes: 1,
                remembered: true,
                enforce_from: None,
                phases: Vec::new(),
                wanted: Some(
                    PoolState::wanted(&wanted_pool(mode, None), &ReachedDates::default(), later)
                        .paused(Some(&endless), later),
                ),
                actual: None,
            };
            assert_eq!(pool.wanted, Some(monitored(None)));
            assert_eq!(pool.is_paused(), is_paused, "{mode}");
        }
    }

    #[test]
    fn what_the_kernel_does_is_read_from_the_start_of_enforcement() {
        let now = at(NOW);
        let seconds = |time: &str| UnixSeconds::try_from(at(time).as_second()).unwrap();
        let actual = |first, last| PoolState::actual(&PoolStart::of_all(first, last), now);
        assert_eq!(actual(ALWAYS_PAST, ALWAYS_PAST), PoolState::enforced());
        assert_eq!(actual(ALWAYS_PAST, seconds(NOW)), PoolState::enforced());
        assert_eq!(actual(NEVER, NEVER), monitored(None));
        let later = "2026-11-28T12:30:00Z";
        assert_eq!(actual(seconds(later), seconds(later)), monitored(Some(later)));
        assert_eq!(actual(ALWAYS_PAST, NEVER).mode, PoolWord::Mixed);
    }

    #[test]
    fn a_pool_with_phases_is_enforced_in_part_from_the_first_of_them_until_the_last_begins() {
        let [first, second, last] =
            ["2026-11-01", "2026-12-01", "2027-01-01"].map(|day| format!("{day}T00:00:00Z"));
        let phase = |from: &str, only_to| PhaseSummary {
            from: Some(at(from)),
            only_to,
            sample: (only_to > 0).then_some([192, 0, 2, 1].into()),
        };
        let pool = |phases| PoolSummary {
            phases,
            ..wanted_pool("enforce", None)
        };
        let all = pool(vec![phase(&first, 2), phase(&second, 1), phase(&last, 0)]);
        let early = pool(vec![phase(&first, 2)]);
        let partial = |until: Option<&str>| PoolState {
            mode: PoolWord::Partial,
            until: until.map(at),
        };
        let none = ReachedDates::default();
        let wants = |pool: &PoolSummary, now: &str| PoolState::wanted(pool, &none, at(now));
        assert_eq!(wants(&all, "2026-10-31T23:59:59Z"), monitored(Some(&first)));
        assert_eq!(wants(&all, &first), partial(Some(&second)));
        assert_eq!(wants(&all, &second), partial(Some(&last)));
        assert_eq!(wants(&all, &last), PoolState::enforced());
        assert_eq!(wants(&early, &last), partial(None), "never towards all");
        let mut reached = ReachedDates::default();
        reached.insert("homes", at(&second));
        let behind = at("2026-10-01T00:00:00Z");
        assert_eq!(PoolState::wanted(&all, &reached, behind), partial(Some(&first)));
        // The kernel, read at the same instants.
        let seconds = |time: &str| UnixSeconds::try_from(at(time).as_second()).unwrap();
        let start = PoolStart {
            phases: vec![seconds(&first), seconds(&second), seconds(&last)],
            ..PoolStart::of_all(seconds(&last), seconds(&last))
        };
        for now in ["2026-10-31T23:59:59Z", &first, &second, &last] {
            assert!(PoolState::actual(&start, at(now)).is(wants(&all, now)), "{now}");
        }
    }

    #[test]
    fn a_difference_of_less_than_a_second_is_none() {
        let pool = |wanted, actual| PoolStatus {
            name: "homes".to_owned(),
            mode: "enforce".to_owned(),
            prefixes: 1,
            remembered: true,
            enforce_from: None,
            phases: Vec::new(),
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
