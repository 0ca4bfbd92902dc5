//! Reads `pools`, `relays` and `exemptions`: the rules of a policy.

mod phases;

use std::borrow::Cow;

use ipnet::IpNet;
use jiff::Timestamp;
use smol_str::SmolStr;

pub(super) use self::phases::PHASE_KEYS;
use super::{
    values::{Context, Mapping, Named, Owner, Seen, instant},
    yaml::{Located, Node},
};
use crate::{
    exemption::Terms,
    policy::{
        diagnostics::{Code, Diagnostic, Span},
        model::{Exemption, Origin, Pool, PoolMode, Positions, Prefix, Registration, Relay},
    },
    time::DayEnd,
};

pub(super) const POOL_KEYS: &[&str] = &[
    "name",
    "prefixes",
    "prefixes_from",
    "mode",
    "enforce_from",
    "only_to",
    "phases",
];
pub(super) const RELAY_KEYS: &[&str] = &["name", "prefixes", "prefixes_from"];
pub(super) const EXEMPTION_KEYS: &[&str] = &[
    "id",
    "customer",
    "prefixes",
    "destinations",
    "ticket",
    "note",
    "created",
    "expires",
];

/// The names and prefixes of a list that must be unique.
#[derive(Default)]
pub(crate) struct Taken {
    names: Seen<String>,
    pub(super) prefixes: Seen<IpNet>,
}

/// A pool or a relay, and the lists from which more of its prefixes are read.
pub(crate) struct Listed<T> {
    pub(crate) rule: T,
    pub(crate) owner: Owner,
    pub(crate) lists: Vec<Named>,
}

/// What a pool and a relay have in common: a name, and prefixes, of which some or all may be in lists.
struct NamedPrefixes {
    name: Option<String>,
    owner: Owner,
    prefixes: Vec<Prefix>,
    lists: Vec<Named>,
}

impl NamedPrefixes {
    /// Reads it; with the word for what it is, and a name as an example.
    fn of<'t>(
        context: &mut Context<'t>,
        mapping: &mut Mapping<'t>,
        (what, example): (&str, &str),
        taken: &mut Taken,
    ) -> Self {
        let name = name(context, mapping, what, example, &mut taken.names);
        let owner = taken.prefixes.next_owner();
        let lists = lists(context, mapping);
        let prefixes = if mapping.has("prefixes") || lists.is_none() {
            prefixes(context, mapping, Some(&mut taken.prefixes))
        } else {
            Vec::new()
        };
        Self {
            name,
            owner,
            prefixes,
            lists: lists.unwrap_or_default(),
        }
    }
}

/// One item of `pools`.
pub(crate) fn pool<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    taken: &mut Taken,
) -> Option<Listed<Pool>> {
    let at = node.span.at;
    let mut mapping = Mapping::new(context, "a pool", POOL_KEYS, node)?;
    let named = NamedPrefixes::of(context, &mut mapping, ("pool", "residential"), taken);
    let mode = mapping
        .optional("mode")
        .and_then(|node| context.word::<PoolMode>("mode", node));
    let mode = mode.map_or(PoolMode::Enforce, |mode| mode.value);
    let phases = phases::of_pool(context, &mut mapping, mode);
    let rule = Pool {
        name: named.name?,
        prefixes: named.prefixes,
        mode,
        phases,
        paused_until: None,
        at,
    };
    Some(Listed {
        rule,
        owner: named.owner,
        lists: named.lists,
    })
}

/// One item of `relays`.
pub(crate) fn relay<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    taken: &mut Taken,
) -> Option<Listed<Relay>> {
    let at = node.span.at;
    let mut mapping = Mapping::new(context, "a relay", RELAY_KEYS, node)?;
    let named = NamedPrefixes::of(context, &mut mapping, ("relay", "post1"), taken);
    for prefix in &named.prefixes {
        warn_of_wide_relay(context, *prefix);
    }
    let rule = Relay {
        name: named.name?,
        prefixes: named.prefixes,
        at,
    };
    Some(Listed {
        rule,
        owner: named.owner,
        lists: named.lists,
    })
}

/// Warns about a prefix that is certainly more than mail servers.
pub(super) fn warn_of_wide_relay(context: &mut Context<'_>, prefix: Prefix) {
    let shortest = if prefix.net.addr().is_ipv4() {
        Relay::SHORTEST_V4
    } else {
        Relay::SHORTEST_V6
    };
    if prefix.net.prefix_len() < shortest {
        context.reporter.report_word(prefix.at, Code::WideRelay, || {
            Diagnostic::new(
                Code::WideRelay,
                format!("relay prefix {prefix} opens the blocked ports to a large part of the Internet"),
            )
            .hint("list only the addresses of your own mail servers")
        });
    }
}

/// One item of `exemptions`.
pub(crate) fn exemption<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    ids: &mut Seen<Cow<'t, str>>,
) -> Option<Exemption> {
    let at = node.span.at;
    let mut mapping = Mapping::new(context, "an exemption", EXEMPTION_KEYS, node)?;
    let customer = mapping
        .required(context, "customer", "Example KK")
        .and_then(|value| context.text("customer", value));
    let prefixes = prefixes(context, &mut mapping, None);
    let destinations = match mapping.optional("destinations") {
        Some(node) => context.prefixes("destinations", node, None),
        None => Vec::new(),
    };

    let id = mapping.optional("id").and_then(|value| context.text("id", value));
    if let Some(Located { value, span }) = &id {
        ids.note(context, *span, value.clone(), |id| {
            format!("exemption id `{id}` is given twice")
        });
    }
    let ticket = mapping
        .optional("ticket")
        .and_then(|value| context.text("ticket", value));
    let remark = mapping
        .optional("note")
        .and_then(|value| context.prose("note", value));
    let created = mapping
        .optional("created")
        .and_then(|value| instant(context, "created", DayEnd::First, value));
    let expires = mapping
        .optional("expires")
        .and_then(|value| instant(context, "expires", DayEnd::Last, value));
    if let Some(Located { value, span }) = expires {
        warn_of_expired(context, value, || span);
    }
    let kept = |text: Located<Cow<'t, str>>| SmolStr::from(text.value);
    let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net).collect();
    let registration = (id.is_some() || created.is_some()).then(|| {
        Box::new(Registration {
            id: id.map(kept),
            created: created.map(|created| created.value),
        })
    });
    Some(Exemption {
        terms: Terms {
            customer: customer.map(kept)?,
            prefixes: nets(&prefixes),
            destinations: nets(&destinations),
            ticket: ticket.map(kept),
            note: remark.map(|note| note.value.into()),
            expires_at: expires.map(|expires| expires.value),
        },
        origin: Origin::File(Positions::new(at, &prefixes)),
        registration,
    })
}

/// Warns about the expiry of an exemption that is past.
pub(super) fn warn_of_expired(context: &mut Context<'_>, expires: Timestamp, span: impl FnOnce() -> Span) {
    if expires <= context.now {
        context.reporter.report(span(), Code::ExemptionExpired, || {
            Diagnostic::new(
                Code::ExemptionExpired,
                "this exemption has expired and has no effect",
            )
            .hint("remove it, or extend `expires`")
        });
    }
}

fn name<'t>(
    context: &mut Context<'t>,
    mapping: &mut Mapping<'t>,
    what: &str,
    example: &str,
    seen: &mut Seen<String>,
) -> Option<String> {
    let node = mapping.required(context, "name", example)?;
    let Located { value, span } = context.text("name", node)?;
    let value = value.into_owned();
    seen.note(context, span, value.clone(), |name| {
        format!("{what} `{name}` is given twice")
    });
    Some(value)
}

fn prefixes<'t>(
    context: &mut Context<'t>,
    mapping: &mut Mapping<'t>,
    seen: Option<&mut Seen<IpNet>>,
) -> Vec<Prefix> {
    match mapping.required(context, "prefixes", "[198.51.100.0/24]") {
        Some(node) => context.prefixes("prefixes", node, seen),
        None => Vec::new(),
    }
}

/// The lists that `prefixes_from` names; `None` without that key.
fn lists<'t>(context: &mut Context<'t>, mapping: &mut Mapping<'t>) -> Option<Vec<Named>> {
    let node = mapping.optional("prefixes_from")?;
    Some(context.named_lists("prefixes_from", node))
}
