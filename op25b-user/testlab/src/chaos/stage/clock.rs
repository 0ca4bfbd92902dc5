//! A time of day for the daemon alone, that can be set while it runs.
//!
//! The machine's clock is left alone: it has no namespace. A library that is loaded before the C library adds an offset to what
//! the process reads. The kernel's program counts from the boot and adds an offset that the daemon reads from its clock, so both
//! follow.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::process::run_quietly;

const SHIM: &str = include_str!("clock_shim.c");
/// What the library reads.
const VARIABLE: &str = "OP25B_LAB_CLOCK";

/// The clock of the processes that are started with its variables.
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// Builds the library in a folder.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let clock = Self {
            library: folder.join("clock_shim.so"),
            offset: folder.join("clock_offset"),
        };
        let source = folder.join("clock_shim.c");
        fs::write(&source, SHIM).with_context(|| format!("cannot write {}", source.display()))?;
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&clock.library)
            .arg(&source);
        run_quietly(&mut compiler)?;
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it forward, or back, from the machine's time.
    pub fn set(&self, seconds: i64) -> anyhow::Result<()> {
        let nanoseconds = seconds.saturating_mul(1_000_000_000);
        let write = || {
            // In place: an empty file that is mapped would end the process that reads it.
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.offset)?;
            file.write_all_at(&nanoseconds.to_ne_bytes(), 0)
        };
        write().with_context(|| format!("cannot write {}", self.offset.display()))
    }

    /// The variables that make a process use it.
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("LD_PRELOAD".into(), self.library.clone().into()),
            (VARIABLE.into(), self.offset.clone().into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::output_of;

    #[test]
    fn a_process_has_the_time_that_was_set_and_others_have_not() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::new(folder.path()).unwrap();
        let now = |variables: Vec<(OsString, OsString)>| -> i64 {
            let text = output_of(Command::new("date").arg("+%s").envs(variables)).unwrap();
            text.trim().parse().unwrap()
        };
        for seconds in [0, 3_600, -86_400] {
            clock.set(seconds).unwrap();
            let (before, set, after) = (now(vec![]), now(clock.variables()), now(vec![]));
            assert!((before..=after).contains(&(set - seconds)), "{seconds}");
        }
    }
}
