//! Who sends alerts to somebody, and how many wait for it: what a sender asks for is what follows those that it is done with.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    daemon::newest::Hub,
    report::{Alert, AlertQuery},
};

/// How long one that does not ask is remembered: what waits for it then is older than what is sent.
const REMEMBERED: Duration = Duration::from_hours(24);
/// The most that are remembered. Another one takes the place of the one that did not ask for the longest time.
const MOST: usize = 16;

/// Those that have asked, by their names. Clones share them.
#[derive(Clone, Default)]
pub(in crate::daemon) struct Senders(Arc<Mutex<BTreeMap<String, Progress>>>);

/// What a sender has asked for.
struct Progress {
    /// Those after this number.
    after: u64,
    /// Which of them.
    query: AlertQuery,
    at: Instant,
}

impl Senders {
    /// Notes that a sender asks for what follows a number.
    pub(in crate::daemon) fn note(&self, name: &str, after: u64, query: &AlertQuery, at: Instant) {
        let mut senders = self.senders(at);
        if senders.len() >= MOST && !senders.contains_key(name) {
            let oldest = senders.iter().min_by_key(|(_, progress)| progress.at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                senders.remove(&oldest);
            }
        }
        let query = query.clone();
        senders.insert(name.to_owned(), Progress { after, query, at });
    }

    /// How many of the newest alerts wait for each, by its name.
    pub(super) fn waiting(&self, hub: &Hub<Alert>, now: Instant) -> Vec<(String, u64)> {
        let senders = self.senders(now);
        let waiting = senders.iter().map(|(name, Progress { after, query, .. })| {
            let mut following = hub.subscribe_after(*after);
            let waiting = following.now(|alert| query.matches(alert), usize::MAX);
            (name.clone(), waiting.items.len() as u64)
        });
        waiting.collect()
    }

    /// Those that have asked within the time for which they are remembered.
    fn senders(&self, now: Instant) -> MutexGuard<'_, BTreeMap<String, Progress>> {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|_, progress| now.duration_since(progress.at) < REMEMBERED);
        senders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest alerts: one about each of these subscribers, of a pool.
    fn hub(subscribers: &[(&str, &str)]) -> Hub<Alert> {
        let hub = Hub::<Alert>::default();
        let new = (hub.last() + 1..).zip(subscribers);
        hub.add(new.map(|(sequence, (subscriber, pool))| Alert::fake(sequence, subscriber, pool)));
        hub
    }

    #[test]
    fn what_matches_and_follows_what_a_sender_has_passed_waits_for_it() {
        let hub = hub(&[
            ("198.51.100.1/32", "homes"),
            ("198.51.100.2/32", "mobile"),
            ("198.51.100.3/32", "homes"),
        ]);
        let (senders, now) = (Senders::default(), Instant::now());
        assert_eq!(senders.waiting(&hub, now), []);
        let first = hub.last() - 2;
        let of_homes = AlertQuery {
            pool: Some("homes".to_owned()),
            within: None,
        };
        senders.note("abuse", first, &AlertQuery::default(), now);
        senders.note("homes", first - 1, &of_homes, now);
        let waiting = |number| ("abuse".to_owned(), number);
        let of_homes = ("homes".to_owned(), 2);
        assert_eq!(senders.waiting(&hub, now), [waiting(2), of_homes.clone()]);
        senders.note("abuse", hub.last(), &AlertQuery::default(), now);
        assert_eq!(senders.waiting(&hub, now), [waiting(0), of_homes.clone()]);
        // A number of another daemon is before all of this one.
        senders.note("abuse", 7, &AlertQuery::default(), now);
        assert_eq!(senders.waiting(&hub, now), [waiting(3), of_homes]);
    }

    #[test]
    fn one_that_does_not_ask_for_a_day_or_has_to_make_room_is_forgotten() {
        let (senders, now, hub) = (Senders::default(), Instant::now(), hub(&[]));
        let names = |now| senders.waiting(&hub, now).into_iter().map(|(name, _)| name);
        for number in 0..MOST as u64 {
            let at = now + Duration::from_secs(number);
            senders.note(&format!("s{number:02}"), number, &AlertQuery::default(), at);
        }
        let later = now + Duration::from_mins(1);
        senders.note("s01", 3, &AlertQuery::default(), later);
        assert_eq!(names(later).count(), MOST);
        senders.note("other", 3, &AlertQuery::default(), later);
        assert_eq!(names(later).count(), MOST);
        assert!(!names(later).any(|name| name == "s00"));
        assert_eq!(names(later + REMEMBERED).count(), 0);
    }
}
