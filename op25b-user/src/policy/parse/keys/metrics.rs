//! Reads `metrics`.

use std::{net::SocketAddr, path::PathBuf};

use super::super::{
    values::{Context, Mapping, Seen},
    yaml::{Located, Node},
};
use crate::policy::{
    diagnostics::{Code, Span},
    model::{MetricsServer, MetricsTls},
};

pub(in crate::policy::parse) const METRICS_KEYS: &[&str] = &["listen", "allow", "tls"];
pub(in crate::policy::parse) const TLS_KEYS: &[&str] = &["cert", "key", "client_ca"];

const EXAMPLE: &str = "write an address and a port, such as 127.0.0.1:9625 or '[::1]:9625'";

/// The value of `metrics`.
pub(crate) fn metrics<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<MetricsServer> {
    let mut mapping = Mapping::new(context, "`metrics`", METRICS_KEYS, node)?;
    let listen = mapping.required(context, "listen", "[127.0.0.1:9625]");
    let listen = listen.map_or_else(Vec::new, |node| listeners(context, node));
    let (is_limited, mut allow) = (mapping.has("allow"), Vec::new());
    if let Some(node) = mapping.optional("allow") {
        let span = node.span;
        let prefixes = context.prefixes("allow", node, None);
        allow.extend(prefixes.into_iter().map(|prefix| prefix.net));
        if allow.len() > MetricsServer::MOST_PREFIXES {
            context.reporter.error(
                span,
                Code::BadListener,
                format!(
                    "`allow` has {} prefixes, and at most {} are possible",
                    allow.len(),
                    MetricsServer::MOST_PREFIXES
                ),
                "write wider prefixes",
            );
        }
    }
    let has_tls = mapping.has("tls");
    let tls = mapping.optional("tls").and_then(|node| tls(context, node));
    let is_authenticated = has_tls && tls.as_ref().is_none_or(|tls| tls.client_ca.is_some());
    if !is_limited && !is_authenticated {
        for Located { value, span } in listen
            .iter()
            .filter(|listener| !listener.value.ip().is_loopback())
        {
            context.reporter.error(
                *span,
                Code::MetricsForAll,
                format!("other machines reach {value}, and nothing says which of them may read the metrics"),
                "write `allow` with the addresses of your Prometheus servers, such as allow: [192.0.2.10], or `client_ca` below `tls`",
            );
        }
    }
    Some(MetricsServer {
        listen: listen.into_iter().map(|listener| listener.value).collect(),
        allow,
        tls,
    })
}

fn listeners<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Vec<Located<SocketAddr>> {
    let (list, mut seen, mut listeners) = (node.span, Seen::default(), Vec::new());
    for item in context.list("listen", "addresses with ports such as 127.0.0.1:9625", node) {
        if let Some(Located { value, span }) = listener(context, item)
            && seen.note(context, span, value, |value| format!("{value} is given twice"))
        {
            listeners.push(Located { value, span });
        }
    }
    if listeners.len() > MetricsServer::MOST_LISTENERS {
        too_many(context, list, listeners.len());
    }
    listeners
}

fn too_many(context: &mut Context<'_>, span: Span, listeners: usize) {
    let most = MetricsServer::MOST_LISTENERS;
    context.reporter.error(
        span,
        Code::BadListener,
        format!("`listen` has {listeners} addresses, and at most {most} are possible"),
        "write 0.0.0.0 or '[::]' with a port for all addresses of this machine",
    );
}

fn listener<'t>(context: &mut Context<'t>, item: Located<Node<'t>>) -> Option<Located<SocketAddr>> {
    let Located { value: text, span } = context.scalar("listen", "a list of addresses with ports", item)?;
    let parsed = text
        .parse()
        .ok()
        .filter(|address: &SocketAddr| address.port() != 0);
    if parsed.is_none() {
        context.reporter.error(
            span,
            Code::BadListener,
            format!("`{text}` is not an IP address and a port"),
            EXAMPLE,
        );
    }
    parsed.map(|value| Located { value, span })
}

fn tls<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Option<MetricsTls> {
    let mut mapping = Mapping::new(context, "`tls`", TLS_KEYS, node)?;
    let cert = mapping.required(context, "cert", "/etc/op25b/metrics.crt");
    let key = mapping.required(context, "key", "/etc/op25b/metrics.key");
    let client_ca = mapping.optional("client_ca");
    let mut path = |key, node| Some(PathBuf::from(context.text(key, node)?.value.into_owned()));
    Some(MetricsTls {
        cert: path("cert", cert?)?,
        key: path("key", key?)?,
        client_ca: match client_ca {
            Some(node) => Some(path("client_ca", node)?),
            None => None,
        },
    })
}
