//! The end of a command that goes on until a signal.

use std::io;

use crate::end_signals::EndSignals;

/// Waits for SIGINT or SIGTERM.
pub(in crate::cli) async fn ended() -> io::Result<()> {
    EndSignals::receive()?.next().await;
    Ok(())
}
