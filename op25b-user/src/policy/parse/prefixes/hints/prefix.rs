//! What was probably meant by a text that is not an IP prefix.

use std::net::IpAddr;

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use super::{
    address,
    mask::{self, Mask},
};
use crate::policy::{
    characters,
    diagnostics::{Code, Diagnostic},
};

/// How many prefixes of a range of addresses are written out.
const LISTED: usize = 4;

/// The diagnostic about a text that is neither a prefix nor an address.
pub(in crate::policy::parse::prefixes) fn diagnose(text: &str) -> Diagnostic {
    match invisible(text) {
        Some(diagnostic) => diagnostic,
        None => quoted(text)
            .or_else(|| several(text))
            .or_else(|| range(text))
            .or_else(|| length(text))
            .or_else(|| other_form(text))
            .unwrap_or_else(|| general(text)),
    }
}

fn general(text: &str) -> Diagnostic {
    let is_name = text.contains('.') && text.contains(|c: char| c.is_alphabetic()) && !text.contains('/');
    let hint = if is_name || text.contains("://") {
        "names are not looked up: write the address, such as 198.51.100.8"
    } else {
        "write an address and a prefix length, such as 198.51.100.8/29 or 2001:db8::/48"
    };
    wrong(format!("`{text}` is not an IP prefix"), hint)
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::BadPrefix, message).hint(hint)
}

/// What to write for an address and a length: with host bits, it may be the one or the other that was meant.
fn write(address: IpAddr, length: u8) -> String {
    let Ok(net) = IpNet::new(address, length) else {
        return format!("write {}", IpNet::from(address));
    };
    if net == net.trunc() {
        format!("write {net}")
    } else {
        let (prefix, address) = (net.trunc(), IpNet::from(address));
        format!("write {prefix} for the prefix, or {address} for this one address")
    }
}

/// Reads a prefix, with host bits or without, or an address.
fn read(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address.parse().ok()?, Some(length)),
        None => (text.parse().ok()?, None),
    };
    let net = match length {
        Some(length) => IpNet::new(address, length.parse().ok()?).ok()?,
        None => IpNet::from(address),
    };
    Some((address, net.prefix_len()))
}

/// What to write for a text that would be a prefix but for its form; else what is wrong with it in a common form.
fn corrected(what: String, text: &str) -> Diagnostic {
    match read(text) {
        Some((address, length)) => wrong(what, write(address, length)),
        None => diagnose(text),
    }
}

/// A text with characters that are not seen, or with wide ones as Japanese keyboards write them.
fn invisible(text: &str) -> Option<Diagnostic> {
    if let Some(refused) = characters::first_refused(text, &['\n', '\r', '\t']) {
        let shown = characters::printable(text);
        return Some(wrong(
            format!("`{shown}` contains {refused}"),
            "remove it, or type the prefix anew",
        ));
    }
    let narrow: String = text.chars().map(characters::narrow).collect();
    (narrow != text).then(|| {
        corrected(
            format!("`{text}` has full-width {}", characters::full_width(text)),
            &narrow,
        )
    })
}

/// Whether a character is between the ends of a range of addresses, as keyboards and word processors write it.
pub(in crate::policy::parse::prefixes) fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '~' | '\u{301c}' | '\u{ff0d}' | '\u{ff5e}'
    )
}

/// A text in quotes.
fn quoted(text: &str) -> Option<Diagnostic> {
    const QUOTES: [char; 7] = ['\'', '"', '`', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}'];
    let inner = text.trim_matches(QUOTES);
    (inner != text && !inner.is_empty()).then(|| {
        corrected(
            format!("`{text}` has quotes, which are not part of a prefix"),
            inner,
        )
    })
}

/// Several prefixes in one item of a list, or an address and its mask.
fn several(text: &str) -> Option<Diagnostic> {
    let parts: Vec<&str> = text
        .split(|c: char| matches!(c, ',' | ';' | '、') || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect();
    match parts[..] {
        [address, mask] if mask::follows(address, mask) => {
            let address = address.parse().ok()?;
            Some(diagnose_mask(text, address, Mask::of(address, mask)?))
        }
        // A trailing separator.
        [one] if one != text => Some(corrected(format!("`{text}` has more than a prefix in it"), one)),
        [_, _, ..] if parts.iter().all(|part| read(part).is_some()) => {
            let items: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
            Some(wrong(
                format!("`{text}` has several prefixes in one item"),
                format!("write each as an item of its own: {}", items.join(", ")),
            ))
        }
        _ => None,
    }
}

/// A range of addresses, such as `198.51.100.40-198.51.100.47` or `198.51.100.40-47`.
fn range(text: &str) -> Option<Diagnostic> {
    let (first, last) = text.split_once(is_dash)?;
    let (first, last) = (first.trim(), last.trim());
    let first: IpAddr = first.parse().ok()?;
    let last: IpAddr = match (last.parse(), first) {
        (Ok(last), _) => last,
        (Err(_), IpAddr::V4(first)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::from([a, b, c, last.parse().ok()?])
        }
        (Err(_), IpAddr::V6(_)) => return None,
    };
    let message = format!("`{text}` is a range of addresses, not a prefix");
    if last < first {
        return Some(wrong(message, "its end is before its beginning: write prefixes"));
    }
    let nets: IpSubnets = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Ipv4Subnets::new(first, last, 0).into(),
        (IpAddr::V6(first), IpAddr::V6(last)) => Ipv6Subnets::new(first, last, 0).into(),
        _ => return Some(wrong(message, "its ends are of different address families")),
    };
    let nets: Vec<String> = nets.take(LISTED + 1).map(|net| net.to_string()).collect();
    Some(if nets.len() > LISTED {
        wrong(message, "write the prefixes that it consists of")
    } else {
        wrong(message, format!("write {}", nets.join(" and ")))
    })
}

/// An address with something after the slash that is not a length, or with a length and less than an address before it.
fn length(text: &str) -> Option<Diagnostic> {
    let (address, length) = text.split_once(['/', '\\'])?;
    let (address, length) = (address.trim(), length.trim());
    let number = length.strip_prefix('+').unwrap_or(length);
    let number: Option<u16> = (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| number.parse().unwrap_or(u16::MAX));
    let Ok(address) = address.parse::<IpAddr>() else {
        return short_address(text, address, u8::try_from(number?).ok()?);
    };
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    if let Some(number) = number {
        return Some(match u8::try_from(number) {
            Ok(number) if number <= most => wrong(
                format!("`{text}` is not in the form of a prefix"),
                write(address, number),
            ),
            _ => wrong(
                format!("`{text}` has an invalid prefix length: it must be from 0 to {most}"),
                format!("/{most} is one address, and a smaller number is a larger prefix"),
            ),
        });
    }
    if length.is_empty() {
        return Some(wrong(
            format!("`{text}` has no prefix length after the slash"),
            format!("write a number from 0 to {most}; /{most} is one address"),
        ));
    }
    if let Some(mask) = Mask::of(address, length) {
        return Some(diagnose_mask(text, address, mask));
    }
    if length.parse::<IpAddr>().is_ok() {
        return Some(wrong(
            format!("`{text}` has two addresses in one item"),
            "write each as an item of its own; after the slash is the length of a prefix",
        ));
    }
    Some(wrong(
        format!("`{text}` has an invalid prefix length: it must be a number from 0 to {most}"),
        format!("/{most} is one address, and a smaller number is a larger prefix"),
    ))
}

/// A mask in the place of a length.
fn diagnose_mask(text: &str, address: IpAddr, mask: Mask) -> Diagnostic {
    let one = IpNet::from(address);
    match mask {
        Mask::Netmask(length) => wrong(
            format!("`{text}` has a netmask and not a prefix length"),
            write(address, length),
        ),
        Mask::Wildcard(length) => wrong(
            format!("`{text}` has a wildcard mask and not a prefix length"),
            write(address, length),
        ),
        Mask::Zero => wrong(
            format!(
                "`{text}` has the mask 0.0.0.0, which is all addresses as a netmask, and one as a wildcard mask"
            ),
            format!("write {one} for this one address"),
        ),
        Mask::Gaps => wrong(
            format!("`{text}` has a mask with gaps, which is no prefix"),
            "write the prefixes that it consists of",
        ),
    }
}

/// A length after what is not a whole address.
fn short_address(text: &str, address: &str, length: u8) -> Option<Diagnostic> {
    if let Some(whole) = address::without_last_parts(address, length) {
        let message = format!("`{text}` has only the first parts of an address");
        return Some(wrong(message, write(whole, length)));
    }
    if let Some(address) = address::with_leading_zeros(address) {
        return Some(leading_zeros(text, address.into(), length));
    }
    None
}

fn leading_zeros(text: &str, address: IpAddr, length: u8) -> Diagnostic {
    wrong(
        format!("`{text}` has numbers with leading zeros, which some programs read as octal"),
        if length <= 32 {
            write(address, length)
        } else {
            "write them without zeros".to_owned()
        },
    )
}

/// Other forms of addresses.
fn other_form(text: &str) -> Option<Diagnostic> {
    if let Some(address) = address::with_leading_zeros(text) {
        return Some(leading_zeros(text, address.into(), 32));
    }
    if let Some((address, length)) = address::with_wildcards(text) {
        let message = format!("`{text}` is a pattern and not a prefix");
        return Some(wrong(message, write(address, length)));
    }
    if let Some(address) = address::with_port(text) {
        let message = format!("`{text}` has a port, which is not part of a prefix");
        return Some(wrong(message, format!("write {}", IpNet::from(address))));
    }
    if let Some((address, rest)) = address::in_brackets(text) {
        let message = format!("`{text}` has brackets, which are not part of a prefix");
        return Some(corrected(message, &format!("{address}{rest}")));
    }
    let address = address::with_zone(text)?;
    let message = format!("`{text}` has the name of an interface, which is not part of a prefix");
    Some(wrong(
        message,
        format!("write {}", IpNet::from(IpAddr::from(address))),
    ))
}
