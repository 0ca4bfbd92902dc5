//! The interfaces of this network namespace as rtnetlink shows them: a list at one moment, and reports of changes.

mod events;
mod interface;
mod list;

pub use events::InterfaceEvents;
pub use interface::{Interface, XdpAttachment};
pub use list::{Interfaces, InterfacesError};
