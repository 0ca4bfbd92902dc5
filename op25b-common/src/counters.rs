//! What is counted of the packets of one interface or of one pool: by reason and verdict, with the bytes of those that are dropped
//! or rejected.
#![allow(
    clippy::inline_always,
    reason = "a call costs nanoseconds for each packet, and the verifier follows values best in one function"
)]
#![allow(clippy::cast_possible_truncation, reason = "some thousand counters at most")]

use crate::{Action, Reason, Verdict, values::RuleIndex};

/// How many numbers there are for one interface or pool; a power of two.
pub const CELLS: usize = 16;

/// The numbers of one interface or pool. Which is which, [`COUNTED`] lists; the first is [`OWNER`].
///
/// What a blocked packet touches is in the first half, which is one cache line. A type of its own: aya takes an array of arrays for one
/// that is as long as the inner one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PacketCells {
    /// By number.
    pub cells: [u64; CELLS],
}

/// The cell that says whose the others are, in [`crate::names::COUNTERS`]: see [`owner`]. 0 as long as they are nobody's.
pub const OWNER: usize = 0;

/// A kind of packets that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its reason.
    pub reason: Reason,
    /// What became of it.
    pub verdict: Verdict,
    /// The cell of the packets. Of packets that do not pass the next one has their bytes.
    pub cell: u32,
}

impl Counted {
    /// Whether the bytes are counted, too.
    #[must_use]
    pub const fn has_bytes(self) -> bool {
        self.cell < FIRST_PASSED
    }
}

/// Every kind, with its cell.
pub const COUNTED: [Counted; 10] = {
    const fn counted(cell: u32, reason: Reason, verdict: Verdict) -> Counted {
        Counted {
            reason,
            verdict,
            cell,
        }
    }
    [
        counted(1, Reason::Blocked, Verdict::Drop),
        counted(1 + REJECTED, Reason::Blocked, Verdict::Reject),
        counted(5, Reason::Uninspectable, Verdict::Drop),
        counted(8, Reason::NotPooled, Verdict::Drop),
        counted(FIRST_PASSED, Reason::Uninspectable, Verdict::Pass),
        counted(11, Reason::NotPooled, Verdict::Pass),
        counted(12, Reason::Relay, Verdict::Pass),
        counted(13, Reason::Exempt, Verdict::Pass),
        counted(14, Reason::Established, Verdict::Pass),
        counted(15, Reason::Monitored, Verdict::Pass),
    ]
};

/// The first cell of packets that pass.
const FIRST_PASSED: u32 = 10;

/// How far the cell of rejected packets is after that of dropped ones.
const REJECTED: u32 = 2;

/// The cell of a kind that is none of [`COUNTED`], which no packet has.
const UNUSED: u32 = 7;

/// The cells of packets that pass and of those that are dropped, four bits for each reason: the program looks them up without a memory
/// access.
const PASSED: u64 = packed(Verdict::Pass);
const DROPPED: u64 = packed(Verdict::Drop);

const fn packed(verdict: Verdict) -> u64 {
    let mut all = 0;
    let mut reason = 0;
    while reason < Reason::COUNT {
        let mut cell = UNUSED;
        let mut index = 0;
        while index < COUNTED.len() {
            let counted = COUNTED[index];
            if counted.reason as usize == reason && counted.verdict as u32 == verdict as u32 {
                cell = counted.cell;
            }
            index += 1;
        }
        all |= (cell as u64) << (4 * reason);
        reason += 1;
    }
    all
}

/// The cell in which a packet is counted.
#[must_use]
#[inline(always)]
pub const fn cell(reason: u32, verdict: u32) -> u32 {
    let cells = if verdict == Verdict::Pass as u32 {
        PASSED
    } else {
        DROPPED
    };
    let cell = (cells >> (4 * reason)) as u32 & 0xf;
    if verdict == Verdict::Reject as u32 {
        cell + REJECTED
    } else {
        cell
    }
}

/// Whether a cell has the packets of a kind that does not pass, whose bytes are counted in the next one.
#[must_use]
#[inline(always)]
pub const fn has_bytes(cell: u32) -> bool {
    cell < FIRST_PASSED
}

/// How many interfaces have their cells in one value of [`crate::names::COUNTERS`].
pub const WAYS: usize = 4;

/// A value of [`crate::names::COUNTERS`]: an interface is in any place of the value with the number [`set_of`], one that finds them
/// taken in [`REST`], by its role.
pub type InterfaceSet = [PacketCells; WAYS];

/// How many such values there are. A power of two in the program that is released.
const SETS: u32 = if cfg!(feature = "other-layout") { 72 } else { 64 };

/// The number of the value for interfaces without a place of their own: the first place for subscriber interfaces, the second for
/// uplinks.
pub const REST: u32 = SETS;

/// The number of the value that the program does not write, where user space keeps what was counted in maps of another layout: by
/// role as in [`REST`], the cells by [`Reason`].
pub const MIGRATED: u32 = SETS + 1;

/// How many values [`crate::names::COUNTERS`] has.
pub const COUNTER_VALUES: usize = SETS as usize + 2;

/// The number of the value for an interface with this index.
#[must_use]
#[inline(always)]
pub const fn set_of(interface: u32) -> u32 {
    interface % SETS
}

/// What stands for an interface in a role, in the cell [`OWNER`]. Not 0, as no interface has the index 0.
#[must_use]
#[inline(always)]
pub const fn owner(interface: u32, from_uplink: bool) -> u64 {
    (interface as u64) << 1 | from_uplink as u64
}

/// How many pools are counted by themselves in [`crate::names::POOL_COUNTERS`]; a power of two.
pub const POOL_SLOTS: usize = 1024;

/// The slot of all other pools.
pub const OTHER_POOLS: u16 = POOL_SLOTS as u16;

/// The slot of packets of no pool.
pub const NO_POOL: u16 = OTHER_POOLS + 1;

/// How many slots [`crate::names::POOL_COUNTERS`] has.
pub const POOL_COUNTER_SLOTS: usize = POOL_SLOTS + 2;

/// Whether a pool's place in the policy has an entry in [`crate::names::SLOT_OF_POOL`].
#[must_use]
#[inline(always)]
pub const fn has_slot(pool: RuleIndex) -> bool {
    pool < POOL_SLOTS as u32
}

/// What became of the reply to a rejected packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Answer {
    /// It was sent.
    Sent = 0,
    /// There was none, for whatever reason.
    None = 1,
    /// There was none because of the rate: one of [`Self::None`].
    Limited = 2,
}

impl Answer {
    /// How many there are.
    const COUNT: usize = 3;

    /// The slot of [`crate::names::ANSWER_COUNTS`] in which it is counted under an [`Action`].
    #[must_use]
    #[inline(always)]
    pub const fn slot(self, action: u8) -> u32 {
        action as u32 * Self::COUNT as u32 + self as u32
    }
}

/// How many slots [`crate::names::ANSWER_COUNTS`] has.
pub const ANSWER_SLOTS: usize = Action::ALL.len() * Answer::COUNT;

const _: () = {
    assert!(CELLS.is_power_of_two() && POOL_SLOTS.is_power_of_two());
    assert!(Reason::COUNT * 4 <= u64::BITS as usize && Reason::COUNT <= CELLS);
    let mut index = 0;
    while index < COUNTED.len() {
        let Counted {
            reason,
            verdict,
            cell: expected,
        } = COUNTED[index];
        assert!(reason.is_counted() && cell(reason as u32, verdict as u32) == expected);
        assert!(has_bytes(expected) != matches!(verdict, Verdict::Pass));
        // Each cell has one meaning.
        assert!(expected as usize != OWNER && expected != UNUSED && expected < CELLS as u32);
        let mut other = 0;
        while other < index {
            let before = COUNTED[other];
            assert!(before.cell != expected && !(before.has_bytes() && before.cell + 1 == expected));
            assert!(!(has_bytes(expected) && expected + 1 == before.cell));
            other += 1;
        }
        index += 1;
    }
};

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)` of numbers of one size only; any bit pattern is valid.
    unsafe impl aya::Pod for super::PacketCells {}
}
