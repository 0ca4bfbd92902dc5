//! Reads the limits of exemptions that are added at run time.

use jiff::SignedDuration;

use super::super::{
    values::{Context, Mapping},
    yaml::{Located, Node},
};
use crate::{
    policy::{diagnostics::Code, model::ExemptionLimits},
    time::longest,
};

pub(in crate::policy::parse) const WIDEST_KEYS: &[&str] = &["ipv4", "ipv6"];

/// The value of `exemption_max_age`.
pub(crate) fn max_age<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<SignedDuration> {
    let Located { value, span } = context.scalar("exemption_max_age", "a duration such as 365d", node)?;
    longest(&value)
        .map_err(|error| {
            context
                .reporter
                .error(span, Code::BadTime, error.message(), error.hint());
        })
        .ok()
}

/// The value of `exemption_widest`.
pub(crate) fn widest<'t>(context: &mut Context<'t>, node: Located<Node<'t>>, limits: &mut ExemptionLimits) {
    let Some(mut mapping) = Mapping::new(context, "`exemption_widest`", WIDEST_KEYS, node) else {
        return;
    };
    for (key, most, length) in [
        ("ipv4", 32, &mut limits.widest_v4),
        ("ipv6", 128, &mut limits.widest_v6),
    ] {
        let Some(node) = mapping.optional(key) else {
            continue;
        };
        match node.value {
            Node::Integer(number) if number <= most => {
                *length = u8::try_from(number).unwrap_or(u8::MAX);
            }
            _ => context.reporter.error(
                node.span,
                Code::BadPrefix,
                format!("`{key}` must be a prefix length from 0 to {most}"),
                format!("write {key}: {length}"),
            ),
        }
    }
}
