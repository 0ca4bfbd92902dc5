//! The end of a command that goes on until a signal.

use std::io;

use crate::end_signals::EndSignals;

/// Waits for SIGINT or SIGTERM.
pub(super) async fn ended() -> io::Result<()> {
    EndSignals::receive()?.next().await;
    Ok(())
}
