//! Ends this process as a signal does, so that whoever started it sees by which.

use nix::sys::signal::{SigHandler, Signal, raise, signal};

/// Ends this process by a signal. Returns if that cannot be done.
pub(in crate::cli) fn end_by(number: Signal) {
    // SAFETY: the default handler is no code of this process.
    if unsafe { signal(number, SigHandler::SigDfl) }.is_ok() {
        let _ = raise(number);
    }
}
