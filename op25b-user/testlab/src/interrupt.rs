//! Stopping early: a signal sets a flag, loops that wait check it, and what was made is dropped as usual.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use anyhow::Context as _;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

static RAISED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// How soon a signal is noticed.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A signal came.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// From now on signals raise the flag instead of ending the process.
pub fn watch() -> anyhow::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&RAISED)).context("cannot handle signals")?;
    }
    Ok(())
}

/// Whether a signal came, as an error.
pub fn check() -> Result<(), Interrupted> {
    if RAISED.load(Ordering::Relaxed) {
        Err(Interrupted)
    } else {
        Ok(())
    }
}

/// Waits for a message: `None` if its senders are gone or it takes longer than `patience`.
pub fn receive<T>(receiver: &Receiver<T>, patience: Duration) -> Result<Option<T>, Interrupted> {
    let mut left = patience;
    loop {
        check()?;
        let interval = CHECK_INTERVAL.min(left);
        match receiver.recv_timeout(interval) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if left == interval => return Ok(None),
            Err(RecvTimeoutError::Timeout) => left -= interval,
        }
    }
}
