//! Reads `block`.

mod vlan_tpids;

use std::{net::IpAddr, ops::RangeInclusive};

use op25b_common::MAX_BLOCKED_PORTS;

use self::vlan_tpids::vlan_tpids;
use super::super::{
    values::{Context, Mapping, Seen},
    yaml::{Located, Node},
};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Span},
    model::{Action, Block, Handling, Prohibit},
};

pub(in crate::policy::parse) const BLOCK_KEYS: &[&str] = &[
    "ports",
    "match",
    "action",
    "reset_rate",
    "prohibit_from",
    "prohibit_rate",
    "uninspectable",
    "unlisted",
    "inbound",
    "vlan_tpids",
];
const PORTS: RangeInclusive<u64> = 1..=65_535;
/// Replies per second and CPU.
const RATES: RangeInclusive<u64> = 1..=1_000_000;

/// The value of `block`.
pub(crate) fn block<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Block> {
    let mut mapping = Mapping::new(context, "`block`", BLOCK_KEYS, node)?;
    let mut block = Block::default();
    if let Some(node) = mapping.optional("ports") {
        block.ports = ports(context, node);
    }
    if let Some(node) = mapping.optional("match")
        && let Some(word) = context.word("match", node)
    {
        block.match_ = word.value;
    }
    let action = mapping
        .optional("action")
        .and_then(|node| context.word("action", node));
    if let Some(Located { value, .. }) = action {
        block.action = value;
    }
    block.reset_rate = reset_rate(context, &mut mapping, action.as_ref().map(|action| action.value));
    block.prohibit = prohibit(context, &mut mapping, action);
    if let Some(node) = mapping.optional("uninspectable")
        && let Some(word) = context.word("uninspectable", node)
    {
        block.uninspectable = word.value;
    }
    if let Some(node) = mapping.optional("unlisted")
        && let Some(word) = context.word("unlisted", node)
    {
        block.unlisted = word.value;
        warn_of_open_default(context, &block, word.span);
    }
    if let Some(node) = mapping.optional("inbound")
        && let Some(word) = context.word("inbound", node)
    {
        block.inbound = word.value;
    }
    if let Some(node) = mapping.optional("vlan_tpids") {
        block.vlan_tpids = vlan_tpids(context, node);
    }
    Some(block)
}

/// Warns of `unlisted: drop` where packets that hide their ports pass.
fn warn_of_open_default(context: &mut Context<'_>, block: &Block, span: Span) {
    if (block.unlisted, block.uninspectable) == (Handling::Drop, Handling::Pass) {
        context.reporter.report(span, Code::NotDefaultDeny, || {
            Diagnostic::new(
                Code::NotDefaultDeny,
                "`unlisted: drop` is no default-deny with `uninspectable: pass`: unlisted sources reach the blocked ports \
                 with packets that hide them",
            )
            .hint("remove `uninspectable: pass`")
        });
    }
}

/// The rate of `action: reset`.
fn reset_rate<'t>(
    context: &mut Context<'t>,
    mapping: &mut Mapping<'t>,
    action: Option<Action>,
) -> Option<u32> {
    let node = mapping.optional("reset_rate")?;
    if action == Some(Action::Reset) {
        return answer_rate(context, &node, "TCP resets");
    }
    context.reporter.error(
        node.span,
        Code::Misplaced,
        "this key applies to `action: reset` only",
        "remove it, or set `action: reset`",
    );
    None
}

/// The settings of `action: prohibit`.
fn prohibit<'t>(
    context: &mut Context<'t>,
    mapping: &mut Mapping<'t>,
    action: Option<Located<Action>>,
) -> Option<Prohibit> {
    let asks = action.filter(|action| action.value == Action::Prohibit);
    let (from, rate) = (
        mapping.optional("prohibit_from"),
        mapping.optional("prohibit_rate"),
    );
    let Some(asks) = asks else {
        for node in [from, rate].into_iter().flatten() {
            context.reporter.error(
                node.span,
                Code::Misplaced,
                "this key applies to `action: prohibit` only",
                "remove it, or set `action: prohibit`",
            );
        }
        return None;
    };
    let mut prohibit = Prohibit {
        router_v4: None,
        router_v6: None,
        rate: Prohibit::DEFAULT_RATE,
        at: asks.span.at,
    };
    if let Some(node) = from {
        routers(context, node, &mut prohibit);
    }
    if let Some(node) = rate {
        prohibit.rate = answer_rate(context, &node, "ICMP errors").unwrap_or(prohibit.rate);
    }
    Some(prohibit)
}

/// The router's addresses, at most one of each family.
fn routers<'t>(context: &mut Context<'t>, node: Located<Node<'t>>, prohibit: &mut Prohibit) {
    let list = node.span;
    for prefix in context.prefixes("prohibit_from", node, None) {
        let address = prefix.net.addr();
        let is_host = prefix.net.prefix_len() == prefix.net.max_prefix_len()
            && !address.is_multicast()
            && !address.is_unspecified()
            && !address.is_loopback();
        let is_taken = match address {
            IpAddr::V4(address) => prohibit.router_v4.replace(address).is_some(),
            IpAddr::V6(address) => prohibit.router_v6.replace(address).is_some(),
        };
        if !is_host || is_taken {
            context.reporter.error(
                list,
                Code::NoRouter,
                "`prohibit_from` must be at most one IPv4 and one IPv6 unicast address of this router",
                "write one address of each family, such as [192.0.2.1, 2001:db8::1]",
            );
        }
    }
}

/// How many replies of a kind a CPU sends per second.
fn answer_rate(context: &mut Context<'_>, node: &Located<Node<'_>>, replies: &str) -> Option<u32> {
    match &node.value {
        Node::Integer(rate) if RATES.contains(rate) => u32::try_from(*rate).ok(),
        _ => {
            let text = context.reporter.slice(node.span);
            context.reporter.error(
                node.span,
                Code::BadRate,
                format!("`{text}` is not a valid rate of {replies} per second"),
                "write a number from 1 to 1000000, such as 1000",
            );
            None
        }
    }
}

fn ports<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Vec<u16> {
    let list = node.span;
    let mut seen = Seen::default();
    let mut ports = Vec::new();
    for item in context.list("ports", "port numbers, such as [25]", node) {
        let span = item.span;
        if let Some(port) = port(context, &item)
            && seen.note(context, span, port, |port| format!("port {port} is given twice"))
        {
            ports.push(port);
        }
    }
    if ports.len() > MAX_BLOCKED_PORTS {
        let found = ports.len();
        context.reporter.error(
            list,
            Code::TooManyPorts,
            format!("`ports` lists {found} ports, and at most {MAX_BLOCKED_PORTS} can be blocked"),
            "remove some; OP25B needs only port 25",
        );
    }
    ports
}

fn port(context: &mut Context<'_>, node: &Located<Node<'_>>) -> Option<u16> {
    let span = node.span;
    let number = match &node.value {
        Node::Integer(number) if PORTS.contains(number) => u16::try_from(*number).ok()?,
        Node::Text(text) if text.parse::<u16>().is_ok() => {
            context.reporter.error(
                span,
                Code::WrongType,
                "a port must be a number, not a string",
                format!("write {text}"),
            );
            return None;
        }
        Node::Null | Node::Mapping(_) | Node::List(_) => {
            context.wrong_type(span, "ports", "a list of port numbers, such as [25]", &node.value);
            return None;
        }
        Node::Plain | Node::Integer(_) | Node::Text(_) => {
            let text = context.reporter.slice(span);
            let message = format!("`{text}` is not a TCP port");
            context.reporter.error(
                span,
                Code::BadPort,
                message,
                "write a number from 1 to 65535, such as 25",
            );
            return None;
        }
    };
    match number {
        465 => refuse_submission(context, span, number, "RFC 8314"),
        587 => refuse_submission(context, span, number, "RFC 6409"),
        _ => Some(number),
    }
}

fn refuse_submission(context: &mut Context<'_>, span: Span, port: u16, rfc: &str) -> Option<u16> {
    context.reporter.report(span, Code::SubmissionPort, || {
        Diagnostic::new(
            Code::SubmissionPort,
            format!("port {port} is the port of message submission ({rfc})"),
        )
        .note("customers whose port 25 is blocked submit their mail with authentication on ports 465 and 587")
        .hint(format!("remove {port}"))
    });
    None
}
