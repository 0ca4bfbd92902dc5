//! Reads `events`.

use super::super::{
    values::{Context, Mapping},
    yaml::{Located, Node},
};
use crate::policy::model::Events;

pub(in crate::policy::parse) const EVENTS_KEYS: &[&str] = &["destination", "exempt"];

/// The value of `events`.
pub(crate) fn events<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Events> {
    let mut events = Events::default();
    let mut mapping = Mapping::new(context, "`events`", EVENTS_KEYS, node)?;
    if let Some(node) = mapping.optional("destination")
        && let Some(word) = context.word("destination", node)
    {
        events.destination = word.value;
    }
    if let Some(node) = mapping.optional("exempt")
        && let Some(word) = context.word("exempt", node)
    {
        events.exempt = word.value;
    }
    Some(events)
}
