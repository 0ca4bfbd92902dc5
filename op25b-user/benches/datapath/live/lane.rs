//! A filter at the end of a wire of its own, and what it has been measured with so far.

use anyhow::Context as _;

use super::{
    clock::{Clock, Elapsed},
    filter::{self, Filter},
    generator::Generator,
};
use crate::{
    args::{Contender, word},
    progress,
    scenario::{SOURCES, Scenario},
    veth::Pair,
};

/// A filter that can be measured.
pub struct Lane {
    // Taken away before the interface is.
    filter: Box<dyn Filter>,
    pair: Pair,
    /// How many frames make a measurement.
    frames: u32,
    timed: Timed,
}

/// What was measured of a filter.
pub struct Timed {
    pub contender: Contender,
    /// Nanoseconds a frame, of each round.
    pub ns: Vec<f64>,
    /// Some measurements were interrupted whenever they were tried.
    pub is_disturbed: bool,
    /// The share of the frames that the filter has not counted, of the worst round.
    pub lost: f64,
}

/// One try of a round.
#[derive(Clone, Copy)]
struct Try {
    ns: f64,
    is_disturbed: bool,
    lost: f64,
}

impl Try {
    /// The better one comes first: what was dropped unseen may have cost nothing, so that counts most.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.lost
            .total_cmp(&other.lost)
            .then(self.ns.total_cmp(&other.ns))
    }
}

impl Lane {
    /// A measurement that was interrupted, or of which frames were lost, is made anew, so often at most.
    const TRIES: u32 = 10;

    /// Sets the filter up and finds out how many frames make a measurement; the filter's memory is warm then.
    pub fn new(
        name: &str,
        contender: Contender,
        scenario: &Scenario,
        generator: &mut Generator,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let pair = Pair::new(name)?;
        let filter = filter::set_up(contender, &pair, scenario)
            .with_context(|| format!("cannot set up {}", word(&contender)))?;
        let mut lane = Self {
            filter,
            pair,
            frames: SOURCES,
            timed: Timed {
                contender,
                ns: Vec::new(),
                is_disturbed: false,
                lost: 0.0,
            },
        };
        lane.send(generator, clock)?;
        let walk = lane.send(generator, clock)?.time.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small number by now"
        )]
        let walks = (clock.measurement().as_secs_f64() / walk).clamp(1.0, 8.0) as u32;
        lane.frames = walks * SOURCES;
        Ok(lane)
    }

    fn send(&self, generator: &mut Generator, clock: &Clock) -> anyhow::Result<Elapsed> {
        let begin = clock.now()?;
        generator.send(&self.pair, self.frames)?;
        clock.since(begin)
    }

    /// Measures once, without being interrupted and with every frame counted if that can be had.
    ///
    /// Before each measurement every source sends once, after the filter's counter was read, so that what is measured is a filter at work and not one that was
    /// idle while others were measured: their turn has filled the CPU's caches with what is theirs.
    pub fn round(&mut self, generator: &mut Generator, clock: &Clock) -> anyhow::Result<()> {
        let mut best: Option<Try> = None;
        for _ in 0..Self::TRIES {
            let made = self.attempt(generator, clock)?;
            if best.is_none_or(|best| made.order(&best).is_lt()) {
                best = Some(made);
            }
            if !made.is_disturbed && made.lost == 0.0 {
                break;
            }
        }
        let best = best.context("nothing was measured")?;
        self.timed.ns.push(best.ns);
        self.timed.is_disturbed |= best.is_disturbed;
        self.timed.lost = self.timed.lost.max(best.lost);
        Ok(())
    }

    fn attempt(&self, generator: &mut Generator, clock: &Clock) -> anyhow::Result<Try> {
        let before = self.filter.dropped()?;
        generator.send(&self.pair, SOURCES)?;
        let elapsed = self.send(generator, clock)?;
        let now = self.filter.dropped()?;
        let sent = u64::from(SOURCES + self.frames);
        if now.saturating_sub(before) > sent {
            progress(&format!(
                "live: {} counted {} frames of {sent}: others came in",
                word(&self.timed.contender),
                now - before
            ));
        }
        Ok(Try {
            ns: elapsed.time.as_secs_f64() * 1e9 / f64::from(self.frames),
            is_disturbed: elapsed.is_disturbed,
            lost: filter::lost(sent, before, now),
        })
    }

    /// Takes the filter and its wire away.
    pub fn end(self) -> Timed {
        self.timed
    }
}
