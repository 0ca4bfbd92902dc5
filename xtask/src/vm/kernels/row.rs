//! What came of a part on a kernel.

use std::time::Duration;

/// A row of the table.
#[derive(Debug, Default)]
pub struct Row {
    /// The part's word.
    pub part: String,
    /// How many tests or checks passed.
    pub passed: usize,
    /// Those that did not, by name.
    pub failed: Vec<String>,
    /// Those that were not begun, or did not end in time.
    pub not_reached: Vec<String>,
    /// How long it took.
    pub took: Duration,
    /// Whether something was cut off, so that the machine is not as it was.
    pub is_stuck: bool,
}

impl Row {
    /// Whether everything was done, and passed.
    pub const fn is_good(&self) -> bool {
        self.failed.is_empty() && self.not_reached.is_empty()
    }

    /// A row about one sentence.
    pub fn of(part: &str, sentence: &str, is_good: bool, took: Duration) -> Self {
        Self {
            part: part.to_owned(),
            passed: usize::from(is_good),
            failed: (!is_good).then(|| sentence.to_owned()).into_iter().collect(),
            took,
            ..Self::default()
        }
    }
}
