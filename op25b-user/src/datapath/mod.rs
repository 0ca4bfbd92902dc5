//! Loads the program, fills its maps, attaches it, finds it again and reads what it counted.
//!
//! Nothing in here depends on YAML: what to enforce arrives as the compiled tables of [`crate::policy`]. The folders depend on
//! each other in one direction:
//!
//! ```text
//! sys <- stats, events <- object <- pins <- migrate <- replace
//! sys <- refusal <- replace
//!   host reads what the machine offers to a filter; framing reads what arrives on the interfaces of a filter
//!   discover reads programs and maps without pins; ask and test_run run a loaded object on one packet
//! ```

pub mod ask;
pub mod discover;
mod events;
mod framing;
pub(crate) mod host;
mod migrate;
mod object;
mod pins;
pub mod probe;
mod refusal;
mod replace;
mod settings;
mod stats;
mod sys;
mod test_run;

pub use events::{EventCount, EventCounts, EventReader};
pub(crate) use framing::gone;
pub use framing::{ReceivedFrames, not_ip_of, packets_of, received_frames};
pub use migrate::MigratedRecords;
pub use object::{
    ChangeError, Description, Directories, ExemptionEnds, Filter, InterfaceSummary, LoadError, LoadOptions,
    LoadedBy, LogLevel, PhaseSummary, PoolSummary, Reused, expected_memory,
};
pub use pins::{
    Ending, Holder, HolderError, PinnedElsewhere, PinnedPolicy, Pins, PinsError, Removed, holder,
    pinned_elsewhere, pinned_policy, pinned_programs, pinned_since,
};
pub use refusal::Refusal;
pub use replace::{
    AttachError, Attachment, Enforced, Followed, Held, KindError, Left, LinkState, Need, Prediction,
    Released, Renamed, ReplaceError, Replacement, Skipped, Target, Upper, obstacles,
};
pub use settings::{Disagreement, Settings};
pub(crate) use stats::RecentRecords;
pub use stats::{
    AnswerCount, CounterTable, Counters, FrameKind, Misses, NotIp, NotIpByIndex, PacketCount, PacketCounts,
    PoolCounts, PoolStart, PoolStarts, SubscriberRecords, destination_error, destinations,
};
pub(crate) use stats::{Erased, Erasure};
pub(crate) use sys::bpf::membarrier::wait_for_running_programs;
pub(crate) use sys::netlink::xdp_features::XdpFeatures;
pub use sys::{
    bpf::map::{MapError, MapOp},
    clock,
    interfaces::{Interface, InterfaceEvent, InterfaceEvents, Interfaces, InterfacesError, XdpAttachment},
    network_namespace::NetworkNamespace,
    requirements,
};
pub use test_run::{Decision, TestRunError, TestRunner};
