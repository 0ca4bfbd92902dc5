//! The daemon as a process: its heap, its privileges and its service manager.

pub(crate) mod memory;
pub(super) mod privileges;
pub(super) mod service;
