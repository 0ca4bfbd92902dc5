//! op25b's set-up, lab, demo and tests: the library behind `cargo xtask`.

pub mod toolchain;
