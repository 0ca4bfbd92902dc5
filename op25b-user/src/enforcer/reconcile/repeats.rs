//! Logging what lasts: at once, and as long as it stays the same again only with growing delays.

use std::time::{Duration, Instant};

/// The delays before something is repeated: the first one, doubled each time, up to the longest.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackOff {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl BackOff {
    /// The delay after this one.
    pub(super) fn after(self, delay: Duration) -> Duration {
        (delay * 2).min(self.longest)
    }
}

/// The delays before the same message is logged again.
const LOG: BackOff = BackOff {
    first: Duration::from_secs(30),
    longest: Duration::from_hours(1),
};

/// The message about something that lasts.
#[derive(Clone, Debug, Default)]
pub(in crate::enforcer) struct Repeats(Option<Logged>);

#[derive(Clone, Debug)]
struct Logged {
    /// What distinguishes it from other messages.
    key: String,
    text: String,
    delay: Duration,
    next: Instant,
}

impl Repeats {
    /// Whether a message is to be logged now: it is another one than before, or its delay is over.
    pub(in crate::enforcer) fn is_due(&mut self, text: &str, now: Instant) -> bool {
        self.is_due_as(text, text, now)
    }

    /// The same for messages that may differ and are about the same if their keys do not.
    pub(in crate::enforcer) fn is_due_as(&mut self, key: &str, text: &str, now: Instant) -> bool {
        match &mut self.0 {
            Some(logged) if logged.key == key => {
                let is_due = now >= logged.next;
                if is_due {
                    logged.delay = LOG.after(logged.delay);
                    logged.next = now + logged.delay;
                }
                is_due
            }
            other => {
                *other = Some(Logged {
                    key: key.to_owned(),
                    text: text.to_owned(),
                    delay: LOG.first,
                    next: now + LOG.first,
                });
                true
            }
        }
    }

    /// Notes that nothing is wrong any more: the next message is a new one.
    pub(in crate::enforcer) fn end(&mut self) {
        self.0 = None;
    }

    /// The message, as long as what it is about lasts.
    pub(in crate::enforcer) fn text(&self) -> Option<&str> {
        self.0.as_ref().map(|logged| logged.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_message_is_logged_again_with_growing_delays_and_another_one_at_once() {
        let mut repeats = Repeats::default();
        let start = Instant::now();
        let mut logged = Vec::new();
        for second in 0..4 * 3600 {
            if repeats.is_due("no", start + Duration::from_secs(second)) {
                logged.push(second);
            }
        }
        assert_eq!(logged, [0, 30, 90, 210, 450, 930, 1890, 3810, 7410, 11010]);
        let later = start + Duration::from_hours(4);
        assert!(repeats.is_due("another", later));
        assert!(!repeats.is_due("another", later));
        assert_eq!(repeats.text(), Some("another"));
        assert!(repeats.is_due_as("key", "one", later));
        assert!(!repeats.is_due_as("key", "the same in other words", later));
        repeats.end();
        assert_eq!(repeats.text(), None);
        assert!(repeats.is_due("another", later));
    }
}
