//! What a process has used of the machine: its CPUs and its memory.

use std::{fs, time::Duration};

use anyhow::Context as _;
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// The time for which a process has had a CPU. After its end it is there until the process is waited for.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid).context("a large process id")?);
    let clock = clock_getcpuclockid(pid).context("a process has no clock")?;
    let time = clock_gettime(clock).context("a process's clock cannot be read")?;
    Ok(time.into())
}

/// The memory that a process has, in KiB; nothing once it has ended.
#[must_use]
pub fn memory_kib(pid: u32) -> Option<u64> {
    kib(pid, "VmRSS:")
}

/// The most memory that it has had, in KiB.
#[must_use]
pub fn peak_memory_kib(pid: u32) -> Option<u64> {
    kib(pid, "VmHWM:")
}

fn kib(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
