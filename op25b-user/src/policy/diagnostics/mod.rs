//! What is wrong with a policy file, or probably not meant, and how that is shown.

mod code;
mod diagnostic;
mod lint;
mod render;
mod report;
mod reporter;
mod source;

pub use self::{
    code::{Code, Severity},
    diagnostic::{Diagnostic, Location},
    report::Report,
};
pub(crate) use self::{
    lint::lint,
    reporter::Reporter,
    source::{Source, Span, number},
};
