//! Why the kernel refused to attach a program to an interface: its own words where it gives them to anybody, otherwise the usual
//! causes of the error number.

mod cause;
mod forecast;
mod listener;
mod reason;

pub(crate) use forecast::{Nic, Obstacle, Peer, forecast, is_known_to_run_programs};
pub(crate) use listener::Listener;
pub use reason::Refusal;
