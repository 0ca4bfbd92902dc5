//! The signals of the first milliseconds: they wait until the daemon has its handlers.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// SIGHUP, SIGINT and SIGTERM of this process, held back. What arrives is delivered after [`Self::release`]; without that, never.
///
/// Otherwise a SIGHUP that arrives before the handlers exist ends the process, and a service manager takes that for a success.
#[derive(Debug)]
pub struct HeldSignals {
    /// The signals that this process held back before.
    before: SigSet,
}

impl HeldSignals {
    /// Holds them back in this thread, and in those that it starts.
    pub fn hold() -> nix::Result<Self> {
        let signals: SigSet = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM]
            .into_iter()
            .collect();
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { before })
    }

    /// Delivers them from now on.
    pub fn release(&self) -> nix::Result<()> {
        self.before.thread_set_mask()
    }
}
