//! Netmasks and wildcard masks, which routers and access lists have where a prefix has a length.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{ip_mask_to_prefix, ipv4_mask_to_prefix};

/// What a mask after an address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mask {
    /// A netmask, such as 255.255.255.248 or `0xfffffff8`, of this length.
    Netmask(u8),
    /// A wildcard mask, such as 0.0.0.7, of this length.
    Wildcard(u8),
    /// 0.0.0.0, which is the netmask of all addresses and the wildcard mask of one.
    Zero,
    /// A netmask with gaps.
    Gaps,
}

impl Mask {
    /// What the text after the slash of an address is as a mask, if it has the form of one.
    pub(super) fn of(address: IpAddr, text: &str) -> Option<Self> {
        let mask: IpAddr = match (address, hexadecimal(text)) {
            (IpAddr::V4(_), Some(mask)) => mask.into(),
            _ => text.parse().ok()?,
        };
        if mask.is_ipv4() != address.is_ipv4() {
            return None;
        }
        match (mask, ip_mask_to_prefix(mask)) {
            (IpAddr::V4(mask), Ok(0)) if mask.is_unspecified() => Some(Self::Zero),
            (_, Ok(0)) | (IpAddr::V6(_), Err(_)) => None,
            (_, Ok(length)) => Some(Self::Netmask(length)),
            (IpAddr::V4(mask), Err(_)) => {
                let wildcard = ipv4_mask_to_prefix(Ipv4Addr::from(!u32::from(mask)));
                match (wildcard, mask.octets()) {
                    (Ok(length), _) => Some(Self::Wildcard(length)),
                    // Another address would be two prefixes with a slash between them.
                    (Err(_), [255 | 0, ..]) => Some(Self::Gaps),
                    (Err(_), _) => None,
                }
            }
        }
    }
}

/// Whether a word after an address is its mask, as in `198.51.100.40 255.255.255.248`: no subscriber has such an address.
pub(in crate::policy::parse::prefixes) fn follows(address: &str, text: &str) -> bool {
    ["255.", "0.", "0x"].iter().any(|start| text.starts_with(start))
        && address
            .parse()
            .is_ok_and(|address| Mask::of(address, text).is_some())
}

/// A mask such as `0xfffffff8`, as BSD's ifconfig prints it.
fn hexadecimal(text: &str) -> Option<Ipv4Addr> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let is_whole = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole
        .then(|| u32::from_str_radix(digits, 16).ok())?
        .map(Ipv4Addr::from)
}
