//! Reads dates and times.

use jiff::Timestamp;

use super::{
    super::yaml::{Located, Node},
    context::Context,
};
use crate::{
    policy::diagnostics::{Code, Span},
    time::{DayEnd, Problem, Reader},
};

/// A date or a time.
pub(in crate::policy::parse) fn instant<'t>(
    context: &mut Context<'t>,
    key: &str,
    day_end: DayEnd,
    node: Located<Node<'t>>,
) -> Option<Located<Timestamp>> {
    let Located { value: text, span } = context.scalar(key, "a date such as 2028-03-31", node)?;
    let value = instant_of(context, &text, day_end, || span)?;
    Some(Located { value, span })
}

/// The instant that a text stands for.
pub(in crate::policy::parse) fn instant_of(
    context: &mut Context<'_>,
    text: &str,
    day_end: DayEnd,
    span: impl FnOnce() -> Span,
) -> Option<Timestamp> {
    let error = match Reader::new(context.now, &context.time_zone).written(text, day_end) {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let (code, hint) = match error.problem() {
        Problem::Late => (Code::LateTime, "remove the key if there is no end".to_owned()),
        Problem::NoEnd => (Code::BadTime, "remove the key if there is no end".to_owned()),
        _ => (Code::BadTime, error.hint()),
    };
    context.reporter.error(span(), code, error.message(), hint);
    None
}
