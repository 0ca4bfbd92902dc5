//! The BPF target: instructions that Rust does not offer, and access to the frame.

pub mod frame;
pub mod instructions;
