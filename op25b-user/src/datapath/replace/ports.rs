//! Follows which ports belong to the interfaces on which the filter runs.

use super::{enforced::Enforced, error::ReplaceError};
use crate::datapath::sys::interfaces::{Interface, Interfaces};

impl Enforced {
    /// Whether anything depends on which ports belong to which interface.
    #[must_use]
    pub fn depends_on_ports(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.filter.has_tunnels())
    }

    /// Whether a change of this interface may be a change of the ports of one on which the filter runs.
    #[must_use]
    pub fn may_be_port(&self, interface: &Interface) -> bool {
        self.running.as_ref().is_some_and(|running| {
            let entered = |index| running.filter.has_entered(index);
            let mut attachments = running.attachments.iter();
            let is_own = attachments.any(|attachment| attachment.index == interface.index);
            !is_own && (entered(interface.index) || interface.master.is_some_and(entered))
        })
    }

    /// Has the program filter inside the policy's tunnels on the interfaces on which it runs and on the ports that they have
    /// now. Returns whether that changed anything.
    pub fn follow_ports(&mut self, interfaces: &Interfaces) -> Result<bool, ReplaceError> {
        let Some(running) = &mut self.running else {
            return Ok(false);
        };
        let attachments = running.attachments.iter();
        let attached: Vec<_> = attachments
            .map(|attachment| (attachment.interface.as_str(), attachment.index))
            .collect();
        Ok(running.filter.enter_tunnels(&attached, interfaces)?)
    }
}
