//! What is said at the control socket: the bodies of requests and answers, as JSON.
//!
//! Adding a member to an answer is compatible, changing or removing one is not.

pub mod bounds;
mod duration;
mod exemption;
mod explain;
mod problem;

pub use self::{
    duration::{DURATION, duration},
    exemption::{
        Added, Exemption, ExtendExemption, Extended, HistoryEntry, ImportExemptions, ImportRow, Imported,
        NewExemption, Origin, Page, FilePosition, Removed,
    },
    explain::{Explained, Rule, RuleKind},
    problem::{Problem, ProblemKind, RowProblem},
};
