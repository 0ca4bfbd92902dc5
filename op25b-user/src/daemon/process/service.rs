//! Notifications of a service manager (`sd_notify(3)`); without one, none.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

/// Sends a notification; a failure has no other consequence.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "cannot notify the service manager");
    }
}

/// Reports that the process has begun what it is for; `systemctl status` shows `status`.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that the start waits, for at most a minute more, for what `status` names.
pub(in crate::daemon) fn waiting(status: &str) {
    let more = Duration::from_mins(1);
    let more = u32::try_from(more.as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::ExtendTimeoutUsec(more), NotifyState::Status(status)]);
}

/// Reports the state that `systemctl status` shows.
pub(crate) fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// Reports that the daemon reloads its policy, until [`ready`].
pub(in crate::daemon) fn reloading() {
    // The manager expects the time; the monotonic clock can always be read.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// Reports that the daemon ends.
pub(in crate::daemon) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Reports that the daemon is alive, if the manager has a watchdog.
pub(in crate::daemon) fn alive() {
    if sd_notify::watchdog_enabled().is_some() {
        notify(&[NotifyState::Watchdog]);
    }
}
