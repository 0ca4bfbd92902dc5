//! Whether a packet's turn to be shown has come: of a subscriber with a record, once a second.
//!
//! What the record says is noted in a map, and only where it has to be: handed on in a register it would lengthen the path of every
//! packet, also without events. Where a frame preempts another (see [`crate::scratch`]), at worst one of the two is not shown.

use op25b_common::{
    Reason,
    event::QUIET_SECONDS,
    values::{NO_RULE, RuleIndex},
};

use super::is_on;
use crate::maps;

/// Why a packet's turn has come.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Turn {
    /// It has not.
    Not = 0,
    /// It is the first packet of its subscriber.
    First = 1,
    /// It is the first after [`QUIET_SECONDS`] without any.
    AfterQuiet = 2,
    /// It is the first in this second.
    InSecond = 3,
    /// Nothing of it is recorded.
    Unrecorded = 4,
}

/// Notes it for the packet.
#[inline(always)]
pub fn note(turn: Turn) {
    if is_on() {
        write(0, turn as u64);
    }
}

/// Notes the pool of an exempt subscriber: the rule that decides on its packet is the exemption.
#[inline(always)]
pub fn note_exempt_pool(pool: RuleIndex) {
    if is_on() {
        write(1, pool.into());
    }
}

/// The pool that was noted.
#[inline(always)]
pub fn exempt_pool() -> RuleIndex {
    let pool = maps::EVENT_TURN.get(1).copied();
    pool.map_or(NO_RULE, |pool| pool as RuleIndex)
}

#[inline(always)]
fn write(slot: u32, note: u64) {
    if let Some(noted) = maps::EVENT_TURN.get_ptr_mut(slot) {
        // SAFETY: the slot belongs to this CPU.
        unsafe { *noted = note };
    }
}

/// Notes it for the first packet of a subscriber in a second, with the times in its record before.
#[inline(always)]
pub fn note_of_subscriber(first_seen: u32, last_seen: u32, now: u32) {
    if is_on() {
        note(if first_seen == 0 {
            Turn::First
        } else if now.wrapping_sub(last_seen) >= QUIET_SECONDS {
            Turn::AfterQuiet
        } else {
            Turn::InSecond
        });
    }
}

/// Why the turn of a packet with this reason has come; `None` if it has not.
#[inline(always)]
pub fn take(reason: u32, from_uplink: bool) -> Option<Turn> {
    const RECORDED: u32 =
        1 << Reason::Blocked as u32 | 1 << Reason::Monitored as u32 | 1 << Reason::Uninspectable as u32;
    if from_uplink || 1 << (reason & 31) & RECORDED == 0 {
        return Some(Turn::Unrecorded);
    }
    let noted = maps::EVENT_TURN.get_ptr_mut(0)?;
    // SAFETY: as above.
    let turn = unsafe { *noted };
    if turn == Turn::Not as u64 {
        return None;
    }
    // SAFETY: as above.
    unsafe { *noted = Turn::Not as u64 };
    [Turn::First, Turn::AfterQuiet, Turn::InSecond, Turn::Unrecorded]
        .into_iter()
        .find(|known| *known as u64 == turn)
}
