//! The lab that a test runs op25b in, an XDP program that is not op25b's, descriptions as earlier versions wrote them, and the examples of JSON documents.

pub mod description;
pub mod foreign_program;
pub mod json;
pub mod scene;
