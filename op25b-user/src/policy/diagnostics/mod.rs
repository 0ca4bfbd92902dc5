//! Errors and warnings about policy files: their kinds, their locations, the report and its text.

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
