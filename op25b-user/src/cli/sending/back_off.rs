//! How long to wait before the next attempt: each time twice as long, up to a limit.

use std::time::Duration;

/// The pause before the first attempt after a success.
const FIRST: Duration = Duration::from_secs(1);

/// The pauses between attempts.
pub(in crate::cli) struct BackOff {
    next: Duration,
    longest: Duration,
}

impl BackOff {
    /// Pauses up to a limit.
    pub(in crate::cli) const fn up_to(longest: Duration) -> Self {
        Self { next: FIRST, longest }
    }

    /// How long to wait after a failure.
    pub(in crate::cli) fn failed(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Begins again with the shortest one.
    pub(in crate::cli) const fn succeeded(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_up_to_the_limit_and_a_success_begins_anew() {
        let mut back_off = BackOff::up_to(Duration::from_secs(5));
        let pauses: [_; 5] = std::array::from_fn(|_| back_off.failed().as_secs());
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        back_off.succeeded();
        assert_eq!(back_off.failed(), FIRST);
    }
}
