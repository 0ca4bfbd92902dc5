//! When an interface that runs the filter in generic mode, although native mode was tried first, is tried in native mode again.
//!
//! The kernel runs no native and generic program at the same time: each attempt leaves the interface without a filter for a
//! moment, whether it succeeds or not. So one is made only where the kernel reports that the driver runs XDP programs now,
//! soon if the interface has changed since the driver refused, otherwise rarely.

use std::time::{Duration, Instant};

/// The delay before the first attempt and the longest delay, if the interface has changed since native mode was refused.
const CHANGED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(10));
/// The same if nothing is known to have changed.
const UNCHANGED: (Duration, Duration) = (Duration::from_mins(10), Duration::from_hours(24));

/// What is known of an interface that decides whether its driver takes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// Whether the kernel reports that the driver runs XDP programs; none if this kernel does not tell.
    pub(super) has_native_mode: Option<bool>,
    /// The size of the largest packet.
    pub(super) mtu: u32,
}

/// The refusals of native mode on an interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct NativeRetry {
    refused_at: Instant,
    conditions: Conditions,
    refusals: u32,
}

impl NativeRetry {
    /// Native mode was refused under these conditions, or it is not known why generic mode runs.
    pub(super) fn new(now: Instant, conditions: Conditions) -> Self {
        Self {
            refused_at: now,
            conditions,
            refusals: 0,
        }
    }

    /// Whether native mode may be tried again under these conditions.
    pub(super) fn may_try(&self, now: Instant, conditions: Conditions) -> bool {
        let (first, longest) = if conditions == self.conditions {
            UNCHANGED
        } else {
            CHANGED
        };
        let delay = first.saturating_mul(1 << self.refusals.min(16)).min(longest);
        conditions.has_native_mode == Some(true) && now >= self.refused_at + delay
    }

    /// Native mode was refused again.
    pub(super) fn note_refusal(&mut self, now: Instant, conditions: Conditions) {
        self.refused_at = now;
        self.conditions = conditions;
        self.refusals += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(has_native_mode: bool, mtu: u32) -> Conditions {
        Conditions {
            has_native_mode: Some(has_native_mode),
            mtu,
        }
    }

    const HOUR: u64 = 3600;

    #[test]
    fn native_mode_is_tried_soon_after_a_change_and_otherwise_rarely() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let refused = conditions(true, 9000);
        let mut retry = NativeRetry::new(start, refused);
        assert!(!retry.may_try(at(4), conditions(true, 1500)));
        assert!(retry.may_try(at(5), conditions(true, 1500)));
        assert!(!retry.may_try(at(599), refused));
        assert!(retry.may_try(at(600), refused));

        retry.note_refusal(at(600), refused);
        assert!(!retry.may_try(at(600 + 1199), refused));
        assert!(retry.may_try(at(600 + 1200), refused));
        assert!(!retry.may_try(at(600 + 9), conditions(true, 1500)));
        assert!(retry.may_try(at(600 + 10), conditions(true, 1500)));

        for _ in 0..40 {
            retry.note_refusal(start, refused);
        }
        assert!(!retry.may_try(at(24 * HOUR - 1), refused));
        assert!(retry.may_try(at(24 * HOUR), refused));
        assert!(retry.may_try(at(600), conditions(true, 1500)));
    }

    #[test]
    fn native_mode_is_not_tried_where_the_driver_has_none_or_the_kernel_does_not_tell() {
        let start = Instant::now();
        let late = start + Duration::from_secs(100 * HOUR);
        let retry = NativeRetry::new(start, conditions(true, 1500));
        let unknown = Conditions {
            has_native_mode: None,
            mtu: 1500,
        };
        assert!(!retry.may_try(late, conditions(false, 1500)));
        assert!(!retry.may_try(late, unknown));
    }
}
