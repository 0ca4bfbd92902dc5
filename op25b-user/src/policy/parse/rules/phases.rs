//! Reads from when on a pool is enforced towards which destinations: `enforce_from` and `only_to`, or `phases`.

use super::super::{
    values::{Context, Mapping, instant},
    yaml::{Located, Node},
};
use crate::{
    policy::{
        diagnostics::{Code, Diagnostic, Span},
        model::{EnforceFrom, Phase, PoolMode},
    },
    time::DayEnd,
};

pub(in crate::policy::parse) const PHASE_KEYS: &[&str] = &["from", "only_to"];

/// The phases of a pool in a mode.
pub(super) fn of_pool<'t>(context: &mut Context<'t>, pool: &mut Mapping<'t>, mode: PoolMode) -> Vec<Phase> {
    let listed = pool.optional("phases");
    if let Some(listed) = &listed {
        for key in ["enforce_from", "only_to"] {
            if pool.has(key) {
                context.reporter.error(
                    listed.span,
                    Code::Misplaced,
                    format!("a pool has either `{key}` or `phases`"),
                    format!("move `{key}` into the phase that it is for"),
                );
            }
        }
    }
    let (phase, date) = phase(context, pool, "enforce_from");
    if let Some(listed) = listed {
        return several(context, listed, mode);
    }
    if let Some((at, span)) = date
        && at <= context.now
        && mode == PoolMode::Enforce
    {
        warn_of_past(
            context,
            span,
            "`enforce_from` is past: the pool is enforced, and needs the date no longer",
            "remove `enforce_from`: a clock that is wrong after a start cannot postpone the pool then",
        );
    }
    vec![phase]
}

/// A date with its place in the text.
type Dated = Option<(jiff::Timestamp, Span)>;

/// The phase in a mapping, whose date has this key, and its date.
fn phase<'t>(context: &mut Context<'t>, mapping: &mut Mapping<'t>, date: &'static str) -> (Phase, Dated) {
    let from = mapping
        .optional(date)
        .and_then(|node| instant(context, date, DayEnd::First, node));
    let only_to = match mapping.optional("only_to") {
        Some(node) => context.prefixes("only_to", node, None),
        None => Vec::new(),
    };
    let phase = Phase {
        from: from.as_ref().map(|from| EnforceFrom {
            at: from.value,
            is_reached: false,
        }),
        only_to,
    };
    (phase, from.map(|from| (from.value, from.span)))
}

/// The items of `phases`.
fn several<'t>(context: &mut Context<'t>, node: Located<Node<'t>>, mode: PoolMode) -> Vec<Phase> {
    let items = context.list(
        "phases",
        "phases, such as { from: 2027-04-01, only_to: [192.0.2.0/24] }",
        node,
    );
    let count = items.len();
    let mut phases: Vec<Phase> = Vec::with_capacity(count);
    let mut latest: Dated = None;
    for (index, item) in items.into_iter().enumerate() {
        let (span, is_last) = (item.span, index + 1 == count);
        let Some(mut mapping) = Mapping::new(context, "a phase", PHASE_KEYS, item) else {
            continue;
        };
        let has_destinations = mapping.has("only_to");
        if index > 0 && !mapping.has("from") {
            let message = "only the first phase may have begun: this one needs the key `from`";
            let hint = "add the date on which it begins, such as `from: 2027-04-01`";
            context.reporter.error(span, Code::BadPhases, message, hint);
        }
        if !has_destinations && !is_last {
            let message = "this phase is for every destination: those after it have no effect";
            let hint = "list its destinations in `only_to`, or remove the phases after it";
            context.reporter.error(span, Code::BadPhases, message, hint);
        }
        let (phase, date) = phase(context, &mut mapping, "from");
        if let (Some((latest, _)), Some((at, span))) = (latest, date)
            && at <= latest
        {
            let message = "this phase does not begin after the one before it";
            let hint =
                "list phases in the order of their dates; destinations that begin together are one phase";
            context.reporter.error(span, Code::BadPhases, message, hint);
        }
        if let Some((at, span)) = date
            && at <= context.now
            && mode == PoolMode::Enforce
        {
            let hint = match (index, has_destinations) {
                (0, _) => "remove its `from`: a clock that is wrong after a start cannot postpone it then",
                (_, true) => {
                    "add the destinations of the phases before it to its `only_to`, and remove those phases and its `from`"
                }
                (_, false) => "remove `phases`: the pool is enforced towards every destination",
            };
            warn_of_past(
                context,
                span,
                "this phase has begun, and needs its date no longer",
                hint,
            );
        }
        latest = date.or(latest);
        phases.push(phase);
    }
    phases
}

fn warn_of_past(context: &mut Context<'_>, span: Span, message: &'static str, hint: &'static str) {
    context.reporter.report(span, Code::EnforceFromPast, || {
        Diagnostic::new(Code::EnforceFromPast, message).hint(hint)
    });
}
