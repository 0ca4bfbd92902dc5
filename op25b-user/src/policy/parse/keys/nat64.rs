//! Reads an item of `nat64`.

use ipnet::IpNet;

use super::super::{
    values::{Context, Seen},
    yaml::{Located, Node},
};
use crate::policy::{
    diagnostics::Code,
    model::{Nat64Prefix, NotNat64},
};

/// The well-known prefix (RFC 6052 section 2.1).
const EXAMPLE: &str = "write the prefix of your translator, such as 64:ff9b::/96";

/// A NAT64 prefix, which overlaps with none of those before it.
pub(crate) fn prefix<'t>(
    context: &mut Context<'t>,
    item: Located<Node<'t>>,
    before: &[Nat64Prefix],
    seen: &mut Seen<IpNet>,
) -> Option<Nat64Prefix> {
    let span = item.span;
    let net = context.prefix("nat64", item)?.net;
    let IpNet::V6(v6) = net else {
        let message = format!("`{net}` is no NAT64 prefix: those are IPv6 prefixes");
        context.reporter.error(span, Code::BadNat64, message, EXAMPLE);
        return None;
    };
    let prefix = match Nat64Prefix::new(v6) {
        Ok(prefix) => prefix,
        Err(NotNat64::Length) => {
            context.reporter.error(
                span,
                Code::BadNat64,
                format!("`{net}` has a length that no NAT64 prefix has (RFC 6052, section 2.2)"),
                "write a prefix of length 32, 40, 48, 56, 64 or 96, as the translator has it",
            );
            return None;
        }
        Err(NotNat64::ReservedBits) => {
            context.reporter.error(
                span,
                Code::BadNat64,
                format!("`{net}` has bits 64 to 71 set, which are zero in every NAT64 prefix (RFC 6052, section 2.2)"),
                EXAMPLE,
            );
            return None;
        }
    };
    if !seen.note(context, span, net, |net| format!("{net} is given twice")) {
        return None;
    }
    let mut others = before.iter().map(|other| other.net());
    if let Some(other) = others.find(|other| other.contains(&v6) || v6.contains(other)) {
        context.reporter.error(
            span,
            Code::BadNat64,
            format!("`{net}` overlaps with {other}: an address in both has two IPv4 addresses"),
            "remove one of the two",
        );
        return None;
    }
    Some(prefix)
}
