//! What the policy adds to the framing that is always parsed.

use aya_ebpf::bindings::xdp_md;
use op25b_common::framing::{ETHERTYPE_VLAN, MPLS_HERE};
use op25b_ebpf::parse::ethernet::Framing;

use crate::maps;

/// Whether the policy has VLAN tags of its own. Without, all of them repeat the usual one; the verifier knows that, and removes
/// what depends on it.
#[inline(always)]
pub fn has_own_vlan_tags() -> bool {
    maps::VLAN_TPIDS[0].load() != ETHERTYPE_VLAN
}

/// Whether one of them has this `EtherType`.
#[inline(always)]
pub fn is_own_vlan_tag(ethertype: u16) -> bool {
    has_own_vlan_tags() && (maps::VLAN_TPIDS.iter()).any(|own| own.load() == ethertype)
}

/// The policy's framing, for a frame that came in on an interface.
pub struct Configured(pub *mut xdp_md);

impl Framing for Configured {
    #[inline(always)]
    fn is_own_vlan_tag(&self, ethertype: u16) -> bool {
        is_own_vlan_tag(ethertype)
    }

    /// The interface's settings are looked up for frames with labels only, whatever they carry: where labels are not skipped
    /// the frame is not IP, and is counted as such.
    #[inline(always)]
    fn skips_labels(&self) -> bool {
        maps::MPLS.load() == 1 && settings_here(self.0).is_none_or(|settings| settings & MPLS_HERE != 0)
    }
}

/// The settings of the interface that a packet came in on; `None` for one without an entry, such as a port that a bond has just
/// given the program to: user space enters it in a moment.
#[inline(always)]
pub fn settings_here(ctx: *mut xdp_md) -> Option<u32> {
    // SAFETY: the kernel gives every program a valid context; an entry is one number, which user space replaces as a whole.
    unsafe { maps::TUNNELS_BY_IF.get((*ctx).ingress_ifindex).copied() }
}
