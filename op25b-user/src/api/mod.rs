//! The API of the control socket: the bodies of requests and responses, as JSON.
//!
//! Adding a member to an answer is compatible, changing or removing one is not.

mod duration;
mod exemption;
mod explain;
mod problem;

pub use self::{
    duration::{DURATION, duration},
    exemption::{
        Added, Exemption, ExtendExemption, Extended, FilePosition, HistoryEntry, ImportExemptions, Imported,
        Origin, Page, Removed,
    },
    explain::{Explained, Rule, RuleKind},
    problem::{Problem, ProblemKind, RowProblem},
};
pub use crate::exemption::{ImportRow, NewExemption};
