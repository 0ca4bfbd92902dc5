//! The real XDP program follows the verdict table. It runs in the kernel, attached to nothing.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod asked;
mod buffers;
mod changes;
mod counters;
mod default_deny;
mod diagnostics;
mod events;
mod exempt_counts;
mod exemptions;
mod framing;
mod interfaces;
mod ipv4;
mod ipv6;
mod link;
mod migration;
mod modes;
mod nat64;
mod packets;
mod pauses;
mod phases;
mod policy;
mod ports;
mod prefixes;
mod random;
mod records;
mod reply_rate;
mod subscribers;
mod support;
mod truncation;
mod tunnels;
mod verification;
