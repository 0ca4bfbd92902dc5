//! From YAML to interfaces and to what is blocked: the parts of a policy that name no customer.

use std::ops::RangeInclusive;

use op25b_common::MAX_BLOCKED_PORTS;

use super::{
    Action, Block, Inbound, Interface, Match, Role, XdpMode,
    context::{Context, Seen},
    diagnostic::{Code, Diagnostic},
    record::Record,
    source::Span,
    yaml::{Located, Node},
};

const INTERFACE_KEYS: &[&str] = &["name", "role", "xdp"];
const BLOCK_KEYS: &[&str] = &["ports", "match", "action", "uninspectable", "unlisted", "inbound"];
const PORTS: RangeInclusive<u64> = 1..=65_535;

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
    if let Some(Located {
        value: Role::Uplink,
        span,
    }) = role
    {
        context.not_supported(
            span,
            "`role: uplink`",
            "subscriber interfaces only, and leave this one out",
        );
    }
    let xdp = xdp.map_or(XdpMode::Auto, |xdp| xdp.value);
    Some(Interface {
        name: name?,
        role: role?.value,
        xdp,
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
        context.error(
            span,
            Code::InterfaceName,
            format!("no interface can be called `{name}`: the name {problem}"),
            "write a name that `ip link` shows",
        );
        return None;
    }
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
        && let Some(Located { value, span }) = context.word("match", node)
    {
        block.match_ = value;
        if value == Match::New {
            context.not_supported(span, "`match: new`", "`match: all`, or leave the key out");
        }
    }
    if let Some(node) = record.optional("action")
        && let Some(Located { value, span }) = context.word("action", node)
    {
        block.action = value;
        if value != Action::Drop {
            context.not_supported(
                span,
                &format!("`action: {value}`"),
                "`action: drop`, or leave the key out",
            );
        }
    }
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
        && let Some(Located { value, span }) = context.word("inbound", node)
    {
        block.inbound = value;
        if value == Inbound::Block {
            context.not_supported(span, "`inbound: block`", "`inbound: allow`, or leave the key out");
        }
    }
    Some(block)
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
        context.error(
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
            context.error(
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
            let text = context.source.slice(span);
            let message = format!("`{text}` is not a TCP port");
            context.error(
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
    context.say(span, Code::SubmissionPort, || {
        Diagnostic::new(Code::SubmissionPort, format!("port {port} is where customers submit their mail ({rfc})"))
            .note("customers whose port 25 is blocked must still be able to send mail, with authentication, on 465 and 587")
            .hint(format!("leave {port} out"))
    });
    None
}
