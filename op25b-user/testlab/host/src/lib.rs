//! The machine that op25b is built and tested on: its compilers and other programs, its directories, its kernel.

pub mod numbers;
pub mod paths;
pub mod process;
pub mod runtime;
pub mod sample;
pub mod table;
#[path = "../../../build/toolchain.rs"]
pub mod toolchain;
pub mod usage;
