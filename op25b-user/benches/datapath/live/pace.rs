//! Frames at a given rate, instead of as many as are accepted.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::generator::Generator;
use crate::{scenario::SOURCES, veth::Pair};

/// Sends frames at a rate.
pub struct Pace {
    /// When the next frames are due.
    due: Instant,
    /// The time between them and those after them.
    interval: Duration,
}

impl Pace {
    /// How many frames are sent at once: the kernel takes tens of milliseconds to set a burst up, however long it is.
    pub const BURST: u32 = SOURCES;
    /// By how much it may be late and still catch up.
    const MOST_LATE: Duration = Duration::from_millis(100);

    /// One of so many frames a second, from now on.
    pub fn new(frames_per_second: u32) -> Self {
        Self {
            due: Instant::now(),
            interval: Duration::from_secs(1) * Self::BURST / frames_per_second,
        }
    }

    /// Sends [`Self::BURST`] frames as soon as they are due.
    pub fn send(&mut self, generator: &mut Generator, pair: &Pair) -> anyhow::Result<()> {
        let now = Instant::now();
        thread::sleep(self.due.saturating_duration_since(now));
        let earliest = now.checked_sub(Self::MOST_LATE).unwrap_or(now);
        self.due = self.due.max(earliest) + self.interval;
        generator.send(pair, Self::BURST)
    }
}
