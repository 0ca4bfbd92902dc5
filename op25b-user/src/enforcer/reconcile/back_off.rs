//! How often the filter is put back on an interface from which somebody takes it away: less and less often.

use std::time::{Duration, Instant};

/// How long to wait before putting back what was taken away a second time, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(10));

/// What is remembered of one of them.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Whether there is no such interface, and this was said.
    pub(super) is_missing: bool,
    /// How often somebody took the filter away.
    pub(super) interferences: u64,
    trouble: Option<Trouble>,
}

/// Somebody else wants the interface, too.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// How long it is waited after the next time.
    delay: Duration,
    /// When the filter may be put back.
    again: Instant,
    /// Whether it is away now.
    is_away: bool,
}

impl Watched {
    /// Whether the filter may be put back now: at once the first time, later and later after that.
    pub(super) fn may_try(&mut self, now: Instant) -> bool {
        let (first, longest) = BACK_OFF;
        match &mut self.trouble {
            None => {
                self.trouble = Some(Trouble {
                    delay: first,
                    again: now + first,
                    is_away: true,
                });
                true
            }
            Some(trouble) => {
                trouble.is_away = true;
                let may = now >= trouble.again;
                if may {
                    trouble.delay = (trouble.delay * 2).min(longest);
                    trouble.again = now + trouble.delay;
                }
                may
            }
        }
    }

    /// The filter runs: once it has for long enough, what was is forgotten.
    pub(super) fn runs(&mut self, now: Instant) {
        self.is_missing = false;
        if let Some(trouble) = &mut self.trouble {
            trouble.is_away = false;
            if now > trouble.again + BACK_OFF.1 {
                self.trouble = None;
            }
        }
    }

    /// Whether the filter is known to have been taken away.
    pub(super) fn is_away(&self) -> bool {
        self.trouble.is_some_and(|trouble| trouble.is_away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_put_back_at_once_and_then_later_and_later() {
        let mut watched = Watched::default();
        let start = Instant::now();
        let tries =
            |watched: &mut Watched, seconds: u64| watched.may_try(start + Duration::from_secs(seconds));
        assert!(tries(&mut watched, 0));
        watched.runs(start + Duration::from_secs(1));
        assert!(!tries(&mut watched, 2));
        assert!(!tries(&mut watched, 9));
        assert!(tries(&mut watched, 10));
        assert!(!tries(&mut watched, 29));
        assert!(tries(&mut watched, 30));
        let mut at = 30;
        for delay in [40, 80, 160, 320, 600, 600] {
            assert!(!tries(&mut watched, at + delay - 1), "{delay}");
            at += delay;
            assert!(tries(&mut watched, at), "{delay}");
        }
    }

    #[test]
    fn what_was_is_forgotten_after_it_has_run_for_long() {
        let mut watched = Watched::default();
        let start = Instant::now();
        assert!(watched.may_try(start));
        assert!(watched.is_away());
        watched.runs(start + Duration::from_secs(20));
        assert!(!watched.is_away());
        assert!(watched.trouble.is_some());
        watched.runs(start + Duration::from_secs(611));
        assert!(watched.trouble.is_none());
        assert!(watched.may_try(start + Duration::from_secs(612)));
    }
}
