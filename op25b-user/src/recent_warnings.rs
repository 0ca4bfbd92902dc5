//! The newest warnings and errors of a daemon's log, for whoever asks for its status: the log itself may be rotated, or on another
//! machine.

use std::{
    collections::VecDeque,
    fmt::{Debug, Write as _},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};
use utoipa::ToSchema;

/// How many are kept.
const MOST: usize = 20;
/// The longest text that is kept of one, in characters.
const LONGEST: usize = 1000;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecentWarning {
    /// When it was logged; the last time, if the same line came several times in a row.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `warning` or `error`.
    pub level: String,
    /// What it says.
    pub message: String,
    /// How many times it came in a row.
    pub times: u64,
}

/// The newest warnings and errors of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct RecentWarnings(Arc<Mutex<VecDeque<RecentWarning>>>);

/// Those of this process: there is one log.
static OF_THIS_PROCESS: LazyLock<RecentWarnings> = LazyLock::new(RecentWarnings::default);

impl RecentWarnings {
    /// Those of this process, if its log was started with them.
    #[must_use]
    pub fn of_this_process() -> Self {
        OF_THIS_PROCESS.clone()
    }

    /// What is kept, the newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<RecentWarning> {
        self.lock().iter().rev().cloned().collect()
    }

    fn note(&self, level: &str, message: String) {
        let now = Timestamp::now();
        let mut kept = self.lock();
        if let Some(last) = kept.back_mut()
            && last.level == level
            && last.message == message
        {
            last.at = now;
            last.times += 1;
            return;
        }
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back(RecentWarning {
            at: now,
            level: level.to_owned(),
            message,
            times: 1,
        });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RecentWarning>> {
        // A list whose holder panicked is whole: it is changed by single calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for RecentWarnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            _ => return,
        };
        // Those of libraries are about clients and sockets.
        if !event.metadata().target().starts_with("op25b") {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        // A fault is shown as long as it lasts.
        if !text.is_fault {
            self.note(level, text.finish());
        }
    }
}

/// The text of a line: its message, then its other fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    is_fault: bool,
}

impl Text {
    fn finish(self) -> String {
        let text = match (self.message.is_empty(), self.fields.is_empty()) {
            (_, true) => self.message,
            (true, false) => self.fields,
            (false, false) => format!("{} ({})", self.message, self.fields),
        };
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "fault" => {
                self.is_fault = true;
                Ok(())
            }
            // What the lines of this library that came from another one have.
            name if name.starts_with("log.") => Ok(()),
            name => {
                let separator = if self.fields.is_empty() { "" } else { ", " };
                write!(self.fields, "{separator}{name}={value:?}")
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing::{error, info, subscriber::with_default, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_and_faults_and_other_lines_are_not() {
        let kept = RecentWarnings::default();
        with_default(tracing_subscriber::registry().with(kept.clone()), || {
            warn!(interface = "eth2", index = 7, "cannot attach");
            info!("enforcing");
            error!(fault = "store_unread", "it is shown as a fault");
            error!("the policy was not reloaded");
            error!("the policy was not reloaded");
            warn!(target: "hyper", "a client went away");
        });
        let kept = kept.newest_first();
        let texts: Vec<_> = kept
            .iter()
            .map(|warning| (warning.level.as_str(), warning.message.as_str(), warning.times))
            .collect();
        let expected = [
            ("error", "the policy was not reloaded", 2),
            ("warning", "cannot attach (interface=eth2, index=7)", 1),
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn only_the_newest_are_kept_and_none_is_long() {
        let kept = RecentWarnings::default();
        with_default(tracing_subscriber::registry().with(kept.clone()), || {
            for number in 0..=MOST {
                warn!("{number}{}", "x".repeat(2 * LONGEST));
            }
        });
        let kept = kept.newest_first();
        assert_eq!(kept.len(), MOST);
        assert!(kept[0].message.starts_with(&MOST.to_string()));
        assert!(kept[MOST - 1].message.starts_with("1x"), "the first was dropped");
        assert!(
            kept.iter()
                .all(|warning| warning.message.chars().count() == LONGEST + 1)
        );
    }
}
