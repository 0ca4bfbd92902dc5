//! What op25b does on a router: the real program in a real kernel, with real packets and mail, in network namespaces.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod control;
mod control_crowd;
mod control_peers;
mod exempt;
mod expiry;
mod explain;
mod foreign;
mod layout;
mod logs;
mod mail;
mod metrics;
mod modes;
mod paths;
mod privileges;
mod reconcile;
mod refusals;
mod reload;
mod scene;
mod service;
mod status;
mod stopping;
mod subscribers;
mod unread;
mod wire;
