//! Which packets are shown as events, and what of them.

use super::word::{EventDestination, EventExemptions};

/// Which packets are shown as events, and what of them. Without it none are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// What is shown of destination addresses.
    pub destination: EventDestination,
    /// Whether packets of exemptions are shown, too.
    pub exempt: EventExemptions,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            destination: EventDestination::Prefix,
            exempt: EventExemptions::NotShown,
        }
    }
}
