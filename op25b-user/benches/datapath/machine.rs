//! Describes the machine that was measured on: the CPU, its caches, and what the kernel does against its faults.

use std::{fmt, fs, path::Path, thread};

use serde::Serialize;

/// What matters about the machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    cpu: String,
    /// Family, model and stepping, as the kernel prints them: names of virtual CPUs say little.
    model: String,
    cpus: usize,
    /// Of the first CPU: level, type and size.
    caches: Vec<String>,
    /// Those that cost BPF programs time, with what the kernel does.
    mitigations: Vec<String>,
    kernel: String,
}

/// The kernel's names of the faults whose mitigations make calls, returns or indirect jumps slower.
const FAULTS: [&str; 3] = ["spectre_v2", "spec_rstack_overflow", "retbleed"];

/// Reads from the system.
pub fn facts() -> Machine {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        let mut values = cpus.lines().filter_map(|line| line.split_once(':'));
        let found = values.find(|(key, _)| key.trim() == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let number = |name: &str| value(name).unwrap_or_else(|| "?".into());
    Machine {
        cpu: value("model name").unwrap_or_else(|| "an unnamed CPU".into()),
        model: format!(
            "family {}, model {}, stepping {}",
            number("cpu family"),
            number("model"),
            number("stepping")
        ),
        cpus: thread::available_parallelism().map_or(1, usize::from),
        caches: caches(),
        mitigations: mitigations(),
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

fn caches() -> Vec<String> {
    let cache = |index: u32| {
        let of = |name: &str| read(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}"));
        Some(format!("L{} {} {}", of("level")?, of("type")?, of("size")?))
    };
    (0..).map_while(cache).collect()
}

fn mitigations() -> Vec<String> {
    let of_cpu = FAULTS.into_iter().filter_map(|fault| {
        let what = read(format!("/sys/devices/system/cpu/vulnerabilities/{fault}"))?;
        Some(format!("{fault}: {what}"))
    });
    let of_bpf = ["bpf_jit_enable", "bpf_jit_harden"]
        .into_iter()
        .filter_map(|setting| {
            let value = read(format!("/proc/sys/net/core/{setting}"))?;
            Some(format!("{setting} {value}"))
        });
    of_cpu.chain(of_bpf).collect()
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} CPUs of a machine with {} ({}), Linux {}",
            self.cpus, self.cpu, self.model, self.kernel
        )?;
        writeln!(f, "Caches: {}", self.caches.join(", "))?;
        write!(f, "Mitigations: {}", self.mitigations.join("; "))
    }
}
