//! What a bot may try to get past op25b, tried against a real TCP stack: first without the filter, where it must work or
//! be refused by Linux itself, then with it.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod default_deny;
mod documented;
mod fragments;
mod framing;
mod headers;
mod overlaps;
mod replies;
mod roll_out;
mod softwires;
mod sources;
mod support;
mod tcp_headers;
