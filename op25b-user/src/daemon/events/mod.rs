//! The sources of events that the event loop waits for.

pub(super) mod packet_log;
pub(super) mod questions;
pub(super) mod scrapes;
pub(super) mod signals;
pub(super) mod watch;
