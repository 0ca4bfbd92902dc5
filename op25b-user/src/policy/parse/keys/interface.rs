//! Reads `interfaces`.

use super::super::{
    values::{Context, Mapping, Seen},
    yaml::{Located, Node},
};
use crate::policy::{
    diagnostics::Code,
    model::{Interface, Mpls, Role, Tunnel, Wait, XdpMode},
};

pub(in crate::policy::parse) const INTERFACE_KEYS: &[&str] =
    &["name", "role", "xdp", "tunnels", "mpls", "wait"];

/// Linux stores alternative names of interfaces in 128 bytes with a terminating zero (ALTIFNAMSIZ).
const MAX_INTERFACE_NAME: usize = 127;

/// One item of `interfaces`.
pub(crate) fn interface<'t>(
    context: &mut Context<'t>,
    node: Located<Node<'t>>,
    seen: &mut Seen<String>,
) -> Option<Interface> {
    let at = node.span.at;
    let mut mapping = Mapping::new(context, "an interface", INTERFACE_KEYS, node)?;
    let name = mapping.required(context, "name", "eth1");
    let role = mapping.required(context, "role", "subscriber");
    let xdp = mapping
        .optional("xdp")
        .and_then(|node| context.word::<XdpMode>("xdp", node));

    let name = name.and_then(|node| interface_name(context, node, seen));
    let role = role.and_then(|node| context.word::<Role>("role", node));
    let tunnels = mapping
        .optional("tunnels")
        .map_or_else(Vec::new, |node| tunnels(context, node, role.as_ref()));
    let mpls = mapping
        .optional("mpls")
        .and_then(|node| context.word::<Mpls>("mpls", node));
    let mpls = mpls.map_or(Mpls::NotParsed, |mpls| mpls.value);
    let wait = mapping
        .optional("wait")
        .and_then(|node| context.word::<Wait>("wait", node));
    let wait = wait.map_or(Wait::No, |wait| wait.value);
    let xdp = xdp.map_or(XdpMode::Auto, |xdp| xdp.value);
    Some(Interface {
        name: name?,
        role: role?.value,
        xdp,
        tunnels,
        mpls,
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
            format!("`{name}` is not a valid interface name: it {problem}"),
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
            && seen.note(context, span, value, |tunnel| {
                format!("tunnel `{tunnel}` is given twice")
            })
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
            "`tunnels` applies to subscriber interfaces only",
            "remove `tunnels` from this uplink interface",
        );
    }
    tunnels
}
