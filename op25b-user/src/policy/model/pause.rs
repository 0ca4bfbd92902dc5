//! Pauses: pools, or all that blocks, that are only monitored for a while, without a change of the policy.

use jiff::{SignedDuration, Timestamp};
use op25b_common::values::{NEVER, UnixSeconds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Policy, Pool, phase::unix_seconds};

/// A pause. The program itself ends it at its last second, whether or not a daemon runs; one without an end lasts until it is
/// resumed.
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
    /// When it ends by itself, in whole seconds; null if it lasts until it is resumed.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The number of the user who paused.
    pub uid: u32,
    /// That user's name; the number if the system has none.
    pub user: String,
    /// The reason that they gave.
    pub reason: String,
}

/// When a pause ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseEnd {
    /// By itself, at an instant.
    At(Timestamp),
    /// When it is resumed.
    Resume,
}

impl PauseEnd {
    /// Whether it is past.
    #[must_use]
    pub fn is_past(self, now: Timestamp) -> bool {
        matches!(self, Self::At(end) if end <= now)
    }

    /// The same as the program represents it.
    #[must_use]
    pub fn unix_seconds(self) -> UnixSeconds {
        match self {
            Self::At(end) => unix_seconds(end),
            Self::Resume => NEVER,
        }
    }
}

/// The pauses, at most one of everything and one of each pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// How often they were changed: of two records of them that with the larger number is the later one.
    #[serde(default, rename = "pauses_revision")]
    pub revision: u64,
    #[serde(default, rename = "pauses")]
    list: Vec<Pause>,
}

impl Pause {
    /// The longest pause that ends by itself: its end is not one that nobody remembers.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

    /// Whether it is in force. One that would end later than any pause may was made under another clock, and counts as ended.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until
            .is_none_or(|until| until > now && until.duration_since(now) <= Self::LONGEST)
    }

    /// When it ends.
    #[must_use]
    pub fn end(&self) -> PauseEnd {
        self.until.map_or(PauseEnd::Resume, PauseEnd::At)
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
            until: "2026-11-28T18:30:00Z".parse().ok(),
            uid: 1000,
            user: "花子".to_owned(),
            reason: "OPS-812:\nメールが届かない".to_owned(),
        }
    }
}

impl From<Vec<Pause>> for Pauses {
    fn from(list: Vec<Pause>) -> Self {
        Self { revision: 0, list }
    }
}

impl Pauses {
    /// The pauses, that of everything first.
    pub fn iter(&self) -> impl Iterator<Item = &Pause> {
        self.list.iter()
    }

    /// Those that are in force at an instant.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Pause> {
        self.list.iter().filter(move |pause| pause.is_in_force(now))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The pause of a pool that lasts longest.
    #[must_use]
    pub fn of_pool(&self, pool: &str) -> Option<&Pause> {
        let concern = self.list.iter().filter(|pause| pause.concerns(pool));
        concern.max_by_key(|pause| pause.end())
    }

    /// The pause that is why a pool or, without one, a source in no pool is only monitored until then, as the program represents it,
    /// if it is in force and ends when that does.
    #[must_use]
    pub fn cause(&self, pool: Option<&str>, until: UnixSeconds, now: Timestamp) -> Option<&Pause> {
        let pause = pool.map_or_else(|| self.of_everything(), |pool| self.of_pool(pool));
        pause.filter(|pause| pause.is_in_force(now) && pause.end().unix_seconds() == until)
    }

    /// The pause of everything.
    #[must_use]
    pub fn of_everything(&self) -> Option<&Pause> {
        self.list.iter().find(|pause| pause.pool.is_none())
    }

    /// Adds a pause instead of the one before for the same pool. One of everything replaces those of single pools.
    pub fn begin(&mut self, pause: Pause) {
        match &pause.pool {
            None => {
                self.list.clear();
                self.list.push(pause);
            }
            Some(pool) => {
                self.end_pool(pool);
                self.list.push(pause);
            }
        }
    }

    /// Ends all pauses of a pool; whether there was one.
    pub fn end_pool(&mut self, pool: &str) -> bool {
        let was_paused = self.of_pool(pool).is_some();
        self.list.retain(|pause| pause.pool.as_deref() != Some(pool));
        if was_paused {
            for pause in self.list.iter_mut().filter(|pause| pause.concerns(pool)) {
                pause.except.push(pool.to_owned());
            }
        }
        was_paused
    }

    /// Keeps those that hold; returns the others.
    pub fn retain(&mut self, holds: impl Fn(&Pause) -> bool) -> Vec<Pause> {
        let (kept, others) = std::mem::take(&mut self.list).into_iter().partition(holds);
        self.list = kept;
        others
    }
}

impl<'a> IntoIterator for &'a Pauses {
    type Item = &'a Pause;
    type IntoIter = std::slice::Iter<'a, Pause>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Policy {
    /// Has exactly these pauses in force; whether that changes anything.
    pub fn pause(&mut self, pauses: &Pauses) -> bool {
        let before = (self.block.unlisted_paused_until, paused_until(&self.pools));
        self.block.unlisted_paused_until = pauses.of_everything().map(Pause::end);
        for pool in &mut self.pools {
            pool.paused_until = pauses.of_pool(&pool.name).map(Pause::end);
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

fn paused_until(pools: &[Pool]) -> Vec<Option<PauseEnd>> {
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
            until: Some(at(until)),
            uid: 1000,
            user: "hanako".to_owned(),
            reason: "corporate mail fails".to_owned(),
        }
    }

    fn ends(pauses: &Pauses, pool: &str) -> Option<String> {
        pauses.of_pool(pool).map(|pause| pause.until.unwrap().to_string())
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
            let cause = pauses.cause(pool, unix_seconds(at(until)), now);
            cause.map(|pause| pause.user.as_str())
        };
        assert_eq!(user(Some("a"), end, now), Some("hanako"));
        assert_eq!(user(Some("a"), "2026-12-01T00:00:00Z", now), None, "its date");
        assert_eq!(user(Some("b"), end, now), None);
        assert_eq!(user(None, end, now), None, "a source in no pool");
        assert_eq!(user(Some("a"), end, at(end)), None, "it is over");
        pauses.begin(pause(None, end));
        let of_everything = pauses.cause(None, unix_seconds(at(end)), now);
        assert_eq!(of_everything.unwrap().user, "hanako");
    }

    #[test]
    fn a_pause_without_an_end_lasts_until_it_is_resumed_and_longer_than_any_other() {
        let mut pauses = Pauses::default();
        pauses.begin(pause(None, "2026-11-29T03:30:00Z"));
        let endless = Pause {
            until: None,
            ..pause(Some("a"), "2026-11-29T03:30:00Z")
        };
        pauses.begin(endless);
        let later = at("2099-01-01T00:00:00Z");
        let in_force: Vec<_> = pauses.in_force(later).map(Pause::what).collect();
        assert_eq!(in_force, ["pool a"]);
        assert_eq!(pauses.of_pool("a").unwrap().end(), PauseEnd::Resume);
        let cause = |until| pauses.cause(Some("a"), until, later).map(Pause::what);
        assert_eq!(cause(NEVER).as_deref(), Some("pool a"));
        assert_eq!(cause(7), None);
        assert!(pauses.end_pool("a"));
        assert_eq!(pauses.in_force(later).count(), 0);
    }

    #[test]
    fn pauses_are_written_with_their_revision_and_those_of_an_earlier_version_are_read() {
        let end = "2026-11-29T03:30:00Z";
        let mut pauses = Pauses::from(vec![pause(None, end)]);
        let earlier = serde_json::json!({ "pauses": [pause(None, end)] });
        assert_eq!(serde_json::from_value::<Pauses>(earlier).unwrap(), pauses);
        pauses.revision = 7;
        let written = serde_json::to_value(&pauses).unwrap();
        assert_eq!(written["pauses_revision"], 7);
        assert_eq!(serde_json::from_value::<Pauses>(written).unwrap(), pauses);
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
