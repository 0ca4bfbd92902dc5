//! Reads `subscribers`.

use std::{borrow::Cow, collections::BTreeSet};

use super::super::{
    values::{Context, Mapping, Seen, closest, one_of},
    yaml::{Located, Node},
};
use crate::policy::{
    diagnostics::{Code, Diagnostic},
    model::{Pool, Remember, Subscribers},
};

pub(in crate::policy::parse) const SUBSCRIBERS_KEYS: &[&str] = &["ipv6_prefix", "remember"];

/// The value of `subscribers` before the pools are known.
#[derive(Default)]
pub(crate) struct Written<'t> {
    ipv6_prefix: Option<u8>,
    remember: Asked<'t>,
}

/// The value of `remember`.
#[derive(Default)]
enum Asked<'t> {
    #[default]
    All,
    Nothing,
    Pools(Vec<Located<Cow<'t, str>>>),
}

/// The value of `subscribers`.
pub(crate) fn subscribers<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Written<'t>> {
    let mut mapping = Mapping::new(context, "`subscribers`", SUBSCRIBERS_KEYS, node)?;
    let ipv6_prefix = mapping.optional("ipv6_prefix");
    let remember = mapping.optional("remember");
    Some(Written {
        ipv6_prefix: ipv6_prefix.and_then(|node| length(context, &node)),
        remember: remember.map_or(Asked::All, |node| pools(context, node)),
    })
}

fn length(context: &mut Context<'_>, node: &Located<Node<'_>>) -> Option<u8> {
    let length = match &node.value {
        Node::Integer(length) => u8::try_from(*length).ok(),
        _ => None,
    };
    let length = length.filter(|length| Subscribers::IPV6_PREFIXES.contains(length));
    if length.is_none() {
        let text = context.reporter.slice(node.span);
        context.reporter.error(
            node.span,
            Code::BadLength,
            format!("`{text}` is not a valid `ipv6_prefix`"),
            "write the prefix length that subscribers are delegated, from 32 to 64, such as 56",
        );
    }
    length
}

fn pools<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Asked<'t> {
    const WANTED: &str = "`true`, `false` or a list of pools";
    if !matches!(node.value, Node::List(_)) {
        let Some(word) = context.scalar("remember", WANTED, node) else {
            return Asked::All;
        };
        return match &*word.value {
            "true" => Asked::All,
            "false" => Asked::Nothing,
            text => {
                context.reporter.error(
                    word.span,
                    Code::UnknownValue,
                    format!("`remember` must be {WANTED}, not `{text}`"),
                    format!("write `false` to remember nothing, or [{text}] for the pool of that name"),
                );
                Asked::All
            }
        };
    }
    let mut seen = Seen::default();
    let mut names = Vec::new();
    let of = "pools, such as [residential], or write `remember: false` to remember nothing";
    for item in context.list("remember", of, node) {
        if let Some(name) = context.text("remember", item)
            && seen.note(context, name.span, name.value.clone(), |name| {
                format!("pool `{name}` is given twice")
            })
        {
            names.push(name);
        }
    }
    Asked::Pools(names)
}

impl Written<'_> {
    /// What is meant, in a policy with these pools. Names that no pool has are reported if all pools were read.
    pub(crate) fn resolve(self, context: &mut Context<'_>, pools: &[Pool], are_all: bool) -> Subscribers {
        let remember = match self.remember {
            Asked::All => Remember::All,
            Asked::Nothing => Remember::Nothing,
            Asked::Pools(names) => {
                let known: BTreeSet<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
                for name in names.iter().filter(|name| !known.contains(&*name.value)) {
                    if are_all {
                        report_unknown(context, name, &known);
                    }
                }
                Remember::Pools(names.into_iter().map(|name| name.value.into_owned()).collect())
            }
        };
        Subscribers {
            ipv6_prefix: self.ipv6_prefix.unwrap_or(Subscribers::default().ipv6_prefix),
            remember,
        }
    }
}

fn report_unknown(context: &mut Context<'_>, name: &Located<Cow<'_, str>>, known: &BTreeSet<&str>) {
    /// More are not listed.
    const LISTED: usize = 8;
    let Located { value, span } = name;
    context.reporter.report(*span, Code::UnknownPool, || {
        let names = || known.iter().copied();
        let hint = match closest(value, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.len() <= LISTED => format!("write {}", one_of(names())),
            None => "write the `name` of an item of `pools`".to_owned(),
        };
        Diagnostic::new(
            Code::UnknownPool,
            format!("`remember` names the pool `{value}`, which is not in `pools`"),
        )
        .hint(hint)
    });
}
