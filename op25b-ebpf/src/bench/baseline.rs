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

use crate::{
    dropped,
    mail::{Source, sender},
};

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
    Ok(match sender(ctx)? {
        Some(Source::V4(source)) => {
            let key = Key::new(32, source);
            POOLS_V4.get(&key).is_some() && EXEMPTIONS_V4.get(&key).is_none()
        }
        Some(Source::V6(source)) => {
            let key = Key::new(128, source);
            POOLS_V6.get(&key).is_some() && EXEMPTIONS_V6.get(&key).is_none()
        }
        None => false,
    })
}
