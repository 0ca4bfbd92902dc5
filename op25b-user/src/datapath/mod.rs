//! The kernel's side: load the program, fill its maps, attach it, find it again and read what it counted.
//!
//! Nothing here knows YAML; what to enforce arrives as the compiled tables of [`crate::policy`].

mod attach;
mod bpf;
mod bpffs;
mod carry;
mod change;
pub mod clock;
mod counters;
mod description;
pub mod discover;
mod filter;
mod generation;
mod inherit;
mod interfaces;
mod layout;
mod link;
mod load;
mod lock;
mod mapping;
mod pins;
mod plan;
pub mod probe;
mod reconcile;
mod records;
pub mod requirements;
mod subscribers;
mod switch;
mod test_run;
mod transition;

pub use attach::{AttachError, Held};
pub use change::ChangeError;
pub use counters::Counters;
pub use description::{Description, PoolSummary};
pub use filter::Filter;
pub use inherit::MigratedRecords;
pub use interfaces::{Interface, InterfaceEvents, Interfaces, InterfacesError, XdpAttachment};
pub use load::{LoadError, LoadOptions, LogLevel, Reused};
pub use pins::{Pins, PinsError, holder, pinned_programs};
pub use reconcile::LinkState;
pub use subscribers::{Misses, SubscriberRecords, destinations};
pub use switch::{Attachment, Enforced, ReplaceError, Replacement, Target};
pub use test_run::{Decision, TestRunError, TestRunner};
