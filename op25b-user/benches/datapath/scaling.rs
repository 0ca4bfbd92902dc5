//! The part `scaling`: frames a second that two CPUs drop at once, beside one: what they share makes them slower.

use std::{sync::Barrier, thread, time::Instant};

use anyhow::{Context as _, anyhow, bail};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use op25b_testlab::sample::Sample;
use serde::Serialize;

use crate::{
    Report,
    args::{Args, Contender, word},
    live::{
        filter::{self, Filter, kernel_tries::Program, op25b::Op25b},
        generator::Generator,
    },
    progress,
    scenario::{Events, Family, SOURCES, Scenario, Spread},
    table,
    veth::{self, Pair},
};

/// Exemptions of the policy.
const EXEMPTIONS: u32 = 100_000;
/// Frames of one CPU in one measurement, some tens of milliseconds.
const FRAMES: u32 = 4 * SOURCES;

/// One filter.
#[derive(Debug, Serialize)]
pub struct Row {
    family: Family,
    filter: String,
    /// Millions of frames a second on one CPU.
    one_cpu: Sample,
    /// Of two together.
    two_cpus: Sample,
    /// Two together as a multiple of one, round by round.
    share_of_one: Sample,
    /// The share of the frames that the filter has not counted, of the worst round.
    lost: f64,
}

/// A CPU that sends into a wire of its own.
struct Sender<'p> {
    cpu: usize,
    pair: &'p Pair,
    generator: Generator,
}

/// Measures each filter on two interfaces, in each round by one CPU and by both.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    let cpus = cpus()?;
    let [first, second, ..] = cpus[..] else {
        progress("scaling: left out: this process may use one CPU only");
        return Ok(());
    };
    veth::be_quiet()?;
    let pairs = [Pair::new("cpu0")?, Pair::new("cpu1")?];
    for family in Family::BOTH {
        let scenario = Scenario::draw(family, EXEMPTIONS, Spread::Dense);
        let mut senders = Vec::new();
        for (cpu, pair) in [first, second].into_iter().zip(&pairs) {
            let generator = Generator::new(&scenario)?;
            senders.push(Sender { cpu, pair, generator });
        }
        for contender in [Contender::Drop, Contender::DropRecord, Contender::Op25b] {
            progress(&format!("scaling: {}, {}", family.name(), word(&contender)));
            let filter = set_up(contender, &[&pairs[0], &pairs[1]], &scenario)?;
            report(row(args, family, contender, &*filter, &mut senders)?)?;
        }
    }
    Ok(())
}

fn set_up(contender: Contender, pairs: &[&Pair], scenario: &Scenario) -> anyhow::Result<Box<dyn Filter>> {
    Ok(match contender {
        Contender::Op25b => Box::new(Op25b::attach(pairs, scenario, Events::Off)?),
        Contender::Drop => Box::new(Program::drop_all(pairs)?),
        Contender::DropRecord => Box::new(Program::drop_and_record(pairs)?),
        other => bail!("{} is not measured on two CPUs", word(&other)),
    })
}

fn row(
    args: &Args,
    family: Family,
    contender: Contender,
    filter: &dyn Filter,
    senders: &mut [Sender<'_>],
) -> anyhow::Result<Row> {
    let rounds = if args.quick { 5 } else { 15 };
    let (mut ones, mut twos, mut lost) = (Vec::new(), Vec::new(), 0.0_f64);
    // The first one warms up what the others use.
    send(senders)?;
    for _ in 0..rounds {
        for (count, rates) in [(1, &mut ones), (2, &mut twos)] {
            let before = filter.dropped()?;
            rates.push(send(&mut senders[..count])?);
            let sent = count as u64 * u64::from(FRAMES);
            lost = lost.max(filter::lost(sent, before, filter.dropped()?));
        }
    }
    let share_of_one = Sample::of_pairs(&twos, &ones, |two, one| two / one);
    Ok(Row {
        family,
        filter: word(&contender),
        one_cpu: Sample::of(ones).context("nothing was measured")?,
        two_cpus: Sample::of(twos).context("nothing was measured")?,
        share_of_one: share_of_one.context("nothing was measured")?,
        lost,
    })
}

/// Has each send on its CPU, all at once; millions of frames a second of all.
fn send(senders: &mut [Sender<'_>]) -> anyhow::Result<f64> {
    let together = Barrier::new(senders.len());
    let rates = thread::scope(|scope| {
        let threads: Vec<_> = senders
            .iter_mut()
            .map(|sender| scope.spawn(|| sender.send(&together)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let result = thread.join();
            result.map_err(|_| anyhow!("a thread that sends has panicked"))?
        });
        joined.collect::<anyhow::Result<Vec<f64>>>()
    })?;
    Ok(rates.iter().sum())
}

impl Sender<'_> {
    fn send(&mut self, together: &Barrier) -> anyhow::Result<f64> {
        let pinned = pin(self.cpu);
        // Also if that failed: the other one waits.
        together.wait();
        pinned?;
        let begin = Instant::now();
        self.generator.send(self.pair, FRAMES)?;
        Ok(f64::from(FRAMES) / begin.elapsed().as_secs_f64() / 1e6)
    }
}

/// Keeps this thread on a CPU.
fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).with_context(|| format!("cannot run on CPU {cpu}"))
}

/// The CPUs that this process may use.
fn cpus() -> anyhow::Result<Vec<usize>> {
    let usable = sched_getaffinity(Pid::from_raw(0)).context("cannot read which CPUs may be used")?;
    Ok((0..CpuSet::count())
        .filter(|cpu| usable.is_set(*cpu).unwrap_or(false))
        .collect())
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "family",
        "filter",
        "one, Mpps",
        "two, Mpps",
        "two to one",
        "interval",
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.family.name().into(),
                row.filter.clone(),
                format!("{:.2}", row.one_cpu.median),
                format!("{:.2}{}", row.two_cpus.median, table::lost(row.lost)),
                format!("{:.2}", row.share_of_one.median),
                table::interval(&row.share_of_one),
            ]
        })
        .collect();
    format!(
        "Millions of frames to port 25 that are dropped in a second, by the time of day: on one CPU, and on two with an \
         interface each and the same subscribers (medians)\n\n{}",
        table::table(&head, 2, &rows)
    )
}
