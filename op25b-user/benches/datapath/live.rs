//! The part `live`: frames a second that a filter drops as they come in over a wire.

mod clock;
mod filter;
mod generator;

use anyhow::{Context as _, ensure};
use clap::ValueEnum as _;
use serde::Serialize;

use self::{
    clock::{Clock, Elapsed},
    filter::{Filter, Obstacle},
    generator::Generator,
};
use crate::{
    args::{Args, Contender, word},
    progress,
    sample::Sample,
    scenario::{Family, SOURCES, Scenario, Spread},
    table,
    veth::{self, Pair},
};

/// One filter with so many exemptions.
#[derive(Debug, Serialize)]
pub struct Row {
    family: Family,
    exemptions: u32,
    sources: Spread,
    filter: String,
    /// By what time was measured.
    clock: &'static str,
    #[serde(flatten)]
    result: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Measured {
        /// Nanoseconds for each frame that was sent and dropped.
        ns: Sample,
        /// Some measurements were interrupted whenever they were tried.
        is_disturbed: bool,
    },
    /// Why it is not measured.
    LeftOut(String),
}

/// Measures every filter in turn, in each round, for each family and number of exemptions.
pub fn measure(args: &Args) -> anyhow::Result<Vec<Row>> {
    veth::be_quiet()?;
    let clock = Clock::new();
    progress(&format!("live: by the {}", clock.name()));
    let mut rows = Vec::new();
    for family in Family::BOTH {
        for exemptions in numbers(args) {
            rows.extend(compare(args, &clock, family, exemptions, Spread::Dense)?);
            if exemptions == SCATTERED {
                rows.extend(compare(args, &clock, family, exemptions, Spread::Scattered)?);
            }
        }
    }
    Ok(rows)
}

/// With how many exemptions sources are scattered as well.
const SCATTERED: u32 = 100_000;

/// The numbers of exemptions to measure with.
pub fn numbers(args: &Args) -> Vec<u32> {
    match (&args.exemptions[..], args.quick) {
        ([], false) => vec![10, 1_000, 100_000, 1_000_000],
        ([], true) => vec![10, 1_000, 100_000],
        (asked, _) => asked.to_vec(),
    }
}

/// A filter at the end of a wire of its own, and what it has been measured with so far.
struct Lane {
    contender: Contender,
    // Taken away before the interface is.
    filter: Box<dyn Filter>,
    pair: Pair,
    /// How many frames make a measurement.
    frames: u32,
    /// How many frames were sent in all, and how many the filter had dropped before.
    sent: u64,
    dropped_before: u64,
    ns: Vec<f64>,
    is_disturbed: bool,
}

fn compare(
    args: &Args,
    clock: &Clock,
    family: Family,
    exemptions: u32,
    sources: Spread,
) -> anyhow::Result<Vec<Row>> {
    let repetitions = if args.quick { 5 } else { 9 };
    let scenario = Scenario::draw(family, exemptions, sources);
    let mut generator = Generator::new(&scenario)?;
    let (mut lanes, mut left_out) = (Vec::new(), Vec::new());
    let row = |contender: Contender, result| Row {
        family,
        exemptions,
        sources,
        filter: word(&contender),
        clock: clock.name(),
        result,
    };
    for (number, contender) in contenders(args).into_iter().enumerate() {
        let name = word(&contender);
        progress(&format!(
            "live: {}, {} exemptions, {} sources: {name}",
            family.name(),
            table::thousands(exemptions.into()),
            sources.name()
        ));
        if let Some(Obstacle(why)) = filter::obstacle(contender, exemptions, !args.filter.is_empty()) {
            left_out.push(row(contender, Outcome::LeftOut(why)));
            continue;
        }
        let pair = Pair::new(&format!("lane{number}"))?;
        let filter =
            filter::set_up(contender, &pair, &scenario).with_context(|| format!("cannot set up {name}"))?;
        lanes.push(Lane::new(contender, pair, filter, &mut generator, clock)?);
    }
    for _ in 0..repetitions {
        for lane in &mut lanes {
            lane.round(&mut generator, clock)?;
        }
    }
    let measured = lanes.into_iter().map(|lane| {
        let contender = lane.contender;
        Ok(row(contender, lane.outcome()?))
    });
    measured.chain(left_out.into_iter().map(Ok)).collect()
}

fn contenders(args: &Args) -> Vec<Contender> {
    if args.filter.is_empty() {
        Contender::value_variants().to_vec()
    } else {
        args.filter.clone()
    }
}

impl Lane {
    /// A measurement that was interrupted is made anew, so often at most.
    const ATTEMPTS: u32 = 10;

    /// Finds out how many frames make a measurement; the filter's memory is warm then.
    fn new(
        contender: Contender,
        pair: Pair,
        filter: Box<dyn Filter>,
        generator: &mut Generator,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let mut lane = Self {
            contender,
            pair,
            dropped_before: filter.dropped()?,
            filter,
            frames: SOURCES,
            sent: 0,
            ns: Vec::new(),
            is_disturbed: false,
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
        lane.check()?;
        Ok(lane)
    }

    /// Sends from every source once, so that what is measured is a filter at work and not one that was idle while
    /// others were measured: their turn has filled the CPU's caches with what is theirs.
    fn warm_up(&mut self, generator: &mut Generator) -> anyhow::Result<()> {
        self.sent += u64::from(SOURCES);
        generator.send(&self.pair, SOURCES)
    }

    fn send(&mut self, generator: &mut Generator, clock: &Clock) -> anyhow::Result<Elapsed> {
        self.sent += u64::from(self.frames);
        let begin = clock.now()?;
        generator.send(&self.pair, self.frames)?;
        clock.since(begin)
    }

    /// Measures once, without being interrupted if that can be had.
    fn round(&mut self, generator: &mut Generator, clock: &Clock) -> anyhow::Result<()> {
        let mut best = f64::INFINITY;
        for _ in 0..Self::ATTEMPTS {
            self.warm_up(generator)?;
            let elapsed = self.send(generator, clock)?;
            let ns = elapsed.time.as_secs_f64() * 1e9 / f64::from(self.frames);
            best = best.min(ns);
            if !elapsed.is_disturbed {
                self.ns.push(ns);
                return Ok(());
            }
        }
        self.is_disturbed = true;
        self.ns.push(best);
        Ok(())
    }

    /// That the filter has dropped every frame that was sent, and nothing else.
    fn check(&self) -> anyhow::Result<()> {
        let dropped = self.filter.dropped()? - self.dropped_before;
        ensure!(
            dropped == self.sent,
            "{}: {} frames were sent, and the filter counted {dropped}: that is no measurement",
            word(&self.contender),
            self.sent
        );
        Ok(())
    }

    fn outcome(self) -> anyhow::Result<Outcome> {
        self.check()?;
        Ok(Outcome::Measured {
            ns: Sample::of(self.ns).context("nothing was measured")?,
            is_disturbed: self.is_disturbed,
        })
    }
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "family",
        "exemptions",
        "sources",
        "filter",
        "ns",
        "range",
        "over drop",
        "of drop's rate",
        "Mpps",
    ];
    let measured: Vec<_> = rows.iter().filter_map(|row| cells(row, rows)).collect();
    let left_out = rows.iter().filter_map(|row| match &row.result {
        Outcome::LeftOut(why) => Some(format!(
            "{}, {} exemptions: {} is left out: {why}\n",
            row.family.name(),
            table::thousands(row.exemptions.into()),
            row.filter
        )),
        Outcome::Measured { .. } => None,
    });
    format!(
        "Nanoseconds for each frame to port 25 that comes in over a veth pair and is dropped (medians; making and \
         carrying it included; * interrupted)\n\n{}{}",
        table::table(&head, 4, &measured),
        left_out.collect::<String>()
    )
}

/// One line, if there is something measured.
fn cells(row: &Row, rows: &[Row]) -> Option<Vec<String>> {
    let Outcome::Measured { ns, is_disturbed } = &row.result else {
        return None;
    };
    let limit = rows.iter().find_map(|other| match &other.result {
        Outcome::Measured { ns, .. }
            if other.filter == word(&Contender::Drop)
                && other.family == row.family
                && other.exemptions == row.exemptions
                && other.sources == row.sources =>
        {
            Some(ns.median)
        }
        _ => None,
    });
    Some(vec![
        row.family.name().into(),
        table::thousands(row.exemptions.into()),
        row.sources.name().into(),
        row.filter.clone(),
        format!("{:.0}{}", ns.median, if *is_disturbed { " *" } else { "" }),
        format!("{:.0} to {:.0}", ns.min, ns.max),
        limit.map_or_else(String::new, |limit| format!("{:.0}", ns.median - limit)),
        limit.map_or_else(String::new, |limit| format!("{:.2}", limit / ns.median)),
        format!("{:.2}", 1e3 / ns.median),
    ])
}
