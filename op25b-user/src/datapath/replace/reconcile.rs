//! Reports whether the filter still runs where it was attached, and reattaches it.

use std::io;

use super::{
    attach::vacant,
    enforced::Enforced,
    error::ReplaceError,
    plan::{How, Step},
    target::Target,
    transition::Transition,
};
use crate::datapath::{pins::Snapshot, sys::interfaces::Interfaces};

/// The state of the filter's link on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The filter runs.
    Runs,
    /// The filter runs, but would not outlive this process: the pin was removed.
    Unpinned,
    /// Another program was put on the link.
    Replaced {
        /// The other program.
        program_id: u32,
    },
    /// The link was detached, or its interface is gone.
    Detached {
        /// The index of the interface that it was attached to.
        index: u32,
    },
    /// This process has not attached the filter to the interface.
    Absent,
}

impl Enforced {
    /// The state of the link on an interface.
    pub fn link_state(&self, interface: &str) -> io::Result<LinkState> {
        let Some(attachment) = self.attachment(interface) else {
            return Ok(LinkState::Absent);
        };
        let info = attachment.link.info()?;
        Ok(if info.interface.is_none() {
            LinkState::Detached {
                index: attachment.index,
            }
        } else if info.program_id != attachment.program_id {
            LinkState::Replaced {
                program_id: info.program_id,
            }
        } else if !self.pins.link_path(interface).exists() {
            LinkState::Unpinned
        } else {
            LinkState::Runs
        })
    }

    /// Replaces another program on the filter's own link by the filter's.
    pub fn restore(&mut self, interface: &str) -> Result<(), ReplaceError> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let mut attachments = running.attachments.iter();
        let Some(attachment) = attachments.find(|attachment| attachment.interface == interface) else {
            return Ok(());
        };
        let program = running.filter.program_fd(attachment.role)?;
        attachment
            .link
            .replace(program, None)
            .map_err(|source| ReplaceError::Link {
                interface: interface.to_owned(),
                source,
            })
    }

    /// Attaches the filter to an interface on which it does not run, which may be a new one of an old name. Refuses if
    /// another program runs there.
    pub fn reattach(&mut self, interfaces: &Interfaces, target: &Target) -> Result<(), ReplaceError> {
        let interface = vacant(interfaces, &target.interface, target.xdp)?;
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let before = Snapshot::read(&self.pins)?;
        let old = running
            .attachments
            .iter()
            .position(|attachment| attachment.interface == target.interface);
        if let Some(old) = old {
            running.filter.forget_tunnels(running.attachments[old].index)?;
        }
        let mut transition = Transition {
            pins: &self.pins,
            before: &before,
            filter: &mut running.filter,
            done: Vec::new(),
        };
        transition.take(Step {
            target,
            interface,
            how: How::Attach,
        })?;
        let attached = transition.done.into_iter().map(|done| done.attachment);
        // Only now that it runs again: until then its state stays that of the link before.
        if let Some(old) = old {
            running.attachments.swap_remove(old);
        }
        running.attachments.extend(attached);
        Ok(())
    }
}
