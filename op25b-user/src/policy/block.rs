//! From YAML to interfaces, to what is blocked and to what a subscriber is: the parts of a policy that name no customer.

use std::{net::IpAddr, ops::RangeInclusive};

use op25b_common::MAX_BLOCKED_PORTS;

use super::{
    Action, Block, Interface, Prohibit, Role, Subscribers, Tunnel, Wait, XdpMode,
    context::{Context, Seen},
    diagnostic::{Code, Diagnostic},
    record::Record,
    source::Span,
    yaml::{Located, Node},
};

const INTERFACE_KEYS: &[&str] = &["name", "role", "xdp", "tunnels", "wait"];
const BLOCK_KEYS: &[&str] = &[
    "ports",
    "match",
    "action",
    "prohibit_from",
    "prohibit_rate",
    "uninspectable",
    "unlisted",
    "inbound",
];
const SUBSCRIBERS_KEYS: &[&str] = &["ipv6_prefix"];
const PORTS: RangeInclusive<u64> = 1..=65_535;
/// ICMP errors a second and CPU.
const RATES: RangeInclusive<u64> = 1..=1_000_000;

/// Linux keeps interface names in 16 bytes with a zero at the end (IFNAMSIZ).
const MAX_INTERFACE_NAME: usize = 15;

/// One item of `interfaces`.
pub(super) fn interface<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    seen: &mut Seen<String>,
) -> Option<Interface> {
    let at = node.span.at;
    let mut record = Record::new(context, "an interface", INTERFACE_KEYS, node)?;
    let name = record.required(context, "name", "eth1");
    let role = record.required(context, "role", "subscriber");
    let xdp = record
        .optional("xdp")
        .and_then(|node| context.word::<XdpMode>("xdp", node));

    let name = name.and_then(|node| interface_name(context, node, seen));
    let role = role.and_then(|node| context.word::<Role>("role", node));
    let tunnels = record
        .optional("tunnels")
        .map_or_else(Vec::new, |node| tunnels(context, node, role.as_ref()));
    let wait = record
        .optional("wait")
        .and_then(|node| context.word::<Wait>("wait", node));
    let wait = wait.map_or(Wait::No, |wait| wait.value);
    let xdp = xdp.map_or(XdpMode::Auto, |xdp| xdp.value);
    Some(Interface {
        name: name?,
        role: role?.value,
        xdp,
        tunnels,
        wait,
        at,
    })
}

fn interface_name<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    seen: &mut Seen<String>,
) -> Option<String> {
    let Located { value: name, span } = context.text("name", node)?;
    let problem = if name.len() > MAX_INTERFACE_NAME {
        Some(format!("is longer than {MAX_INTERFACE_NAME} bytes"))
    } else if name == "." || name == ".." {
        Some("is the name of a directory".to_owned())
    } else {
        name.chars()
            .find(|c| c.is_whitespace() || matches!(c, '/' | ':'))
            .map(|bad| {
                if bad.is_whitespace() {
                    "contains a space".to_owned()
                } else {
                    format!("contains `{bad}`")
                }
            })
    };
    if let Some(problem) = problem {
        context.reporter.error(
            span,
            Code::InterfaceName,
            format!("no interface can be called `{name}`: the name {problem}"),
            "write a name that `ip link` shows",
        );
        return None;
    }
    let name = name.into_owned();
    seen.note(context, span, name.clone(), |name| {
        format!("interface `{name}` is given twice")
    });
    Some(name)
}

/// The value of `block`.
pub(super) fn block<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Block> {
    let mut record = Record::new(context, "`block`", BLOCK_KEYS, node)?;
    let mut block = Block::default();
    if let Some(node) = record.optional("ports") {
        block.ports = ports(context, node);
    }
    if let Some(node) = record.optional("match")
        && let Some(word) = context.word("match", node)
    {
        block.match_ = word.value;
    }
    let action = record
        .optional("action")
        .and_then(|node| context.word("action", node));
    if let Some(Located { value, .. }) = action {
        block.action = value;
    }
    block.prohibit = prohibit(context, &mut record, action);
    if let Some(node) = record.optional("uninspectable")
        && let Some(word) = context.word("uninspectable", node)
    {
        block.uninspectable = word.value;
    }
    if let Some(node) = record.optional("unlisted")
        && let Some(word) = context.word("unlisted", node)
    {
        block.unlisted = word.value;
    }
    if let Some(node) = record.optional("inbound")
        && let Some(word) = context.word("inbound", node)
    {
        block.inbound = word.value;
    }
    Some(block)
}

/// The value of `subscribers`.
pub(super) fn subscribers<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<Subscribers> {
    let mut record = Record::new(context, "`subscribers`", SUBSCRIBERS_KEYS, node)?;
    let Some(node) = record.optional("ipv6_prefix") else {
        return Some(Subscribers::default());
    };
    let length = match &node.value {
        Node::Integer(length) => u8::try_from(*length).ok(),
        _ => None,
    };
    let ipv6_prefix = length.filter(|length| Subscribers::IPV6_PREFIXES.contains(length));
    if ipv6_prefix.is_none() {
        let text = context.reporter.slice(node.span);
        context.reporter.error(
            node.span,
            Code::BadLength,
            format!("`{text}` is not the length of an IPv6 subscriber's prefix"),
            "write a number from 32 to 64, such as 56, if each subscriber has a /56",
        );
    }
    Some(Subscribers {
        ipv6_prefix: ipv6_prefix?,
    })
}

fn tunnels<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    role: Option<&Located<Role>>,
) -> Vec<Tunnel> {
    let list = node.span;
    let mut seen = Seen::default();
    let mut tunnels = Vec::new();
    for item in context.list("tunnels", "tunnels, such as [4in6]", node) {
        if let Some(Located { value, span }) = context.word::<Tunnel>("tunnels", item)
            && seen.note(context, span, value, |tunnel| format!("{tunnel} is given twice"))
        {
            tunnels.push(value);
        }
    }
    if let Some(Located {
        value: Role::Uplink, ..
    }) = role
    {
        context.reporter.error(
            list,
            Code::Misplaced,
            "tunnels are looked into on subscriber interfaces only",
            "remove `tunnels` from this uplink interface",
        );
    }
    tunnels
}

/// What `action: prohibit` needs to know.
fn prohibit<'t>(
    context: &mut Context<'t>,
    record: &mut Record<'t>,
    action: Option<Located<Action>>,
) -> Option<Prohibit> {
    let asks = action.filter(|action| action.value == Action::Prohibit);
    let (from, rate) = (record.optional("prohibit_from"), record.optional("prohibit_rate"));
    let Some(asks) = asks else {
        for node in [from, rate].into_iter().flatten() {
            context.reporter.error(
                node.span,
                Code::Misplaced,
                "this is for `action: prohibit`, which the policy does not ask for",
                "remove it, or write `action: prohibit`",
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
        prohibit.rate = answer_rate(context, &node).unwrap_or(prohibit.rate);
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
                "`prohibit_from` is one address of this router for IPv4, one for IPv6, or both",
                "write such as [192.0.2.1, 2001:db8::1]",
            );
        }
    }
}

fn answer_rate(context: &mut Context<'_>, node: &Located<Node<'_>>) -> Option<u32> {
    match &node.value {
        Node::Integer(rate) if RATES.contains(rate) => u32::try_from(*rate).ok(),
        _ => {
            let text = context.reporter.slice(node.span);
            context.reporter.error(
                node.span,
                Code::BadRate,
                format!("`{text}` is not a number of ICMP errors a second"),
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
            format!("{found} ports are to be blocked, and at most {MAX_BLOCKED_PORTS} can be"),
            "leave some out; OP25B needs only port 25",
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
                "a port is a number, and this is a text",
                format!("write {text}"),
            );
            return None;
        }
        Node::Null | Node::Record(_) | Node::List(_) => {
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
        Diagnostic::new(Code::SubmissionPort, format!("port {port} is where customers submit their mail ({rfc})"))
            .note("customers whose port 25 is blocked must still be able to send mail, with authentication, on 465 and 587")
            .hint(format!("leave {port} out"))
    });
    None
}
