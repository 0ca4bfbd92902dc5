//! Reads `history`.

use jiff::SignedDuration;

use super::super::{
    values::{Context, Mapping},
    yaml::{Located, Node},
};
use crate::{
    byte_size::ByteSize,
    policy::{diagnostics::Code, model::History},
    time::longest,
};

pub(in crate::policy::parse) const HISTORY_KEYS: &[&str] = &["bucket", "keep", "max_size"];

/// The value of `history`; `None` for `off`.
pub(crate) fn history<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<History> {
    if !matches!(node.value, Node::Mapping(_)) {
        return unless_off(context, node);
    }
    let mut history = History::default();
    let mut mapping = Mapping::new(context, "`history`", HISTORY_KEYS, node)?;
    if let Some(node) = mapping.optional("bucket") {
        history.bucket = bucket(context, node).unwrap_or(history.bucket);
    }
    if let Some(node) = mapping.optional("keep") {
        history.keep = keep(context, node, history.bucket).unwrap_or(history.keep);
    }
    if let Some(node) = mapping.optional("max_size") {
        history.max_size = max_size(context, node).unwrap_or(history.max_size);
    }
    Some(history)
}

fn unless_off<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<History> {
    const WANTED: &str = "`off` or a mapping with `bucket`, `keep` and `max_size`";
    let word = context.scalar("history", WANTED, node);
    match word {
        Some(word) if word.value == "off" => None,
        Some(word) => {
            context.reporter.error(
                word.span,
                Code::UnknownValue,
                format!("`history` must be {WANTED}, not `{}`", word.value),
                "write `history: off` to record no history, or remove the key for one with the defaults",
            );
            Some(History::default())
        }
        None => Some(History::default()),
    }
}

fn bucket<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<SignedDuration> {
    let Located { value, span } = duration(context, "bucket", "a duration such as 10m", node)?;
    let is_valid = History::BUCKETS.contains(&value) && value.subsec_nanos() == 0;
    if !is_valid {
        context.reporter.error(
            span,
            Code::BadTime,
            "`bucket` must be from 1m to 24h, in whole seconds",
            "write the length of a bucket, such as 10m",
        );
    }
    is_valid.then_some(value)
}

fn keep<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    bucket: SignedDuration,
) -> Option<SignedDuration> {
    let Located { value, span } = duration(context, "keep", "a duration such as 90d", node)?;
    if value < bucket {
        context.reporter.error(
            span,
            Code::BadTime,
            format!("`keep` is shorter than `bucket`, which is {bucket:#}"),
            "write how long the history is kept, such as 90d, or `history: off`",
        );
        return None;
    }
    Some(value)
}

fn duration<'t>(
    context: &mut Context<'t>,
    key: &str,
    wanted: &str,
    node: Located<Node<'t>>,
) -> Option<Located<SignedDuration>> {
    let Located { value, span } = context.scalar(key, wanted, node)?;
    match longest(&value) {
        Ok(value) => Some(Located { value, span }),
        Err(error) => {
            context
                .reporter
                .error(span, Code::BadTime, error.message(), error.hint());
            None
        }
    }
}

fn max_size<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<ByteSize> {
    let Located { value, span } = context.scalar("max_size", "a size such as 2GiB", node)?;
    let size = value.parse::<ByteSize>().ok();
    let size = size.filter(|size| *size >= History::LEAST_SIZE);
    if size.is_none() {
        context.reporter.error(
            span,
            Code::BadSize,
            format!("`{value}` is not a valid `max_size`"),
            format!(
                "write a whole number of MiB, GiB or TiB, at least {}, such as 2GiB",
                History::LEAST_SIZE
            ),
        );
    }
    size
}
