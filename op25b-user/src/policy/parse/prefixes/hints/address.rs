//! Addresses in forms that only some programs read: with leading zeros, brackets, ports, wildcards or left-out parts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IPv4 address with leading zeros, such as `198.051.100.008`. Some programs read such numbers as octal ones.
pub(super) fn with_leading_zeros(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    let octets: [&str; 4] = parts.try_into().ok()?;
    let mut address = [0; 4];
    for (octet, text) in address.iter_mut().zip(octets) {
        *octet = decimal(text)?;
    }
    Some(address.into())
}

/// An address with a port, such as `198.51.100.8:25`.
pub(super) fn with_port(text: &str) -> Option<IpAddr> {
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}

/// An IPv6 address in brackets, and what follows it: `[2001:db8::]/48`.
pub(super) fn in_brackets(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((address.parse().ok()?, rest))
}

/// An IPv6 address with a zone, such as `fe80::1%eth0`.
pub(super) fn with_zone(text: &str) -> Option<Ipv6Addr> {
    text.split_once('%')?.0.parse().ok()
}

/// The network and the length that `198.51.100.*` or `198.51.x.x` stand for.
pub(super) fn with_wildcards(text: &str) -> Option<(IpAddr, u8)> {
    let parts: Vec<&str> = text.split('.').collect();
    let parts: [&str; 4] = parts.try_into().ok()?;
    let known = parts.iter().position(|part| matches!(*part, "*" | "x" | "X"))?;
    let are_wild = parts[known..].iter().all(|part| matches!(*part, "*" | "x" | "X"));
    if known == 0 || !are_wild {
        return None;
    }
    let mut address = [0; 4];
    for (octet, text) in address.iter_mut().zip(&parts[..known]) {
        *octet = decimal(text)?;
    }
    Some((Ipv4Addr::from(address).into(), 8 * u8::try_from(known).ok()?))
}

/// The address that the first parts of one stand for before a length that ends in them: `198.51.100` in `198.51.100/24`,
/// `2001:db8` in `2001:db8/32`.
pub(super) fn without_last_parts(text: &str, length: u8) -> Option<IpAddr> {
    let parts = |separator| text.trim_end_matches(separator).split(separator);
    if text.contains(':') {
        let count = parts(':').count();
        let is_short = count < 8 && usize::from(length) <= 16 * count && !text.contains("::");
        return is_short.then(|| format!("{}::", text.trim_end_matches(':')).parse().ok())?;
    }
    let mut address = [0; 4];
    let count = parts('.').count();
    if count >= 4 || usize::from(length) > 8 * count {
        return None;
    }
    for (octet, text) in address.iter_mut().zip(parts('.')) {
        *octet = decimal(text)?;
    }
    Some(Ipv4Addr::from(address).into())
}

/// A decimal number of at most three digits.
fn decimal(text: &str) -> Option<u8> {
    let is_decimal = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok())?
}
