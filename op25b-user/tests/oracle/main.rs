//! The program follows the documents on every packet: the real program is compared with a second implementation.
//!
//! [`expected`] is the second one: written from the documents alone, without a line of the datapath or the compiler.
//! [`generate`] draws policies and frames, [`differential`] compares, [`cases`] are the ones worth a name.

mod captures;
mod cases;
mod differential;
mod dissect;
mod expected;
mod generate;
mod nftables;
mod policy;
mod program;
#[cfg(test)]
mod self_tests;
mod verdict;
