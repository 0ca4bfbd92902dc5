//! Times and durations: the one grammar in which they are read, and the forms in which they are shown.
//!
//! [`Reader`] reads what people write on the command line, in policies, in tables and in requests. [`show`] writes instants
//! for people, in the system's time zone with its offset; documents, tables and logs have them in UTC, with `Z`.

mod error;
mod other_forms;
mod parse;
pub mod show;
#[cfg(test)]
mod tests;

pub use self::{
    error::{Problem, TimeError},
    parse::{DayEnd, Reader, longest, minutes_or_months},
};
