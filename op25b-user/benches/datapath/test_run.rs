//! The part `test-run`: nanoseconds of the program for one packet, beside an empty one.

mod frames;

use anyhow::{Context as _, ensure};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use nix::time::{ClockId, clock_gettime};
use op25b_testlab::sample::Sample;
use serde::Serialize;

use self::frames::Frame;
use crate::{Report, args::Args, noise::Noise, programs, progress, table};

/// What is measured: the policy for the packets in [`frames`].
const POLICY: &str = "\
version: 1
interfaces:
  - { name: eth1, role: subscriber }
pools:
  - { name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
exemptions:
  - { customer: Example KK, prefixes: [198.51.100.136/29, 2001:db8:1ff::/48] }
";

/// What the policy has with events.
const EVENTS: &str = "events: { exempt: true }\n";

/// One packet.
#[derive(Debug, Serialize)]
pub struct Row {
    packet: &'static str,
    framing: &'static str,
    bytes: usize,
    verdict: &'static str,
    /// Nanoseconds of the empty program.
    empty_ns: Sample,
    /// Nanoseconds of op25b.
    op25b_ns: Sample,
    /// Nanoseconds that op25b takes more, round by round.
    own_ns: Sample,
    /// Nanoseconds that op25b takes more again with events, of which the packet has one a second.
    events_ns: Sample,
    /// The time of op25b as a multiple of the empty program's, round by round.
    share_of_empty: Sample,
}

/// Measures all packets, each with both programs in turn.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    let (repeat, repetitions) = if args.quick {
        (1_000_000, 5)
    } else {
        (2_000_000, 9)
    };
    let mut filter = programs::op25b(&programs::policy(POLICY)?)?;
    let op25b = programs::subscriber_program(&mut filter)?;
    let mut filter = programs::op25b(&programs::policy(&[POLICY, EVENTS].concat())?)?;
    let with_events = programs::subscriber_program(&mut filter)?;
    let mut ebpf = programs::load("empty_pass", &[])?;
    let empty = &*programs::program(&mut ebpf, "empty_pass")?;
    let frames = frames::all()?;
    progress(&format!(
        "test-run: {} packets, {repetitions} times {} runs",
        frames.len(),
        table::thousands(repeat.into())
    ));
    for frame in &frames {
        report(row(frame, [empty, &op25b, &with_events], repeat, repetitions)?)?;
    }
    Ok(())
}

fn row(frame: &Frame, programs: [&Xdp; 3], repeat: u32, repetitions: usize) -> anyhow::Result<Row> {
    let [empty, op25b, with_events] = programs;
    for program in [op25b, with_events] {
        let (action, _) = run(program, &frame.bytes, 1)?;
        ensure!(
            action == frame.verdict.action(),
            "{} in {}: op25b answers with action {action}",
            frame.packet,
            frame.framing
        );
    }
    let (mut with, mut without, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repetitions {
        events.push(run(with_events, &frame.bytes, repeat)?.1);
        without.push(run(empty, &frame.bytes, repeat)?.1);
        with.push(run(op25b, &frame.bytes, repeat)?.1);
    }
    let pairs = |join: fn(f64, f64) -> f64| Sample::of_pairs(&with, &without, join);
    let events_ns = Sample::of_pairs(&events, &with, |events, without| events - without);
    let (own_ns, share_of_empty) = (
        pairs(|with, without| with - without),
        pairs(|with, without| with / without),
    );
    Ok(Row {
        packet: frame.packet,
        framing: frame.framing,
        bytes: frame.bytes.len(),
        verdict: frame.verdict.name(),
        empty_ns: Sample::of(without).context("nothing was measured")?,
        op25b_ns: Sample::of(with).context("nothing was measured")?,
        own_ns: own_ns.context("nothing was measured")?,
        events_ns: events_ns.context("nothing was measured")?,
        share_of_empty: share_of_empty.context("nothing was measured")?,
    })
}

/// Runs a program on a frame; the last action, and nanoseconds a run.
///
/// The kernel's own average is in whole nanoseconds, which is too coarse. So this thread's time on a CPU is taken, which
/// others' use of it does not change; the system call itself is lost among millions of runs.
fn run(program: &Xdp, frame: &[u8], repeat: u32) -> anyhow::Result<(u32, f64)> {
    let mut after = vec![0; frame.len()];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut after),
        repeat,
        ..TestRunOptions::default()
    };
    let begin = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    let result = program.test_run(options)?;
    let took = std::time::Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)? - begin);
    Ok((result.return_value, took.as_secs_f64() * 1e9 / f64::from(repeat)))
}

/// What op25b takes more, if that was seen at all.
fn own(ns: &Sample) -> String {
    if ns.may_be(0.0) {
        "not distinguishable".into()
    } else {
        format!("{:.1} ({:.1} to {:.1})", ns.median, ns.low, ns.high)
    }
}

/// How much the empty program varied.
pub fn noise(rows: &[Row]) -> Option<Noise> {
    let medians = rows.iter().map(|row| row.empty_ns.median);
    Noise::of("test-run", "the empty program", medians.collect())
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let range = |sample: &Sample| format!("{:.1} to {:.1}", sample.min, sample.max);
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.packet.into(),
                row.framing.into(),
                row.verdict.into(),
                format!("{:.1}", row.empty_ns.median),
                format!("{:.1}", row.op25b_ns.median),
                range(&row.op25b_ns),
                own(&row.own_ns),
                own(&row.events_ns),
                format!("{:.2}", row.share_of_empty.median),
            ]
        })
        .collect();
    let head = [
        "packet",
        "framing",
        "verdict",
        "empty",
        "op25b",
        "range",
        "op25b's own",
        "events, more",
        "of empty",
    ];
    format!(
        "Nanoseconds for one packet (medians)\n\n{}",
        table::table(&head, 3, &rows)
    )
}
