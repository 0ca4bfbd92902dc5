//! The daemon as a process: its heap, its signals, its privileges and its service manager.

pub(super) mod held_signals;
pub(crate) mod memory;
pub(super) mod privileges;
pub(crate) mod service;
