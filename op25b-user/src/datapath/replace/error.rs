//! The errors of a replacement.

use std::io;

use thiserror::Error;

use super::attach::AttachError;
use crate::datapath::{object::LoadError, pins::PinsError, sys::interfaces::InterfacesError};

/// Why a generation was not replaced. Every interface is as it was, unless the error names those that are not.
#[derive(Debug, Error)]
pub enum ReplaceError {
    /// The pins cannot be read or written.
    #[error(transparent)]
    Pins(#[from] PinsError),
    /// The interfaces cannot be listed.
    #[error(transparent)]
    Interfaces(#[from] InterfacesError),
    /// An interface cannot be attached to.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// A program or a map cannot be used.
    #[error(transparent)]
    Program(#[from] LoadError),
    /// The kernel does not replace a program.
    #[error("cannot replace the program on interface {interface}")]
    Link {
        /// The interface.
        interface: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Not everything could be undone.
    #[error("{source}; after that, the program that ran before could not be restored on {}", interfaces.join(", "))]
    HalfUndone {
        /// The interfaces that were not restored.
        interfaces: Vec<String>,
        /// What failed first.
        source: Box<ReplaceError>,
    },
}
