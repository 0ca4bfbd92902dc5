//! What arrives on the interfaces of a filter: all frames by the interfaces' own statistics, those that are not IP, and the packets
//! that the program counts.

use std::io;

use super::{
    stats::{CounterTable, NotIp, NotIpByIndex, PacketCounts},
    sys::interfaces::InterfaceQuery,
};
use crate::policy::Role;

/// The frames that an interface has received so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedFrames {
    /// All of them, by the interface's statistics; none if it does not exist.
    pub all: Option<u64>,
    /// Those that are not IP.
    pub not_ip: NotIp,
}

/// The frames that are not IP of the interfaces with these indices, in their order.
#[must_use]
pub fn not_ip_of(frames: &NotIpByIndex, attached: &[u32]) -> Vec<NotIp> {
    frames.of(attached, masters())
}

/// The packets that were counted on the interfaces with these indices and roles, in their order.
#[must_use]
pub fn packets_of(counters: &CounterTable, attached: &[(u32, Role)]) -> Vec<PacketCounts> {
    counters.of_interfaces(attached, masters())
}

/// Returns the interface that one is a port of. Without the kernel's answer no port is known, and only what the interfaces received
/// themselves is shown.
fn masters() -> impl FnMut(u32) -> Option<u32> {
    let query = InterfaceQuery::open().ok();
    move |index| query.as_ref()?.indexed(index).ok().flatten()?.master
}

/// The frames that the interfaces with these indices have received, in their order.
pub fn received_frames(frames: &NotIpByIndex, attached: &[u32]) -> io::Result<Vec<ReceivedFrames>> {
    let query = InterfaceQuery::open()?;
    let not_ip = not_ip_of(frames, attached);
    let all = attached.iter().map(|index| query.received(*index));
    all.zip(not_ip)
        .map(|(all, not_ip)| Ok(ReceivedFrames { all: all?, not_ip }))
        .collect()
}

/// Those of the indices of interfaces with such frames that no interface has any more.
pub(crate) fn gone(frames: &NotIpByIndex) -> io::Result<Vec<u32>> {
    let query = InterfaceQuery::open()?;
    let mut gone = Vec::new();
    for index in frames.indices() {
        if query.indexed(index)?.is_none() {
            gone.push(index);
        }
    }
    Ok(gone)
}
