//! The program follows its documents on every packet: the real program is compared with a second opinion.
//!
//! [`expected`] is that opinion: written from the contract alone, sharing no line with the datapath or the compiler.
//! [`generate`] draws policies and frames, [`differential`] compares, [`cases`] are the ones worth a name.

mod captures;
mod cases;
mod differential;
mod dissect;
mod expected;
mod generate;
mod policy;
mod program;
#[cfg(test)]
mod self_tests;
mod verdict;
