//! What a bot may try to get past op25b, tried against a real TCP stack: first without the filter, where it must work or
//! be refused by Linux itself, then with it.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod answers;
mod bot;
mod concentrator;
mod documented;
mod fragments;
mod framing;
mod headers;
mod line;
mod overlaps;
mod packet;
mod roll_out;
mod segment;
mod segments;
mod server;
mod softwires;
mod sources;
mod stage;
