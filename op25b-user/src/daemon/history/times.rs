//! Times as the kernel notes them in records, and as Unix times.

use jiff::{SignedDuration, Timestamp};

use crate::{datapath::clock, store::activity::ReadUntil};

const NANOSECONDS: i64 = 1_000_000_000;

/// The clocks at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Nanoseconds since the boot.
    since_boot: i64,
    /// What to add to that to get the Unix time.
    offset: i64,
}

impl Times {
    pub(super) fn now() -> nix::Result<Self> {
        Ok(Self::at(clock::since_boot()?, clock::boot_to_unix()?))
    }

    pub(super) const fn at(since_boot: i64, offset: i64) -> Self {
        Self { since_boot, offset }
    }

    /// The present time as the kernel notes it: whole seconds since the boot, plus 1.
    pub(super) fn noted(self) -> u32 {
        noted(self.since_boot)
    }

    /// The Unix time.
    pub(super) const fn unix(self) -> i64 {
        (self.since_boot + self.offset).div_euclid(NANOSECONDS)
    }

    /// The first Unix second of a time that the kernel has noted.
    pub(super) fn first(self, noted: u32) -> i64 {
        (begin(noted) + self.offset).div_euclid(NANOSECONDS)
    }

    /// The last Unix second of a time that the kernel has noted.
    pub(super) fn last(self, noted: u32) -> i64 {
        (begin(noted) + NANOSECONDS - 1 + self.offset).div_euclid(NANOSECONDS)
    }

    /// That the kernel was read up to a time that it notes.
    pub(super) fn read_until(self, noted: u32) -> ReadUntil {
        ReadUntil {
            noted,
            at: timestamp(self.first(noted)),
        }
    }

    /// When the bucket of a Unix time began.
    pub(super) fn bucket_of(unix: i64, length: SignedDuration) -> i64 {
        let length = length.as_secs().max(1);
        unix.div_euclid(length) * length
    }

    /// When a Unix time was, as the kernel would have noted it.
    pub(super) fn noted_at(self, unix: i64) -> u32 {
        noted(unix.saturating_mul(NANOSECONDS).saturating_sub(self.offset))
    }

    /// The nanoseconds from now until a time that the kernel notes.
    pub(super) fn until(self, noted: u32) -> i64 {
        begin(noted) - self.since_boot
    }

    /// The nanoseconds from now until a Unix time.
    pub(super) const fn until_unix(self, unix: i64) -> i64 {
        unix.saturating_mul(NANOSECONDS) - self.offset - self.since_boot
    }

    /// By how many nanoseconds the clock was set since an earlier moment.
    pub(super) const fn step_since(self, before: Self) -> u64 {
        (self.offset - before.offset).unsigned_abs()
    }
}

/// When the second began that a time which the kernel has noted stands for.
fn begin(noted: u32) -> i64 {
    (i64::from(noted) - 1) * NANOSECONDS
}

fn noted(since_boot: i64) -> u32 {
    let seconds = since_boot.div_euclid(NANOSECONDS) + 1;
    u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
}

/// A Unix second as a time.
pub(super) fn timestamp(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_the_boot_lies_in_two_of_the_clock() {
        // Booted at 1,000.4 s, and 10.7 s ago.
        let times = Times::at(10_700_000_000, 1_000_400_000_000);
        assert_eq!((times.noted(), times.unix()), (11, 1011));
        assert_eq!((times.first(11), times.last(11)), (1010, 1011));
        assert_eq!(times.until(12), 300_000_000);
        assert_eq!(times.noted_at(1011), 11);
        // Before the boot.
        assert_eq!(times.noted_at(0), 1);
        let ten = SignedDuration::from_mins(10);
        assert_eq!(Times::bucket_of(1011, ten), 600);
        assert_eq!(times.step_since(Times::at(0, 1_000_400_000_007)), 7);
    }
}
