//! An ISP in network namespaces, with mail and web servers, traffic and captures, for op25b's demo and tests.

pub mod bpf;
pub mod chaos;
pub mod commands;
pub mod disk;
pub mod ethtool;
pub mod filter;
pub mod foreign_program;
pub mod frames;
pub mod http;
pub mod interrupt;
pub mod lab;
pub mod line;
pub mod mail;
pub mod mta;
pub mod name_server;
pub mod packet_socket;
pub mod soak;
pub mod tmux;
pub mod traffic;
pub mod tun;

pub use op25b_host::{numbers, paths, process, runtime, sample, table, usage};
