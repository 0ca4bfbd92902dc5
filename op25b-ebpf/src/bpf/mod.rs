//! The BPF target: instructions that Rust does not offer, and access to the frame.
#![allow(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "a context is the kernel's, and the verifier holds programs to it"
)]

pub mod frame;
pub mod instructions;
