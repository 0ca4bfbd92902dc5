//! The records of single subscribers beyond what is counted of blocked segments.

mod hidden;
mod ipv6;
mod remember;
mod sketch;
mod versions;
