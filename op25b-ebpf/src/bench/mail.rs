//! Who sends a segment to port 25, by the real program's parsers: what the filters here begin with.

use aya_ebpf::bindings::xdp_md;
use op25b_common::{
    Reason,
    keys::{AddressV4, AddressV6},
};
use op25b_ebpf::parse::{
    Bytes as _, Network,
    ethernet::{Usual, parse_link},
    ipv4::{self, parse_ipv4},
    ipv6::{self, parse_ipv6},
    tcp::{Ports, parse_ports},
};

use crate::in_place::{Frame, Reread};

const BLOCKED_PORT: u16 = 25;

/// A source address.
pub enum Source {
    V4(AddressV4),
    V6(AddressV6),
}

/// The sender of a segment to the blocked port; `None` of everything else.
#[inline(always)]
pub fn sender(ctx: *mut xdp_md) -> Result<Option<Source>, Reason> {
    let frame = Frame(ctx);
    let (network, link) = parse_link(&frame, 0, &Usual).map_err(|_| Reason::NotIp)?;
    let upper = match network {
        Network::V4 => parse_ipv4(&frame, link.length)?,
        Network::V6 => parse_ipv6(&frame, link.length)?,
    };
    let Ports::Known {
        destination: BLOCKED_PORT,
        ..
    } = parse_ports(&Reread(ctx), network, &upper)?
    else {
        return Ok(None);
    };
    let source = match network {
        Network::V4 => frame.bytes(link.length + ipv4::SOURCE_OFFSET).map(Source::V4),
        Network::V6 => frame.bytes(link.length + ipv6::SOURCE_OFFSET).map(Source::V6),
    };
    source.map(Some).ok_or(Reason::NotIp)
}
