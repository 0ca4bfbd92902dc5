//! The control socket: reloads, who may do what, and clients that misbehave.

mod confirm;
mod crowd;
mod dry_run;
mod peers;
mod reload;
mod socket;
