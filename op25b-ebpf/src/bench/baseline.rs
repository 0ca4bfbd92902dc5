//! A plain filter to compare op25b's tables with: the kernel's tries for the pool and the exemptions, and one counter.

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    btf_maps::{LpmTrie, lpm_trie::Key},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
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

use crate::{
    dropped,
    in_place::{Frame, Reread},
};

const BLOCKED_PORT: u16 = 25;

// Sized by user space to what it puts in.
#[btf_map]
static POOLS_V4: LpmTrie<AddressV4, u32, 1> = LpmTrie::new();
#[btf_map]
static POOLS_V6: LpmTrie<AddressV6, u32, 1> = LpmTrie::new();
#[btf_map]
static EXEMPTIONS_V4: LpmTrie<AddressV4, u32, 1> = LpmTrie::new();
#[btf_map]
static EXEMPTIONS_V6: LpmTrie<AddressV6, u32, 1> = LpmTrie::new();

/// Drops TCP to port 25 from a pool unless it is exempt.
#[xdp(frags)]
pub fn baseline(ctx: XdpContext) -> u32 {
    match is_blocked(ctx.ctx) {
        Ok(true) => dropped(),
        Ok(false) | Err(_) => xdp_action::XDP_PASS,
    }
}

#[inline(always)]
fn is_blocked(ctx: *mut xdp_md) -> Result<bool, Reason> {
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
        return Ok(false);
    };
    match network {
        Network::V4 => {
            let source: AddressV4 = frame
                .bytes(link.length + ipv4::SOURCE_OFFSET)
                .ok_or(Reason::NotIp)?;
            let key = Key::new(32, source);
            Ok(POOLS_V4.get(&key).is_some() && EXEMPTIONS_V4.get(&key).is_none())
        }
        Network::V6 => {
            let source: AddressV6 = frame
                .bytes(link.length + ipv6::SOURCE_OFFSET)
                .ok_or(Reason::NotIp)?;
            let key = Key::new(128, source);
            Ok(POOLS_V6.get(&key).is_some() && EXEMPTIONS_V6.get(&key).is_none())
        }
    }
}
