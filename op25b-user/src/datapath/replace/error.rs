//! The errors of a replacement.

use std::io;

use thiserror::Error;

use super::attach::AttachError;
use crate::datapath::{
    object::LoadError,
    pins::PinsError,
    refusal::Refusal,
    sys::interfaces::{Interface, InterfacesError},
};

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
    #[error("cannot replace the program on interface {interface}: {refusal}")]
    Refused {
        /// The interface.
        interface: String,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// The kernel does not detach a link.
    #[error("cannot detach the program from interface {interface}")]
    Detach {
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

impl ReplaceError {
    /// The kernel does not replace the program on an interface. It has no words for that: only a new link has.
    pub(super) fn refused(interface: &str, found: Option<&Interface>, error: io::Error) -> Self {
        Self::Refused {
            interface: interface.to_owned(),
            refusal: Refusal::new(interface, found, error, None),
        }
    }
}
