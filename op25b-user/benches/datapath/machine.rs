//! Describes the machine that was measured on.

use std::{fs, thread};

use serde::Serialize;

/// What matters about the machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    cpu: String,
    cpus: usize,
    kernel: String,
}

/// Reads from the system.
pub fn facts() -> Machine {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(':'));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Machine {
        cpu: name.map_or("an unnamed CPU", |(_, name)| name.trim()).into(),
        cpus: thread::available_parallelism().map_or(1, usize::from),
        kernel: kernel.trim().into(),
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} CPUs of a machine with {}, Linux {}",
            self.cpus, self.cpu, self.kernel
        )
    }
}
