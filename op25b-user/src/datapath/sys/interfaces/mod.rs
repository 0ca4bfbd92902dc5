//! The interfaces of this network namespace as rtnetlink shows them: a list at one moment, single ones, and reports of changes.

mod driver;
mod events;
mod interface;
mod list;
mod query;

pub use events::{InterfaceEvent, InterfaceEvents};
pub use interface::{Interface, XdpAttachment};
pub use list::{Interfaces, InterfacesError};
pub(crate) use query::InterfaceQuery;
