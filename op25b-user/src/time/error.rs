//! Why a text is not a time or a duration, and what to write instead.

use std::fmt;

use crate::policy::characters;

/// A text that was read as a time or a duration and is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeError {
    /// The text, as it may be shown.
    text: String,
    /// What is wrong with it.
    problem: Problem,
}

/// What is wrong with a text that is read as a time or a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It has full-width digits, letters or signs; what to write instead.
    FullWidth(String),
    /// It is neither a date nor a time, nor a duration where one is read.
    Unreadable {
        /// Whether a duration is read.
        with_durations: bool,
        /// What it was probably meant to be.
        hint: Option<String>,
    },
    /// It is a date of a form that is not read, or of a day that there is not; what to write instead.
    OtherForm(String),
    /// It says that there is no end.
    NoEnd,
    /// It is not a duration.
    NotDuration(Option<String>),
    /// It is a number without a unit.
    NoUnit,
    /// It is the first instant of a day where the whole day may be meant: what to write for either.
    Midnight(String),
    /// The clocks are set back, and this local time comes twice: both, with their offsets.
    Twice(String, String),
    /// The clocks are set forward, and this local time does not come: the instant that is probably meant.
    Skipped(String),
    /// It is not positive.
    NotPositive,
    /// It is not after now; this is when it was.
    Past(String),
    /// It is after now.
    Future,
    /// It is later than what the program can represent.
    Late,
    /// It is a duration that ends beyond all dates.
    TooLong,
    /// It depends on the instant at which it is read, and stands in a file.
    Relative,
}

/// The first year of which the program cannot represent every second.
const LAST_YEAR: &str = "2106";

impl TimeError {
    pub(super) fn new(text: &str, problem: Problem) -> Self {
        Self {
            text: characters::printable(text.trim()).into_owned(),
            problem,
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// What was read and what is wrong with it.
    #[must_use]
    pub fn message(&self) -> String {
        let text = &self.text;
        match &self.problem {
            Problem::FullWidth(_) => format!("`{text}` has full-width {}", characters::full_width(text)),
            Problem::Unreadable {
                with_durations: true, ..
            } => format!("`{text}` is not a date, time or duration"),
            Problem::Unreadable { .. } | Problem::OtherForm(_) | Problem::NoEnd => {
                format!("`{text}` is not a date or time")
            }
            Problem::NotDuration(_) => format!("`{text}` is not a duration"),
            Problem::NoUnit => format!("`{text}` has no unit"),
            Problem::Midnight(_) => format!("`{text}` may be a whole day or its first instant"),
            Problem::Twice(..) => format!("`{text}` comes twice, because the clocks are set back"),
            Problem::Skipped(_) => format!("`{text}` does not come, because the clocks are set forward"),
            Problem::NotPositive => format!("`{text}` is not in the future"),
            Problem::Past(at) => format!("`{text}` is not in the future: it was {at}"),
            Problem::Future => format!("`{text}` is in the future"),
            Problem::Late => format!(
                "`{text}` is too late: the last date that the program can represent is {LAST_YEAR}-02-07"
            ),
            Problem::TooLong => format!("`{text}` is too long"),
            Problem::Relative => {
                format!("`{text}` would mean another instant each time that the file is read")
            }
        }
    }

    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.problem {
            Problem::FullWidth(hint)
            | Problem::OtherForm(hint)
            | Problem::NotDuration(Some(hint))
            | Problem::Unreadable { hint: Some(hint), .. } => hint.clone(),
            Problem::Unreadable {
                with_durations: true, ..
            } => "write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00".to_owned(),
            Problem::Unreadable { .. } => {
                "write a date such as 2028-03-31, or a time such as 2028-03-31T18:00:00+09:00".to_owned()
            }
            Problem::NoEnd => "write `never`, or leave it out".to_owned(),
            Problem::NotDuration(None) => "write one such as 30m, 12h, 90d or 1mo".to_owned(),
            Problem::NoUnit => {
                let number = &self.text;
                format!("write {number}m for minutes, {number}h for hours or {number}d for days")
            }
            Problem::Midnight(either) => format!("write {either}"),
            Problem::Twice(first, second) => format!("write {first} or {second}"),
            Problem::Skipped(at) => format!("write {at}, if that is meant"),
            Problem::NotPositive => "write a duration such as 90d".to_owned(),
            Problem::Past(_) => "write a later one, such as 90d".to_owned(),
            Problem::Future => "write one that is past, such as 1h, 06:00 or 2026-11-28".to_owned(),
            Problem::Late => "write an earlier end, or `never`".to_owned(),
            Problem::TooLong => "write a shorter one".to_owned(),
            Problem::Relative => "write a date or a time with its date".to_owned(),
        }
    }
}

/// Displays as the message and what to write instead, on one line.
impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message(), self.hint())
    }
}

impl std::error::Error for TimeError {}
