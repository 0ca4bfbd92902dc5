//! `op25b exempt` and `op25b explain`, for people and for scripts, with a stand-in for the daemon and without one.

mod changes;
pub mod daemon;
mod files;
mod options;
mod pipes;
mod reading;
pub mod scene;
mod tables;
