//! The lab that a test runs op25b in, and an XDP program that is not op25b's.

pub mod foreign_program;
pub mod scene;
