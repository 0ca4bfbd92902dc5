//! The daemon: the event loop that keeps a filter up to date.
//!
//! It takes over what is pinned, reloads the policy, changes exemptions and keeps the program's clock right. The kernel
//! enforces without it: when the daemon ends, however that happens, the filter goes on with the last good policy.

mod alerts;
mod announce;
mod answers;
pub(crate) mod client;
mod clock;
pub(crate) mod control;
mod dates;
mod diagnostics;
mod dispatch;
mod event_loop;
mod events;
mod framing;
mod history;
mod host;
mod keeper;
mod metrics;
mod metrics_server;
mod newest;
mod operations;
mod options;
mod packet_events;
mod pauses;
mod policy_source;
mod process;
mod reload;
mod report;
pub(crate) mod request;
mod retention;
mod start;
mod state;

pub(crate) use self::{
    diagnostics::log as log_diagnostics,
    event_loop::run,
    process::{memory, service},
    start::THREADS,
};
pub use self::{options::Options, process::held_signals::HeldSignals};
