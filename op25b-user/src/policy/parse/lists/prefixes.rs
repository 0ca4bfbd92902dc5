//! Reads a list of prefixes: one prefix, range or line of a registry's statistics in each line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use super::super::{prefixes, values::Context};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Span, number},
    model::{FileNumber, Position},
};

/// The longest text that is repeated in a message.
const LONGEST_SHOWN: usize = 100;
const HINT: &str =
    "write one prefix, or one range such as 198.51.100.0-198.51.100.255, in each line; `#` begins a comment";

/// Calls `found` with the prefixes of a list, in its order. What is wrong is reported.
pub(super) fn read<'t>(
    context: &mut Context<'t>,
    file: FileNumber,
    text: &str,
    mut found: impl FnMut(&mut Context<'t>, IpNet, Span),
) {
    let mut offset = 0;
    for (line_number, line) in (1..).zip(text.split('\n')) {
        let written = line.split('#').next().unwrap_or_default();
        let entry = written.trim();
        if !entry.is_empty() {
            let before = written.len() - written.trim_start().len();
            let span = |start: usize, length: usize| Span {
                at: Position {
                    file,
                    line: line_number,
                    column: number(line[..start].chars().count() + 1),
                },
                offset: offset + start,
                length,
            };
            match parse(entry) {
                Ok(Entry { start, nets }) => {
                    let span = span(before + start, entry.len() - start);
                    nets.for_each(|net| found(context, net, span));
                }
                Err(diagnostic) => {
                    let span = span(before, entry.len());
                    context.reporter.report(span, diagnostic.code, || diagnostic);
                }
            }
        }
        offset += line.len() + 1;
    }
}

/// An entry of a list.
struct Entry {
    /// Where the address begins in its text.
    start: usize,
    nets: Nets,
}

/// The prefixes of an entry.
enum Nets {
    None,
    One(IpNet),
    Several(IpSubnets),
}

impl Nets {
    fn for_each(self, mut found: impl FnMut(IpNet)) {
        match self {
            Self::None => {}
            Self::One(net) => found(net),
            Self::Several(nets) => nets.for_each(found),
        }
    }
}

fn parse(text: &str) -> Result<Entry, Diagnostic> {
    if text.len() > LONGEST_SHOWN && !text.contains('|') {
        return Err(Diagnostic::new(Code::BadPrefix, "this line is too long for a prefix").hint(HINT));
    }
    if text.contains('|') {
        return delegated(text);
    }
    let nets = match text.split_once('-') {
        Some((first, last)) => range(first.trim(), last.trim())?,
        None => Nets::One(prefixes::parse(text).map_err(|diagnostic| {
            // Another format, such as a table.
            if text.contains([' ', '\t', ',', ';']) {
                Diagnostic::new(Code::BadPrefix, diagnostic.message).hint(HINT)
            } else {
                diagnostic
            }
        })?),
    };
    Ok(Entry { start: 0, nets })
}

/// The addresses from one to another.
fn range(first: &str, last: &str) -> Result<Nets, Diagnostic> {
    let address = |text: &str| {
        text.parse::<IpAddr>().map_err(|_| {
            Diagnostic::new(Code::BadPrefix, format!("`{text}` is not an IP address"))
                .hint("write the first and the last address of a range, such as 198.51.100.0-198.51.100.255")
        })
    };
    between(address(first)?, address(last)?)
}

fn between(first: IpAddr, last: IpAddr) -> Result<Nets, Diagnostic> {
    let nets = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            IpSubnets::V4(Ipv4Subnets::new(first, last, 0))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            // As for a prefix: both ends tell.
            for end in [first, last] {
                prefixes::parse(&end.to_string())?;
            }
            IpSubnets::V6(Ipv6Subnets::new(first, last, 0))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            return Err(Diagnostic::new(
                Code::BadPrefix,
                format!("{first} and {last} are of different address families"),
            )
            .hint("write two ranges"));
        }
        _ => {
            return Err(Diagnostic::new(
                Code::BadPrefix,
                format!("this range ends at {last}, before it begins at {first}"),
            )
            .hint(format!("write {last}-{first}")));
        }
    };
    Ok(Nets::Several(nets))
}

/// A line of a registry's statistics (the RIR statistics exchange format), `registry|cc|type|start|value|date|status`, or of its
/// `start|value` alone. For IPv4 the value is a number of addresses, for IPv6 a prefix length.
fn delegated(text: &str) -> Result<Entry, Diagnostic> {
    let fields: Vec<&str> = text.split('|').map(str::trim).collect();
    let (start, value) = match fields[..] {
        [_, _, "asn", ..] | [_, _, _, _, _, "summary"] => return Ok(Entry::without_prefixes()),
        [start, value] | [_, _, "ipv4" | "ipv6", start, value, ..] => (start, value),
        // The header begins with the version of the format.
        [version, _, _, _, _, _, _] if version.parse::<f32>().is_ok() => {
            return Ok(Entry::without_prefixes());
        }
        _ => return Err(not_delegated()),
    };
    let nets = match start.parse::<Ipv4Addr>() {
        Ok(first) => {
            let last = value
                .parse::<u32>()
                .ok()
                .and_then(|count| count.checked_sub(1))
                .and_then(|more| u32::from(first).checked_add(more));
            let Some(last) = last else {
                return Err(Diagnostic::new(
                    Code::BadPrefix,
                    format!("`{value}` is not a number of addresses from {first} on"),
                )
                .hint("write the number of addresses, such as 256"));
            };
            between(first.into(), Ipv4Addr::from(last).into())?
        }
        Err(_) if start.parse::<Ipv6Addr>().is_ok() => {
            Nets::One(prefixes::parse(&format!("{start}/{value}"))?)
        }
        Err(_) => return Err(not_delegated()),
    };
    Ok(Entry {
        start: start.as_ptr().addr() - text.as_ptr().addr(),
        nets,
    })
}

fn not_delegated() -> Diagnostic {
    Diagnostic::new(
        Code::BadPrefix,
        "this is not a line of the RIR statistics exchange format",
    )
    .hint("write registry|cc|ipv4|start|count|date|status, start|count, or a prefix")
}

impl Entry {
    fn without_prefixes() -> Self {
        Self {
            start: 0,
            nets: Nets::None,
        }
    }
}
