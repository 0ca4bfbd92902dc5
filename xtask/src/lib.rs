//! op25b's set-up, lab, demo and tests: the library behind `cargo xtask`.

pub mod bench;
pub mod bpf;
pub mod capture;
pub mod demo;
pub mod filter;
pub mod frames;
pub mod fuzz;
pub mod http;
pub mod inspect;
pub mod interrupt;
pub mod lab;
pub mod mail;
pub mod mta;
pub mod mutants;
pub mod packet_socket;
pub mod paths;
pub mod process;
pub mod runtime;
pub mod setup;
pub mod soak;
pub mod suite;
pub mod toolchain;
pub mod traffic;
pub mod tun;
pub mod workspace_copy;
