//! The CPU time that was spent on frames, apart from what else the CPU did meanwhile.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    sys::resource::{UsageWho, getrusage},
    time::{ClockId, clock_gettime},
};

use crate::tool;

/// A clock for work that the kernel does in this thread's name, receiving included.
#[derive(Debug)]
pub enum Clock {
    /// The thread's time on CPUs, and that of the kernel's threads to which receiving is handed over under load: what else
    /// runs on the machine does not count.
    Work {
        /// Where those threads' times are.
        others: Vec<PathBuf>,
    },
    /// The time of day, where the kernel keeps the time of receiving out of the thread's, or does not report it.
    Day,
}

/// A moment by that clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    day: Instant,
    work: Duration,
    interruptions: i64,
}

/// What went by since a moment.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    /// How long.
    pub time: Duration,
    /// Whether another process had the CPU, and the time shows it.
    pub is_disturbed: bool,
}

impl Clock {
    /// The best one that the kernel has.
    pub fn new() -> Self {
        let others = softirq_threads();
        if counts_receiving() == Some(true) && !others.is_empty() {
            Self::Work { others }
        } else {
            Self::Day
        }
    }

    /// What it is called in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Work { .. } => "CPU time",
            Self::Day => "time of day",
        }
    }

    /// About how long a measurement should last: long for a filter at work, or by the time of day short enough to come
    /// through without being interrupted, on a machine that does other things too.
    pub fn measurement(&self) -> Duration {
        match self {
            Self::Work { .. } => Duration::from_millis(100),
            Self::Day => Duration::from_millis(15),
        }
    }

    /// Now.
    pub fn now(&self) -> anyhow::Result<Moment> {
        let mut work = Duration::ZERO;
        if let Self::Work { others } = self {
            work = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into();
            for path in others {
                work += Duration::from_nanos(ran(path)?);
            }
        }
        Ok(Moment {
            day: Instant::now(),
            work,
            interruptions: getrusage(UsageWho::RUSAGE_THREAD)?.involuntary_context_switches(),
        })
    }

    /// What went by since then.
    pub fn since(&self, then: Moment) -> anyhow::Result<Elapsed> {
        let day = then.day.elapsed();
        let now = self.now()?;
        Ok(match self {
            Self::Work { .. } => Elapsed {
                time: now.work.saturating_sub(then.work),
                is_disturbed: false,
            },
            Self::Day => Elapsed {
                time: day,
                is_disturbed: now.interruptions != then.interruptions,
            },
        })
    }
}

/// Whether the time that a thread spends receiving is in its time; not if the kernel accounts interrupts by themselves.
fn counts_receiving() -> Option<bool> {
    const SETTING: &str = "CONFIG_IRQ_TIME_ACCOUNTING=y";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let settings = tool::output("zcat", &["/proc/config.gz"])
        .or_else(|_| fs::read_to_string(format!("/boot/config-{}", release.trim())))
        .ok()?;
    Some(!settings.lines().any(|line| line == SETTING))
}

/// The times of the threads `ksoftirqd`, one for each CPU.
fn softirq_threads() -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .map(|process| process.path())
        .filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("ksoftirqd/")))
        .map(|path| path.join("schedstat"))
        .filter(|path| ran(path).is_ok())
        .collect()
}

/// Nanoseconds that a thread has been on a CPU.
fn ran(schedstat: &PathBuf) -> anyhow::Result<u64> {
    let text =
        fs::read_to_string(schedstat).with_context(|| format!("cannot read {}", schedstat.display()))?;
    let first = text.split_whitespace().next();
    first
        .and_then(|nanoseconds| nanoseconds.parse().ok())
        .with_context(|| format!("{} has no time: {text}", schedstat.display()))
}
