//! What a service manager is told (`sd_notify(3)`); without one, nothing.

use sd_notify::NotifyState;
use tracing::debug;

/// Says something; a manager that does not hear it is no reason to do anything else.
fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "cannot notify the service manager");
    }
}

/// It enforces; `status` is shown by `systemctl status`.
pub(in crate::daemon) fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads its policy anew, until [`ready`].
pub(in crate::daemon) fn reloading() {
    // The manager wants to know when; the clock it means can always be read.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(_) => say(&[NotifyState::Reloading]),
    }
}

/// It ends.
pub(in crate::daemon) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// It lives, for a manager that wants to hear so from time to time.
pub(in crate::daemon) fn alive() {
    if sd_notify::watchdog_enabled().is_some() {
        say(&[NotifyState::Watchdog]);
    }
}
