//! What events cost while a million SYNs a second are blocked, which is less than a CPU can do.

use anyhow::Context as _;
use op25b_testlab::sample::Sample;
use serde::Serialize;

use crate::{
    args::{Args, Contender},
    live::{clock::Clock, filter, generator::Generator, pace::Pace},
    scenario::{SOURCES, Scenario},
    table,
    veth::Pair,
};

/// Frames a second.
const RATE: u32 = 1_000_000;
/// How many bursts make a measurement, of about a second.
const BURSTS: u32 = RATE / Pace::BURST;

/// The cost at that rate.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Nanoseconds of CPU time for each frame without events: making it, carrying it over the pair, and blocking it.
    ns_without: Sample,
    /// The same with events.
    ns: Sample,
    /// The rate that a whole CPU would do with events as a share of that without, round by round.
    share_of_op25b: Sample,
    /// The share of the frames that a filter has not counted, of the worst measurement.
    lost: f64,
}

/// Measures both in turn; not where there is no CPU time of single threads, since most of the time is idle.
pub fn measure(args: &Args, scenario: &Scenario) -> anyhow::Result<Option<Cost>> {
    let clock = Clock::new();
    if matches!(clock, Clock::Day) {
        return Ok(None);
    }
    let pairs = [Pair::new("without")?, Pair::new("with")?];
    let filters = [
        filter::set_up(Contender::Op25b, &pairs[0], scenario)?,
        filter::set_up(Contender::Op25bEvents, &pairs[1], scenario)?,
    ];
    let mut generator = Generator::new(scenario)?;
    let mut ns = [Vec::new(), Vec::new()];
    let mut most_lost = 0.0_f64;
    for round in 0..if args.quick { 5 } else { 9 } {
        // Which one comes first makes a difference of its own.
        for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let before = filters[which].dropped()?;
            // Each subscriber has had its event before.
            generator.send(&pairs[which], SOURCES)?;
            let (mut pace, begin) = (Pace::new(RATE), clock.now()?);
            for _ in 0..BURSTS {
                pace.send(&mut generator, &pairs[which])?;
            }
            let elapsed = clock.since(begin)?;
            let frames = BURSTS * Pace::BURST;
            ns[which].push(elapsed.time.as_secs_f64() * 1e9 / f64::from(frames));
            let sent = u64::from(SOURCES + frames);
            most_lost = most_lost.max(filter::lost(sent, before, filters[which].dropped()?));
        }
    }
    let [without, with] = ns;
    let share = Sample::of_pairs(&without, &with, |without, with| without / with);
    Ok(Some(Cost {
        share_of_op25b: share.context("nothing was measured")?,
        ns_without: Sample::of(without).context("nothing was measured")?,
        ns: Sample::of(with).context("nothing was measured")?,
        lost: most_lost,
    }))
}

impl Cost {
    /// For people.
    pub fn cells(&self) -> [String; 3] {
        [
            format!("{:.0}", self.ns_without.median),
            format!("{:.0}{}", self.ns.median, table::lost(self.lost)),
            format!(
                "{:.2} ({})",
                self.share_of_op25b.median,
                table::interval(&self.share_of_op25b)
            ),
        ]
    }
}
