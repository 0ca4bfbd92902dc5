//! `op25b exempt` and `op25b explain`, for people and for scripts, with a stand-in for the daemon and without one.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod changes;
mod daemon;
mod files;
mod reading;
mod scene;
