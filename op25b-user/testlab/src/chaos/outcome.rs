//! What a walk did, and what it found.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::chaos::{
    evidence::rules::Open,
    faults::{Fault, Round},
    moment::Moment,
};

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until kernel, status, metrics and command agree; also how old a report may be.
    pub agree: Duration,
    /// Until a daemon that was started answers.
    pub start: Duration,
    /// Until everything is enforced after the faults were undone.
    pub recover: Duration,
}

impl Limits {
    /// Those that are promised, on a machine that is otherwise idle.
    pub const PROMISED: Self = Self {
        agree: Duration::from_secs(2),
        start: Duration::from_secs(10),
        recover: Duration::from_secs(10),
    };

    /// Those of a machine that does so many times as much besides.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self {
            agree: self.agree * factor,
            start: self.start * factor,
            recover: self.recover * factor,
        }
    }
}

/// The times at which an interface that faults concerned was open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gaps {
    count: usize,
    packets: usize,
    largest: Duration,
    sum: Duration,
}

impl Gaps {
    /// Counts one.
    pub fn add(&mut self, open: &Open) {
        let length = open.until.since(open.from);
        self.count += 1;
        self.packets += open.packets;
        self.largest = self.largest.max(length);
        self.sum += length;
    }
}

/// What a walk did and found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many rounds ended well.
    pub rounds: usize,
    /// How many faults of each kind were made.
    pub faults: BTreeMap<String, usize>,
    /// Packets from enforced pools that were sent.
    pub packets: u64,
    /// When interfaces were open, by the fault.
    pub gaps: BTreeMap<String, Gaps>,
    /// What was done, with the times.
    pub steps: Vec<String>,
    /// What went wrong.
    pub failure: Option<String>,
}

impl Outcome {
    /// A round begins.
    pub fn begin(&mut self, round: &Round) {
        println!("{} round: {round}", Moment::now());
        self.steps.push(format!("{} round: {round}", Moment::now()));
        for fault in &round.0 {
            if !matches!(fault, Fault::Wait(_)) {
                let text = fault.to_string();
                let kind = text
                    .split(' ')
                    .take(1 + usize::from(is_group(&text)))
                    .collect::<Vec<_>>();
                *self.faults.entry(kind.join(" ")).or_default() += 1;
            }
        }
    }

    /// How many packets passed while a fault concerned an interface, and no other fault was made.
    #[must_use]
    pub fn passed(&self, fault: &str) -> usize {
        self.gaps.get(fault).map_or(0, |gaps| gaps.packets)
    }

    /// Something is done.
    pub fn step(&mut self, what: &str) {
        self.steps.push(format!("{}   {what}", Moment::now()));
    }

    /// The round ended well.
    pub fn end(&mut self) {
        self.rounds += 1;
    }
}

/// Whether the second word of a fault belongs to its kind.
fn is_group(fault: &str) -> bool {
    ["state ", "policy ", "exempt "]
        .iter()
        .any(|group| fault.starts_with(group))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<44} {:>12}", "fault", "times")?;
        for (kind, count) in &self.faults {
            writeln!(f, "{kind:<44} {count:>12}")?;
        }
        writeln!(f, "\n{:<44} {:>12}", "rounds that ended well", self.rounds)?;
        writeln!(
            f,
            "{:<44} {:>12}",
            "packets of enforced pools, sent", self.packets
        )?;
        writeln!(
            f,
            "\n{:<44} {:>8} {:>10} {:>12} {:>12}",
            "open while a fault concerned the interface", "times", "packets", "largest, ms", "sum, ms"
        )?;
        for (fault, gaps) in &self.gaps {
            let Gaps {
                count,
                packets,
                largest,
                sum,
            } = gaps;
            writeln!(
                f,
                "{fault:<44} {count:>8} {packets:>10} {:>12} {:>12}",
                largest.as_millis(),
                sum.as_millis()
            )?;
        }
        Ok(())
    }
}
