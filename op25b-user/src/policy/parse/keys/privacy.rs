//! Reads `privacy`.

use jiff::SignedDuration;

use super::super::{
    values::{Context, Mapping},
    yaml::{Located, Node},
};
use crate::{
    policy::{diagnostics::Code, model::Privacy},
    time::longest,
};

pub(in crate::policy::parse) const PRIVACY_KEYS: &[&str] = &["retain", "monitor_retain", "require_reason"];

/// The word for no end.
const FOREVER: &str = "forever";

/// The value of `privacy`.
pub(crate) fn privacy<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Privacy> {
    let mut privacy = Privacy::default();
    let mut mapping = Mapping::new(context, "`privacy`", PRIVACY_KEYS, node)?;
    let retain = mapping.optional("retain");
    let monitor_retain = mapping.optional("monitor_retain");
    let require_reason = mapping.optional("require_reason");
    if let Some(node) = retain {
        time(context, "retain", node, &mut privacy.retain);
        privacy.monitor_retain = privacy.retain;
    }
    if let Some(node) = monitor_retain {
        time(context, "monitor_retain", node, &mut privacy.monitor_retain);
    }
    if let Some(node) = require_reason {
        privacy.require_reason = is_required(context, node);
    }
    Some(privacy)
}

/// Reads how long something is kept: a duration, or `forever`.
fn time<'t>(
    context: &mut Context<'t>,
    key: &str,
    node: Located<Node<'t>>,
    kept: &mut Option<SignedDuration>,
) {
    let Some(Located { value, span }) = context.scalar(key, "a duration such as 90d, or `forever`", node)
    else {
        return;
    };
    if value == FOREVER {
        *kept = None;
        return;
    }
    let (message, hint) = match longest(&value) {
        Ok(time) if time >= Privacy::SHORTEST => {
            *kept = Some(time);
            return;
        }
        Ok(_) => (
            format!("`{key}` must be at least 1h"),
            "write how long records are kept, such as 90d, or `subscribers: { remember: false }` for no records".to_owned(),
        ),
        Err(error) => (error.message(), error.hint()),
    };
    context.reporter.error(span, Code::BadTime, message, hint);
}

fn is_required<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> bool {
    const WANTED: &str = "`true` or `false`";
    let Some(word) = context.scalar("require_reason", WANTED, node) else {
        return false;
    };
    if !matches!(&*word.value, "true" | "false") {
        context.reporter.error(
            word.span,
            Code::UnknownValue,
            format!("`require_reason` must be {WANTED}, not `{}`", word.value),
            "write `require_reason: true` if who reads the records of subscribers must say why",
        );
    }
    word.value == "true"
}
