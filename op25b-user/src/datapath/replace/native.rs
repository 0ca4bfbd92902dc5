//! Tries native mode again on an interface that runs the filter in generic mode because the driver refused.

use std::mem;

use super::{
    attach::attach,
    enforced::Enforced,
    error::ReplaceError,
    target::{Attachment, Target},
};
use crate::{
    datapath::{pins::Mode, refusal::Listener, sys::interfaces::Interface},
    policy::XdpMode,
};

impl Enforced {
    /// Where the filter runs in generic mode although native mode was tried first.
    pub fn fell_back(&self) -> impl Iterator<Item = &Attachment> {
        let attachments = self.attachments().iter();
        attachments.filter(|attachment| attachment.fallback.is_some())
    }

    /// Attaches the filter in native mode where it runs in generic mode, or in generic mode again if the driver still refuses.
    /// Returns whether it runs in native mode now.
    ///
    /// The interface is without a filter for a moment: the kernel runs no native and generic program at the same time.
    pub fn try_native(&mut self, interface: &Interface, target: &Target) -> Result<bool, ReplaceError> {
        let Some(running) = &mut self.running else {
            return Ok(false);
        };
        let mut attachments = running.attachments.iter_mut();
        let on = |attachment: &&mut Attachment| {
            attachment.interface == target.interface && attachment.index == interface.index
        };
        let Some(attachment) = attachments.find(on) else {
            return Ok(false);
        };
        let listener = self.listener.get_or_insert_with(Listener::start);
        attachment.link.detach().map_err(|source| ReplaceError::Detach {
            interface: target.interface.clone(),
            source,
        })?;
        // Nothing may come between: this is the moment without a filter.
        let attached = attach(
            &mut running.filter,
            interface,
            target.role,
            XdpMode::Auto,
            listener,
        )?;
        let before = mem::replace(&mut attachment.link, attached.link);
        attachment.mode = attached.mode.name();
        attachment.fallback = attached.fallback;
        self.pins.name([(target.interface.as_str(), &attachment.link)])?;
        self.pins.forget_link(&target.interface, &before)?;
        Ok(attached.mode == Mode::Native)
    }
}
