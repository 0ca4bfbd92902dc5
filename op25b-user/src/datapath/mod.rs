//! The kernel's side: load the program, fill its maps, attach it, find it again and read what it counted.
//!
//! Nothing here knows YAML; what to enforce arrives as the compiled tables of [`crate::policy`].

mod attach;
mod change;
pub mod clock;
mod description;
mod filter;
mod interfaces;
mod live;
mod load;
mod mapping;
pub mod probe;
pub mod requirements;
mod test_run;

pub use attach::{AttachError, Attached, attach, vacant};
pub use change::ChangeError;
pub use description::{Description, PoolSummary};
pub use filter::{Counters, Filter};
pub use interfaces::{Interface, Interfaces, XdpAttachment};
pub use live::{LiveError, LiveFilter, LiveInterface, find_live};
pub use load::{LoadError, LoadOptions, LogLevel};
pub use test_run::{Decision, TestRunError, TestRunner};
