//! Whether the filter still runs where it was attached, and putting it back.

use std::io;

use super::{
    attach::vacant,
    plan::{Before, How, Step},
    switch::{Enforced, ReplaceError, Target},
    transition::Transition,
};
use crate::datapath::{pins::PinsError, sys::interfaces::Interfaces};

/// How it stands with an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The filter runs there.
    Runs,
    /// It does, and would not outlive this process: somebody has removed the pin.
    Unpinned,
    /// Somebody has put another program in its place.
    Replaced {
        /// The other program.
        program_id: u32,
    },
    /// It runs there no more: somebody has detached it, or the interface is gone.
    Detached {
        /// The index of the interface that it ran on.
        index: u32,
    },
    /// It has never run there.
    Absent,
}

impl Enforced {
    /// How it stands with an interface.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn link_state(&self, interface: &str) -> io::Result<LinkState> {
        let mut attachments = self.attachments().iter();
        let Some(attachment) = attachments.find(|attachment| attachment.interface == interface) else {
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
        } else if !self.pins().link_path(interface).exists() {
            LinkState::Unpinned
        } else {
            LinkState::Runs
        })
    }

    /// Pins a link again.
    ///
    /// # Errors
    ///
    /// [`PinsError`].
    pub fn repin(&self, interface: &str) -> Result<(), PinsError> {
        let path = self.pins().link_path(interface);
        let mut attachments = self.attachments().iter();
        match attachments.find(|attachment| attachment.interface == interface) {
            Some(attachment) => attachment
                .link
                .pin(&path)
                .map_err(PinsError::refused("pin to", &path)),
            None => Ok(()),
        }
    }

    /// Puts the filter's program back in the place of another on its own link.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`].
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
            .map_err(|source| ReplaceError::Replace {
                interface: interface.to_owned(),
                source,
            })
    }

    /// Attaches the filter to an interface that it does not run on, be it a new one of an old name.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`]; among them that another program is there.
    pub fn reattach(&mut self, interfaces: &Interfaces, target: &Target) -> Result<(), ReplaceError> {
        let interface = vacant(interfaces, &target.interface, target.xdp)?;
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let before = Before::read(&self.pins)?;
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
        // Not before it runs again: until then it is remembered that it did, and where.
        if let Some(old) = old {
            running.attachments.swap_remove(old);
        }
        running.attachments.extend(attached);
        Ok(())
    }
}
