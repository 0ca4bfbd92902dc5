//! Keeps what runs pinned, so that it outlives the process, and tells whether it is.

use std::{io, path::PathBuf};

use super::enforced::Enforced;
use crate::datapath::{
    pins::{Generation, Link, Pins, PinsError, Snapshot},
    sys::{interfaces::Interfaces, network_namespace::NetworkNamespace},
};

/// What becomes of the filter when this process ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// The interfaces on which it goes on.
    pub(crate) kept: Vec<String>,
    /// Those on which it runs now and then no more: its link is not pinned.
    pub(crate) lost: Vec<String>,
}

impl Enforced {
    /// Refuses pins of a filter that runs in another network namespace. If one has left them that is gone, its name is returned.
    pub(crate) fn check_namespace(&self, interfaces: &Interfaces) -> Result<Option<String>, PinsError> {
        let here = NetworkNamespace::current().map_err(PinsError::refused(
            "compare the network namespace of",
            self.pins.directory(),
        ))?;
        let left = Snapshot::read(&self.pins)?.check_namespace(&self.pins, here, interfaces)?;
        Ok(left.map(|namespace| namespace.name()))
    }

    /// The pins.
    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Pins what runs and is not pinned, as far as another process has removed it, with the directories and the lock. Returns
    /// what was missing.
    pub(crate) fn repair_pins(&mut self) -> Result<Vec<PathBuf>, PinsError> {
        let mut missing = self.pins.repair()?;
        let Some(running) = &mut self.running else {
            return Ok(missing);
        };
        missing.extend(Generation::pin_missing(&running.pinned, &mut running.filter)?);
        for attachment in &running.attachments {
            let path = self.pins.link_path(&attachment.interface);
            let info = attachment
                .link
                .info()
                .map_err(PinsError::refused("query the link of", &path))?;
            // What is pinned under the name may be the link of another interface that bore it.
            let is_missing = info.interface.is_some() && !self.pins.is_pinned(&attachment.interface, info.id);
            if is_missing {
                let link = (attachment.interface.as_str(), &attachment.link);
                self.pins.name([link])?;
                missing.push(path);
            }
        }
        Ok(missing)
    }

    /// What becomes of the filter when this process ends, as it is pinned now.
    pub(crate) fn outlook(&self) -> Outlook {
        let mut outlook = Outlook::default();
        for attachment in self.attachments() {
            let path = self.pins.link_path(&attachment.interface);
            let is_pinned =
                || -> io::Result<bool> { Ok(Link::open(&path)?.info()? == attachment.link.info()?) };
            if runs(&attachment.link) {
                let is_kept = is_pinned().unwrap_or(false);
                let list = if is_kept {
                    &mut outlook.kept
                } else {
                    &mut outlook.lost
                };
                list.push(attachment.interface.clone());
            }
        }
        outlook
    }
}

/// Whether a link is attached to an interface.
fn runs(link: &Link) -> bool {
    link.info().is_ok_and(|info| info.interface.is_some())
}
