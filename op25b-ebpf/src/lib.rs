//! op25b's packet parsers, and access to frames on the BPF target.
//!
//! [`parse`] uses no map, no XDP and no aya, so it also compiles for the host: its unit tests, a fuzz target and the
//! benchmark's programs use it as a library. `bpf` exists on the BPF target only. The programs themselves are the
//! binaries: `main.rs`, `refusal/main.rs`, and `bench/main.rs` for the benchmark.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![allow(
    clippy::inline_always,
    reason = "a call costs nanoseconds for each packet, and the verifier follows values best in one function"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths and offsets are below 64 KiB; no conversion may panic here"
)]

#[cfg(target_arch = "bpf")]
pub mod bpf;
pub mod parse;

/// This package's directory: op25b's build script compiles the programs there.
#[cfg(not(target_arch = "bpf"))]
pub const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");
