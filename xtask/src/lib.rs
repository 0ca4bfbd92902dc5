//! op25b's set-up, lab, demo and tests: the library behind `cargo xtask`.

pub mod mta;
pub mod paths;
pub mod process;
pub mod runtime;
pub mod setup;
pub mod toolchain;
