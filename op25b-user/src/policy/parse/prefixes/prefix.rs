//! Parses IP prefixes.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::{
    super::{
        values::{Context, Seen},
        yaml::{Located, Node},
    },
    hints,
};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Span},
    model::Prefix,
};

/// Prefixes, as messages name them.
pub(crate) const PREFIXES: &str = "prefixes such as 198.51.100.0/24 or 2001:db8::/32";

impl<'t> Context<'t> {
    /// A list of prefixes. Invalid ones are reported and left out, as are duplicates: within this list, or among all lists
    /// that share `seen`.
    pub(crate) fn prefixes(
        &mut self,
        key: &str,
        node: Located<Node<'t>>,
        seen: Option<&mut Seen<IpNet>>,
    ) -> Vec<Prefix> {
        let items = self.list(key, PREFIXES, node);
        let mut own = Seen::default();
        // A list of one has no duplicates, and nearly all exemptions have one prefix.
        let mut seen = seen.or((items.len() > 1).then_some(&mut own));
        // With its exact capacity: a vector that grows reserves four, a million times.
        let mut prefixes = Vec::with_capacity(items.len());
        for item in items {
            let span = item.span;
            if let Some(prefix) = self.prefix(key, item)
                && seen.as_mut().is_none_or(|seen| {
                    seen.note(self, span, prefix.net, |net| format!("{net} is given twice"))
                })
            {
                prefixes.push(prefix);
            }
        }
        prefixes
    }

    /// A prefix; an invalid one is reported.
    pub(in crate::policy::parse) fn prefix(&mut self, key: &str, node: Located<Node<'t>>) -> Option<Prefix> {
        match &node.value {
            Node::Null | Node::List(_) | Node::Mapping(_) => {
                self.not_a_prefix(node.span, &node.value);
                return None;
            }
            Node::Plain | Node::Integer(_) | Node::Text(_) => {}
        }
        let Located { value: text, span } = self.scalar(key, "a prefix", node)?;
        match parse(&text) {
            Ok(net) => Some(Prefix { net, at: span.at }),
            Err(diagnostic) => {
                self.reporter.report(span, diagnostic.code, || diagnostic);
                None
            }
        }
    }

    fn not_a_prefix(&mut self, span: Span, found: &Node<'_>) {
        // In YAML, `2001:db8::` without a length is a key, because of the colon at its end.
        if let Node::Mapping(entries) = found
            && let [
                (
                    Located {
                        value: Node::Text(name),
                        ..
                    },
                    _,
                ),
            ] = &entries[..]
        {
            let text = format!("{name}:");
            if text.parse::<Ipv6Addr>().is_ok() {
                let message = "YAML reads an address that ends with a colon as a key";
                let hint = format!("write the prefix length after it; {text}/128 is this one address");
                return self.reporter.error(span, Code::BadPrefix, message, hint);
            }
        }
        let message = format!("a prefix is expected here, not {}", found.kind());
        self.reporter.error(
            span,
            Code::WrongType,
            message,
            "write one such as 198.51.100.0/24 or 2001:db8::/32",
        );
    }
}

/// Parses a prefix; an address alone is a prefix of full length. The error is a message with what to write instead.
pub fn parse_prefix(text: &str) -> Result<IpNet, String> {
    parse(text).map_err(|diagnostic| match diagnostic.hint {
        Some(hint) => format!("{}; {hint}", diagnostic.message),
        None => diagnostic.message,
    })
}

/// Parses a prefix; an address alone is a prefix of full length.
pub(in crate::policy::parse) fn parse(text: &str) -> Result<IpNet, Diagnostic> {
    let net = read(text).ok_or_else(|| hints::not_a_prefix(text))?;
    if net != net.trunc() {
        let message = format!("`{net}` has host bits set");
        let (prefix, address) = (net.trunc(), IpNet::from(net.addr()));
        let hint = format!("write {prefix} for the prefix, or {address} for this one address");
        return Err(Diagnostic::new(Code::HostBits, message).hint(hint));
    }
    if let IpNet::V6(net) = net
        && is_mapped(net)
    {
        let diagnostic = Diagnostic::new(Code::Ipv4Mapped, format!("`{net}` is an IPv4-mapped IPv6 prefix"))
            .note("packets do not carry IPv4-mapped addresses: on the wire they are IPv4")
            .hint(format!("write {}", unmapped(net)));
        return Err(diagnostic);
    }
    Ok(net)
}

fn read(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return Some(IpNet::from(text.parse::<IpAddr>().ok()?));
    };
    // Rust parses `+24` and `024` as numbers; in a policy they are probably mistakes.
    let number = length
        .parse()
        .ok()
        .filter(|number: &u8| number.to_string() == length)?;
    IpNet::new(address.parse().ok()?, number).ok()
}

/// Whether the prefix lies in `::ffff:0:0/96`.
fn is_mapped(net: Ipv6Net) -> bool {
    net.prefix_len() >= 96 && net.addr().to_ipv4_mapped().is_some()
}

fn unmapped(net: Ipv6Net) -> String {
    match net.addr().to_ipv4_mapped() {
        Some(address) => format!("{address}/{}", net.prefix_len().saturating_sub(96)),
        None => net.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_bare_addresses_are_read() {
        for (text, net) in [
            ("198.51.100.0/22", "198.51.100.0/22"),
            ("192.0.2.25", "192.0.2.25/32"),
            ("2001:db8::25", "2001:db8::25/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:DB8:0:0::/40", "2001:db8::/40"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), net);
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused_with_what_to_write() {
        for (text, code, hint) in [
            ("198.51.100.9/29", Code::HostBits, "198.51.100.8/29"),
            ("2001:db8::1/64", Code::HostBits, "2001:db8::/64"),
            ("::ffff:0:0/96", Code::Ipv4Mapped, "0.0.0.0/0"),
            ("::ffff:192.0.2.25", Code::Ipv4Mapped, "192.0.2.25/32"),
        ] {
            let diagnostic = parse(text).unwrap_err();
            assert_eq!(diagnostic.code, code, "{text}");
            assert!(diagnostic.hint.unwrap().contains(hint), "{text}");
        }
    }
}
