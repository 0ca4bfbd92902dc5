//! The part `live`: frames a second that a filter drops as they come in over a wire.

pub mod clock;
pub mod filter;
pub mod generator;
mod lane;
pub mod pace;
mod table;

use anyhow::Context as _;
use clap::ValueEnum as _;
use op25b_testlab::sample::Sample;
use serde::Serialize;

pub use self::table::table;
use self::{
    clock::Clock,
    filter::Obstacle,
    generator::Generator,
    lane::{Lane, Timed},
};
use crate::{
    Report,
    args::{Args, Contender, word},
    noise::Noise,
    progress,
    scenario::{Family, Scenario, Spread},
    table::thousands,
    veth,
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
#[serde(rename_all = "snake_case", untagged)]
enum Outcome {
    Measured(Box<Measured>),
    LeftOut {
        /// Why it is not measured.
        left_out: String,
    },
}

#[derive(Debug, Serialize)]
struct Measured {
    /// Nanoseconds for each frame that was sent and dropped.
    ns: Sample,
    /// The rate as a share of that of the program that drops everything, round by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_drop: Option<Sample>,
    /// The same of that of the program that drops port 25 and counts exactly by source, for any other filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_drop_record: Option<Sample>,
    /// With events, the rate as a share of that of op25b without, round by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_op25b: Option<Sample>,
    /// Some measurements were interrupted whenever they were tried.
    is_disturbed: bool,
    /// The share of the frames that the filter has not counted, of the worst measurement; 0 if it has counted all.
    lost: f64,
}

impl Row {
    fn measured(&self) -> Option<&Measured> {
        match &self.result {
            Outcome::Measured(measured) => Some(measured),
            Outcome::LeftOut { .. } => None,
        }
    }
}

/// Measures every filter in turn, in each round, for each family and number of exemptions.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    veth::be_quiet()?;
    let clock = Clock::new();
    progress(&format!("live: by the {}", clock.name()));
    for family in Family::BOTH {
        for exemptions in numbers(args) {
            let others: &[Spread] = if exemptions == IN_OTHER_ORDERS {
                &[Spread::Scattered, Spread::Zipf]
            } else {
                &[]
            };
            for spread in [Spread::Dense].iter().chain(others) {
                compare(args, &clock, (family, exemptions, *spread), report)?;
            }
        }
    }
    Ok(())
}

/// With how many exemptions the sources are elsewhere, and some busier than others, as well.
const IN_OTHER_ORDERS: u32 = 100_000;

/// What no filter can be faster than: none at all, and none that counts exactly by subscriber.
const LIMITS: [Contender; 2] = [Contender::Drop, Contender::DropRecord];

/// The numbers of exemptions to measure with.
pub fn numbers(args: &Args) -> Vec<u32> {
    match (&args.exemptions[..], args.quick) {
        ([], false) => vec![10, 1_000, 100_000, 1_000_000],
        ([], true) => vec![10, 1_000, 100_000],
        (asked, _) => asked.to_vec(),
    }
}

fn compare(
    args: &Args,
    clock: &Clock,
    (family, exemptions, sources): (Family, u32, Spread),
    report: Report<'_, Row>,
) -> anyhow::Result<()> {
    let repetitions = if args.quick { 5 } else { 9 };
    let scenario = Scenario::draw(family, exemptions, sources);
    let mut generator = Generator::new(&scenario)?;
    let row = |contender: Contender, result| Row {
        family,
        exemptions,
        sources,
        filter: word(&contender),
        clock: clock.name(),
        result,
    };
    let mut lanes = Vec::new();
    for (number, contender) in contenders(args).into_iter().enumerate() {
        progress(&format!(
            "live: {}, {} exemptions, {} sources: {}",
            family.name(),
            thousands(exemptions.into()),
            sources.name(),
            word(&contender)
        ));
        let lane = match filter::obstacle(contender, exemptions, !args.filter.is_empty()) {
            Some(Obstacle(why)) => Err(why),
            None => Lane::new(
                &format!("lane{number}"),
                contender,
                &scenario,
                &mut generator,
                clock,
            )
            .map_err(|error| format!("{error:#}")),
        };
        match lane {
            Ok(lane) => lanes.push(lane),
            Err(left_out) => report(row(contender, Outcome::LeftOut { left_out }))?,
        }
    }
    for _ in 0..repetitions {
        for lane in &mut lanes {
            lane.round(&mut generator, clock)?;
        }
    }
    let timed: Vec<_> = lanes.into_iter().map(Lane::end).collect();
    for one in &timed {
        report(row(one.contender, outcome(one, &timed)?))?;
    }
    Ok(())
}

/// Sums up the rounds of a filter, beside those of the two limits and, with events, of op25b without.
fn outcome(timed: &Timed, all: &[Timed]) -> anyhow::Result<Outcome> {
    let share_of = |contender| {
        let other = all.iter().find(|other| other.contender == contender)?;
        Sample::of_pairs(&other.ns, &timed.ns, |other, own| other / own)
    };
    Ok(Outcome::Measured(Box::new(Measured {
        ns: Sample::of(timed.ns.clone()).context("nothing was measured")?,
        share_of_drop: share_of(Contender::Drop),
        share_of_drop_record: (!LIMITS.contains(&timed.contender))
            .then(|| share_of(Contender::DropRecord))
            .flatten(),
        share_of_op25b: (timed.contender == Contender::Op25bEvents)
            .then(|| share_of(Contender::Op25b))
            .flatten(),
        is_disturbed: timed.is_disturbed,
        lost: timed.lost,
    })))
}

fn contenders(args: &Args) -> Vec<Contender> {
    if args.filter.is_empty() {
        Contender::value_variants().to_vec()
    } else {
        args.filter.clone()
    }
}

/// How much the program that drops everything varied.
pub fn noise(rows: &[Row]) -> Option<Noise> {
    let drop = word(&Contender::Drop);
    let medians = rows.iter().filter(|row| row.filter == drop);
    let medians = medians.filter_map(|row| Some(row.measured()?.ns.median));
    Noise::of("live", "a program that drops everything", medians.collect())
}
