//! What op25b does on a router: the real program in a real kernel, with real packets and mail, in network namespaces.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod control;
mod dates;
mod disks;
mod exempt;
mod exempt_files;
mod exempt_kernel;
mod expiry;
mod explain;
mod generic;
mod kinds;
mod logs;
mod lost_store;
mod mail;
mod metrics;
mod modes;
mod other_version;
mod paths;
mod pins;
mod power_on;
mod privileges;
mod reconcile;
mod refusals;
mod reload;
mod renamed;
mod service;
mod starting;
mod state;
mod status;
mod stopping;
mod subscribers;
mod support;
mod unreadable_store;
mod watch;
mod wire;
mod without_root;
