//! The interface between an enforcer and the process around it.

use super::state::Enforcer;
use crate::datapath::Filter;

/// The process around an enforcer: it has the threads for long work, and reads what a filter logs about packets.
pub(crate) trait Host {
    /// The reader of one filter's packet log.
    type PacketLog;

    /// Opens the packet log of a filter that is about to replace another. An error prevents the replacement.
    fn open_packet_log(&self, filter: &mut Filter) -> anyhow::Result<Self::PacketLog>;

    /// Reads this packet log from now on: its filter has replaced the one before.
    fn use_packet_log(&mut self, packet_log: Self::PacketLog);

    /// Runs work that takes long in another thread. Meanwhile the host does with the enforcer what has to be done every second.
    async fn run_while_waiting<T: Send + 'static>(
        &mut self,
        enforcer: &mut Enforcer,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T>;
}
