//! Reads `alerts`.

use std::ops::RangeInclusive;

use super::super::{
    values::{Context, Mapping},
    yaml::{Located, Node},
};
use crate::policy::{
    diagnostics::{Code, Span},
    model::{Alerts, Policy, Remember},
};

pub(in crate::policy::parse) const ALERTS_KEYS: &[&str] =
    &["syns_per_minute", "destinations", "exempt_syns_per_minute"];

/// The value of `alerts`.
pub(crate) fn alerts<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Alerts> {
    let span = node.span;
    let mut mapping = Mapping::new(context, "`alerts`", ALERTS_KEYS, node)?;
    if !ALERTS_KEYS.iter().any(|key| mapping.has(key)) {
        context.reporter.error(
            span,
            Code::MissingKey,
            "`alerts` needs a threshold",
            "write at least one, such as alerts: { syns_per_minute: 600, destinations: 100 }",
        );
        return None;
    }
    let mut number = |key, valid| threshold(context, &mapping.optional(key)?, key, valid);
    Some(Alerts {
        syns_per_minute: number("syns_per_minute", &Alerts::SYNS),
        destinations: number("destinations", &Alerts::DESTINATIONS),
        exempt_syns_per_minute: number("exempt_syns_per_minute", &Alerts::SYNS),
    })
}

fn threshold(
    context: &mut Context<'_>,
    node: &Located<Node<'_>>,
    key: &str,
    valid: &RangeInclusive<u64>,
) -> Option<u32> {
    match node.value {
        Node::Integer(number) if valid.contains(&number) => u32::try_from(number).ok(),
        _ => {
            let text = context.reporter.slice(node.span);
            context.reporter.error(
                node.span,
                Code::BadThreshold,
                format!("`{text}` is not a valid `{key}`"),
                format!("write a number from {} to {}", valid.start(), valid.end()),
            );
            None
        }
    }
}

/// Reports thresholds for which the policy leaves nothing to count.
pub(in crate::policy::parse) fn check(context: &mut Context<'_>, span: Span, policy: &Policy) {
    let Some(alerts) = &policy.alerts else { return };
    let mut refuse = |message, hint| context.reporter.error(span, Code::Misplaced, message, hint);
    let is_of_records = alerts.syns_per_minute.is_some() || alerts.destinations.is_some();
    if is_of_records && policy.subscribers.remember == Remember::Nothing {
        refuse(
            "`alerts` about offenders need the records of subscribers, and `remember: false` records none",
            "remember the pools that alerts are about, or set `exempt_syns_per_minute` alone",
        );
    }
    if alerts.destinations.is_some() && policy.history.is_none() {
        refuse(
            "`destinations` below `alerts` counts in the buckets of the history, and there is none with `history: off`",
            "remove `history: off`, or set `syns_per_minute` alone",
        );
    }
}
