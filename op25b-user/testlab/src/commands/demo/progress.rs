//! The demo's progress: a bar on a terminal, one line a stage elsewhere.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// The line; dropping it takes it away.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            // A template that does not parse is no reason not to go on with the built-in one.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    /// A new stage of so many steps.
    pub fn stage(&self, name: &str, steps: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(0);
                bar.set_length(steps as u64);
                bar.set_message(name.to_owned());
            }
            None => eprintln!("==> {name}"),
        }
    }

    /// One step of it is done.
    pub fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Nothing is left to do.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}
