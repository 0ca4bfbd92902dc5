//! Policies and frames for the differential test, drawn so that boundaries are met often.

mod addresses;
mod damage;
mod frames;
mod network;
mod policies;
mod transport;
mod tunnels;

pub use self::{addresses::Universe, frames::frame, policies::policy};
