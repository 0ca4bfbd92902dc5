//! `cargo xtask bench compare`: what changed from one run of the benchmark to another beyond what they varied themselves.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use op25b_host::{sample::Sample, table::table};

use super::results::{self, Figure, Head, Run, Which};

/// Show what changed from one run to another beyond noise.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A run is a file that --history or --json wrote, of which the last run is taken, or FILE@COMMIT. A figure has changed if the
intervals of its medians do not overlap, and the change is larger than what a program that does nothing varied by over each
of the two runs. Of runs on different machines only ratios within a run are compared.

  cargo xtask bench compare results.jsonl@v0.2.0 results.jsonl

Exit codes: 0 compared; 2 failed to run.")]
pub struct Args {
    /// The run before.
    #[arg(value_name = "A")]
    before: Which,
    /// The run after.
    #[arg(value_name = "B")]
    after: Which,
    /// Show the figures that are not distinguishable as well.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (before, after) = (results::read(&args.before)?, results::read(&args.after)?);
    print!("{}", text(&before, &after, args.all));
    Ok(ExitCode::SUCCESS)
}

/// A figure of both runs.
struct Pair<'r> {
    figure: &'r Figure,
    before: &'r Sample,
    after: &'r Sample,
    has_changed: bool,
}

impl Pair<'_> {
    /// The change, as a share of what was before.
    fn change(&self) -> f64 {
        self.after.median / self.before.median - 1.0
    }
}

fn text(before: &Run, after: &Run, all: bool) -> String {
    let same_machine = before.head.machine == after.head.machine;
    let pairs: Vec<_> = before
        .figures
        .iter()
        .filter(|(figure, _)| same_machine || figure.is_ratio())
        .filter_map(|(figure, sample)| {
            Some(pair(figure, sample, after.figures.get(figure)?, [before, after]))
        })
        .collect();
    let head = [
        "part",
        "row",
        "figure",
        before.head.name(),
        after.head.name(),
        "change",
    ];
    let rows: Vec<_> = pairs
        .iter()
        .filter(|pair| all || pair.has_changed)
        .map(cells)
        .collect();
    let changed = pairs.iter().filter(|pair| pair.has_changed).count();
    let named = |head: &Head| format!("{} of {}", head.name(), head.started);
    let mut text = format!(
        "From {} to {}: {changed} of {} figures changed beyond noise.\n",
        named(&before.head),
        named(&after.head),
        pairs.len()
    );
    if !same_machine {
        text += "The machines are not the same: only ratios within a run are compared.\n";
    }
    if !rows.is_empty() {
        text.push('\n');
        text += &table(&head, 3, &rows);
    }
    text
}

fn pair<'r>(figure: &'r Figure, before: &'r Sample, after: &'r Sample, runs: [&Run; 2]) -> Pair<'r> {
    let mut pair = Pair {
        figure,
        before,
        after,
        has_changed: false,
    };
    // What disturbs both of a ratio cancels out.
    let noise = runs.map(|run| run.noise.get(&figure.part).filter(|_| !figure.is_ratio()));
    let noise = noise
        .into_iter()
        .flatten()
        .fold(0.0, |most: f64, spread| most.max(*spread));
    let overlap = before.low <= after.high && after.low <= before.high;
    pair.has_changed = !overlap && pair.change().abs() > noise;
    pair
}

fn cells(pair: &Pair<'_>) -> Vec<String> {
    let shown = |sample: &Sample| format!("{:.2} ({:.2} to {:.2})", sample.median, sample.low, sample.high);
    let Figure { part, row, name } = pair.figure;
    vec![
        part.clone(),
        row.clone(),
        name.clone(),
        shown(pair.before),
        shown(pair.after),
        if pair.has_changed {
            format!("{:+.0} %", 100.0 * pair.change())
        } else {
            "not distinguishable".into()
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn sample(low: f64, median: f64, high: f64) -> Sample {
        Sample {
            median,
            low,
            high,
            min: low,
            max: high,
            repetitions: 9,
        }
    }

    fn run(commit: &str, cpu: &str, figures: [(&str, Sample); 3]) -> Run {
        let head =
            json!({"started": "2026-01-01", "version": "0.2.0", "commit": commit, "machine": {"cpu": cpu}});
        let figure = |name: &str| Figure {
            part: "live".into(),
            row: "IPv4, op25b".into(),
            name: name.into(),
        };
        Run {
            head: serde_json::from_value(head).unwrap(),
            figures: figures.map(|(name, sample)| (figure(name), sample)).into(),
            noise: BTreeMap::from([("live".into(), 0.10)]),
        }
    }

    fn before() -> Run {
        let ratio = ("share_of_drop", sample(0.50, 0.52, 0.54));
        run(
            "v1",
            "A",
            [
                ("ns", sample(170.0, 175.0, 180.0)),
                ("one_cpu", sample(4.0, 5.0, 6.0)),
                ratio,
            ],
        )
    }

    #[test]
    fn a_change_is_shown_if_no_interval_overlaps_and_it_is_larger_than_the_noise() {
        let ratio = ("share_of_drop", sample(0.60, 0.61, 0.62));
        // Less than 10 % faster: the machine itself varied by as much.
        let after = run(
            "v2",
            "A",
            [
                ("ns", sample(158.0, 160.0, 162.0)),
                ("one_cpu", sample(5.0, 6.0, 7.0)),
                ratio,
            ],
        );
        assert_eq!(
            text(&before(), &after, false),
            "From v1 of 2026-01-01 to v2 of 2026-01-01: 1 of 3 figures changed beyond noise.\n\n\
             | part | row         | figure        |                  v1 |                  v2 | change |\n\
             | ---- | ----------- | ------------- | ------------------: | ------------------: | -----: |\n\
             | live | IPv4, op25b | share_of_drop | 0.52 (0.50 to 0.54) | 0.61 (0.60 to 0.62) |  +17 % |\n"
        );
        let all = text(&before(), &after, true);
        assert_eq!(all.matches("not distinguishable").count(), 2, "{all}");
        let after = run(
            "v2",
            "A",
            [
                ("ns", sample(148.0, 150.0, 152.0)),
                ("one_cpu", sample(5.0, 6.0, 7.0)),
                ratio,
            ],
        );
        assert!(
            text(&before(), &after, false).contains(": 2 of 3 figures"),
            "{all}"
        );
    }

    #[test]
    fn of_two_machines_only_ratios_are_compared() {
        let after = run(
            "v1",
            "B",
            [
                ("ns", sample(370.0, 375.0, 380.0)),
                ("one_cpu", sample(1.0, 1.0, 1.0)),
                ("share_of_drop", sample(0.51, 0.52, 0.53)),
            ],
        );
        assert_eq!(
            text(&before(), &after, false),
            "From v1 of 2026-01-01 to v1 of 2026-01-01: 0 of 1 figures changed beyond noise.\nThe machines are not the same: only ratios within a run are compared.\n"
        );
    }
}
