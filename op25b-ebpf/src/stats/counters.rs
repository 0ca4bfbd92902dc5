//! Packets by the interface that they came in on and by the pool of their subscriber, each by reason and verdict, and the bytes of
//! those that do not pass.
//!
//! One place is looked up for the interface and one for the pool, both on this CPU alone; totals are sums of the former.

use aya_ebpf::bindings::xdp_md;
use op25b_common::{
    counters::{
        CELLS, NO_POOL, OTHER_POOLS, OWNER, POOL_SLOTS, PacketCells, REST, WAYS, cell, has_bytes, has_slot,
        owner, set_of,
    },
    values::{Decision, NO_RULE, RuleIndex},
};
use op25b_ebpf::bpf::{frame::Fetched, instructions};

use crate::maps;

/// Counts the packet of a decision on a subscriber of this pool, on this CPU.
#[inline(always)]
pub fn count(ctx: *mut xdp_md, decision: &Decision, pool: RuleIndex, from_uplink: bool) {
    let cell = cell(decision.reason, decision.verdict);
    let bytes = if has_bytes(cell) {
        u64::from(Fetched(ctx).length())
    } else {
        0
    };
    // SAFETY: the kernel gives every program a valid context.
    let interface = unsafe { (*ctx).ingress_ifindex };
    if let Some(cells) = of_interface(interface, from_uplink) {
        add(cells, cell, bytes);
    }
    if let Some(cells) = maps::POOL_COUNTERS.get_ptr_mut(slot_of(pool)) {
        add(cells, cell, bytes);
    }
}

/// Adds a packet to the cells of an interface or of a pool.
#[inline(always)]
fn add(cells: *mut PacketCells, cell: u32, bytes: u64) {
    // Masked, where the verifier sees it.
    let place = instructions::opaque(u64::from(cell)) as usize & (CELLS - 1);
    // SAFETY: both places are in the cells, which belong to this CPU, and XDP does not interrupt itself.
    unsafe {
        let cells = cells.cast::<u64>();
        *cells.add(place) += 1;
        // Without bytes, which is without a comparison here, the next one is another kind's, or the owner's: nothing is added.
        *cells.add((place + 1) & (CELLS - 1)) += bytes;
    }
}

/// The cells of an interface in a role, which its first packet on this CPU takes; those of the rest if others have taken all places.
#[inline(always)]
fn of_interface(interface: u32, from_uplink: bool) -> Option<*mut PacketCells> {
    let owner = owner(interface, from_uplink);
    let set = maps::COUNTERS
        .get_ptr_mut(set_of(interface))?
        .cast::<PacketCells>();
    for way in 0..WAYS {
        // SAFETY: the place is in the set, which belongs to this CPU.
        unsafe {
            let cells = set.add(way);
            let taken_by = &raw mut (*cells).cells[OWNER];
            if *taken_by == 0 {
                *taken_by = owner;
            }
            if *taken_by == owner {
                return Some(cells);
            }
        }
    }
    let rest = maps::COUNTERS.get_ptr_mut(REST)?.cast::<PacketCells>();
    // SAFETY: as above.
    Some(unsafe { rest.add(usize::from(from_uplink)) })
}

/// The slot in which packets of a pool are counted.
#[inline(always)]
fn slot_of(pool: RuleIndex) -> u32 {
    let slot = if has_slot(pool) {
        // Masked, where the verifier sees it.
        let place = instructions::opaque(u64::from(pool)) as usize & (POOL_SLOTS - 1);
        maps::SLOT_OF_POOL[place].load()
    } else if pool == NO_RULE {
        NO_POOL
    } else {
        OTHER_POOLS
    };
    u32::from(slot)
}
