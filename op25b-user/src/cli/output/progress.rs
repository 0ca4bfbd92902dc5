//! The line on stderr that shows on a terminal what a command does and how far it is, if that takes longer than a second.

use std::{
    io::Read,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes no longer is not shown.
const UNNOTICED: Duration = Duration::from_secs(1);
/// How often the line is drawn anew.
const INTERVAL: Duration = Duration::from_millis(100);

const WORK: &str = "{spinner} {msg} {elapsed}";
const BYTES: &str = "{spinner} {msg} {bytes} {elapsed}";
const BYTES_OF: &str = "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {elapsed}";
const PERCENT: &str = "{spinner} {msg} [{bar:30}] {percent}% {elapsed}";

static IS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// From now on this process shows nothing: a program reads what it writes.
pub fn hide() {
    IS_HIDDEN.store(true, Ordering::Relaxed);
}

/// A line that is shown while this exists, and erased when it is dropped. No other is begun meanwhile.
pub(in crate::cli) struct Progress {
    line: Line,
    /// The thread that shows it after a while, unless the channel is closed before.
    later: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Where the work changes what the line says.
#[derive(Clone)]
pub(in crate::cli) struct Line(ProgressBar);

impl Progress {
    /// Work of which it is not known how much is left.
    pub(in crate::cli) fn of(what: &'static str) -> Self {
        Self::new(what, WORK, None)
    }

    /// So many bytes; `None` if their number is not known.
    pub(in crate::cli) fn of_bytes(what: &'static str, total: Option<u64>) -> Self {
        let template = if total.is_some() { BYTES_OF } else { BYTES };
        Self::new(what, template, total)
    }

    /// Anything of which the share that is done is known.
    pub(in crate::cli) fn of_share(what: &'static str, total: u64) -> Self {
        Self::new(what, PERCENT, Some(total))
    }

    fn new(what: &'static str, template: &str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden())
            .with_style(style(template))
            .with_message(what);
        let line = Line(bar);
        let target = ProgressDrawTarget::stderr();
        let is_shown = !target.is_hidden() && !IS_HIDDEN.load(Ordering::Relaxed);
        Self {
            later: is_shown.then(|| show_later(line.clone(), target)).flatten(),
            line,
        }
    }

    pub(in crate::cli) fn line(&self) -> &Line {
        &self.line
    }
}

/// Shows a line after a while. If the sender is dropped before, it never is, nor where no thread can be started.
fn show_later(Line(bar): Line, target: ProgressDrawTarget) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (sender, ended) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || {
        if ended.recv_timeout(UNNOTICED) == Err(RecvTimeoutError::Timeout) {
            bar.set_draw_target(target);
            bar.enable_steady_tick(INTERVAL);
        }
    });
    Some((sender, thread.ok()?))
}

fn style(template: &str) -> ProgressStyle {
    // Without one that can be parsed there is still something to see.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Line {
    /// So much is done.
    pub(in crate::cli) fn reached(&self, position: u64) {
        self.0.set_position(position);
    }

    /// How much there is to do is known now.
    pub(in crate::cli) fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// Goes on to work of which it is not known how much is left.
    pub(in crate::cli) fn goes_on(&self, what: &'static str) {
        self.0.set_style(style(WORK));
        self.0.set_message(what);
    }

    /// A reader whose bytes are what is done.
    pub(in crate::cli) fn reading(&self, reader: impl Read) -> impl Read {
        self.0.wrap_read(reader)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.later.take() {
            drop(sender);
            // It does not panic, and if it did, the line is not worth an error.
            let _ = thread.join();
        }
        self.line.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_template_can_be_parsed() {
        for template in [WORK, BYTES, BYTES_OF, PERCENT] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
