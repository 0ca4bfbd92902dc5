//! The kernel's side: load the program, fill its maps, attach it, find it again and read what it counted.
//!
//! Nothing here knows YAML; what to enforce arrives as the compiled tables of [`crate::policy`].

pub mod discover;
mod migrate;
mod object;
mod pins;
pub mod probe;
mod replace;
mod stats;
mod sys;
mod test_run;

pub use migrate::MigratedRecords;
pub use object::{ChangeError, Description, Filter, LoadError, LoadOptions, LogLevel, PoolSummary, Reused};
pub use pins::{Pins, PinsError, holder, pinned_programs};
pub use replace::{AttachError, Attachment, Enforced, Held, LinkState, ReplaceError, Replacement, Target};
pub use stats::{Counters, Misses, SubscriberRecords, destinations};
pub use sys::{
    clock,
    interfaces::{Interface, InterfaceEvents, Interfaces, InterfacesError, XdpAttachment},
    map::{MapError, MapOp},
    requirements,
};
pub use test_run::{Decision, TestRunError, TestRunner};
