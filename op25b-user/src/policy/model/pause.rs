//! Pauses: pools, or all that blocks, that are only monitored until an instant, without a change of the policy.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Policy, Pool};
/// A pause. The program itself ends it at its last second, whether or not a daemon runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    /// The pool; none if everything that blocks is paused: all pools, also those that a reload adds, sources in no pool, and
    /// TCP that hides its ports.
    #[serde(default)]
    pub pool: Option<String>,
    /// The pools for which a pause of everything was ended.
    #[serde(default)]
    pub except: Vec<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When it ends by itself, in whole seconds.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// The number of the user who paused.
    pub uid: u32,
    /// That user's name; the number if the system has none.
    pub user: String,
    /// The reason that they gave.
    pub reason: String,
}

/// The pauses, at most one of everything and one of each pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pauses(Vec<Pause>);

impl Pause {
    /// The longest pause. A brake that is forgotten does not outlive the day.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

    /// Whether it is in force. One that would end later than any pause may was made under another clock, and counts as ended.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until > now && self.until.duration_since(now) <= Self::LONGEST
    }

    /// Whether it is a pause of a pool.
    #[must_use]
    pub fn concerns(&self, pool: &str) -> bool {
        match &self.pool {
            Some(name) => name == pool,
            None => !self.except.iter().any(|name| name == pool),
        }
    }

    /// What is paused, for people.
    #[must_use]
    pub fn what(&self) -> String {
        match (&self.pool, &self.except[..]) {
            (Some(pool), _) => format!("pool {pool}"),
            (None, []) => "everything".to_owned(),
            (None, except) => format!("everything but {}", except.join(", ")),
        }
    }
}

#[cfg(test)]
impl Pause {
    /// Half an hour of 29 November 2026 in Japan, by 花子.
    pub(crate) fn fake(pool: Option<&str>) -> Self {
        Self {
            pool: pool.map(str::to_owned),
            except: Vec::new(),
            at: "2026-11-28T18:00:00Z".parse().unwrap(),
            until: "2026-11-28T18:30:00Z".parse().unwrap(),
            uid: 1000,
            user: "花子".to_owned(),
            reason: "OPS-812:\nメールが届かない".to_owned(),
        }
    }
}

impl Pauses {
    /// The pauses, that of everything first.
    pub fn iter(&self) -> impl Iterator<Item = &Pause> {
        self.0.iter()
    }

    /// Those that are in force at an instant.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Pause> {
        self.0.iter().filter(move |pause| pause.is_in_force(now))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pause of a pool that lasts longest.
    #[must_use]
    pub fn of_pool(&self, pool: &str) -> Option<&Pause> {
        let concern = self.0.iter().filter(|pause| pause.concerns(pool));
        concern.max_by_key(|pause| pause.until)
    }

    /// The pause that is why a pool or, without one, a source in no pool is only monitored, if it is in force and ends when that does.
    #[must_use]
    pub fn cause(&self, pool: Option<&str>, until: Timestamp, now: Timestamp) -> Option<&Pause> {
        let pause = pool.map_or_else(|| self.of_everything(), |pool| self.of_pool(pool));
        // The program knows no fractions of seconds.
        pause.filter(|pause| pause.is_in_force(now) && pause.until.as_second() == until.as_second())
    }

    /// The pause of everything.
    #[must_use]
    pub fn of_everything(&self) -> Option<&Pause> {
        self.0.iter().find(|pause| pause.pool.is_none())
    }

    /// Adds a pause instead of the one before for the same pool. One of everything replaces those of single pools.
    pub fn begin(&mut self, pause: Pause) {
        match &pause.pool {
            None => {
                self.0.clear();
                self.0.push(pause);
            }
            Some(pool) => {
                self.end_pool(pool);
                self.0.push(pause);
            }
        }
    }

    /// Ends all pauses of a pool; whether there was one.
    pub fn end_pool(&mut self, pool: &str) -> bool {
        let was_paused = self.of_pool(pool).is_some();
        self.0.retain(|pause| pause.pool.as_deref() != Some(pool));
        if was_paused {
            for pause in self.0.iter_mut().filter(|pause| pause.concerns(pool)) {
                pause.except.push(pool.to_owned());
            }
        }
        was_paused
    }

    /// Keeps those that hold; returns the others.
    pub fn retain(&mut self, holds: impl Fn(&Pause) -> bool) -> Vec<Pause> {
        let (kept, others) = std::mem::take(&mut self.0).into_iter().partition(holds);
        self.0 = kept;
        others
    }
}

impl<'a> IntoIterator for &'a Pauses {
    type Item = &'a Pause;
    type IntoIter = std::slice::Iter<'a, Pause>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Policy {
    /// Has exactly these pauses in force; whether that changes anything.
    pub fn pause(&mut self, pauses: &Pauses) -> bool {
        let before = (self.block.unlisted_paused_until, paused_until(&self.pools));
        self.block.unlisted_paused_until = pauses.of_everything().map(|pause| pause.until);
        for pool in &mut self.pools {
            pool.paused_until = pauses.of_pool(&pool.name).map(|pause| pause.until);
        }
        before != (self.block.unlisted_paused_until, paused_until(&self.pools))
    }

    /// Whether it has the pool of a pause.
    #[must_use]
    pub fn has_pool_of(&self, pause: &Pause) -> bool {
        let Some(name) = &pause.pool else {
            return true;
        };
        self.pools.iter().any(|pool| pool.name == *name)
    }
}

fn paused_until(pools: &[Pool]) -> Vec<Option<Timestamp>> {
    pools.iter().map(|pool| pool.paused_until).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn pause(pool: Option<&str>, until: &str) -> Pause {
        Pause {
            pool: pool.map(str::to_owned),
            except: Vec::new(),
            at: at("2026-11-29T03:00:00Z"),
            until: at(until),
            uid: 1000,
            user: "hanako".to_owned(),
            reason: "corporate mail fails".to_owned(),
        }
    }

    fn ends(pauses: &Pauses, pool: &str) -> Option<String> {
        pauses.of_pool(pool).map(|pause| pause.until.to_string())
    }

    #[test]
    fn a_pause_again_extends_or_shortens_that_of_its_pool_alone() {
        let mut pauses = Pauses::default();
        pauses.begin(pause(Some("a"), "2026-11-29T03:30:00Z"));
        pauses.begin(pause(Some("b"), "2026-11-29T03:30:00Z"));
        pauses.begin(pause(Some("a"), "2026-11-29T04:00:00Z"));
        assert_eq!(ends(&pauses, "a").unwrap(), "2026-11-29T04:00:00Z");
        assert_eq!(ends(&pauses, "b").unwrap(), "2026-11-29T03:30:00Z");
        pauses.begin(pause(Some("a"), "2026-11-29T03:10:00Z"));
        assert_eq!(ends(&pauses, "a").unwrap(), "2026-11-29T03:10:00Z");
        assert_eq!((pauses.iter().count(), pauses.of_everything()), (2, None));
    }

    #[test]
    fn a_pause_of_everything_holds_for_pools_that_do_not_exist_yet_and_can_be_ended_for_one() {
        let mut pauses = Pauses::default();
        pauses.begin(pause(Some("a"), "2026-11-29T04:00:00Z"));
        pauses.begin(pause(None, "2026-11-29T03:30:00Z"));
        assert_eq!(pauses.iter().count(), 1);
        assert_eq!(ends(&pauses, "new").unwrap(), "2026-11-29T03:30:00Z");
        assert!(pauses.end_pool("a"));
        assert!(!pauses.end_pool("a"), "it has ended");
        assert_eq!((ends(&pauses, "a"), ends(&pauses, "b").is_some()), (None, true));
        assert_eq!(pauses.of_everything().unwrap().what(), "everything but a");
        // Shorter than that of everything.
        pauses.begin(pause(Some("b"), "2026-11-29T03:10:00Z"));
        assert_eq!(ends(&pauses, "b").unwrap(), "2026-11-29T03:10:00Z");
    }

    #[test]
    fn a_pause_is_the_cause_of_what_is_monitored_as_long_as_it_lasts() {
        let mut pauses = Pauses::default();
        let end = "2026-11-29T03:30:00Z";
        pauses.begin(pause(Some("a"), end));
        let now = at("2026-11-29T03:10:00Z");
        let user = |pool, until, now| {
            let cause = pauses.cause(pool, at(until), now);
            cause.map(|pause| pause.user.as_str())
        };
        assert_eq!(user(Some("a"), end, now), Some("hanako"));
        assert_eq!(user(Some("a"), "2026-12-01T00:00:00Z", now), None, "its date");
        assert_eq!(user(Some("b"), end, now), None);
        assert_eq!(user(None, end, now), None, "a source in no pool");
        assert_eq!(user(Some("a"), end, at(end)), None, "it is over");
        pauses.begin(pause(None, end));
        let of_everything = pauses.cause(None, at(end), now);
        assert_eq!(of_everything.unwrap().user, "hanako");
    }

    #[test]
    fn a_pause_of_another_clock_counts_as_ended() {
        let pause = pause(None, "2026-11-29T03:30:00Z");
        assert!(pause.is_in_force(at("2026-11-29T03:29:59Z")));
        assert!(!pause.is_in_force(at("2026-11-29T03:30:00Z")));
        assert!(pause.is_in_force(at("2026-11-28T03:30:00Z")), "24 hours");
        assert!(!pause.is_in_force(at("2026-11-28T03:29:59Z")));
        assert!(!pause.is_in_force(at("1970-01-01T00:00:00Z")));
    }
}
