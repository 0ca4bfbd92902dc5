//! What is enforced now, and every change of it: the policy, the active exemptions, the store and the filter in the kernel.
//!
//! [`Enforcer`] is this state. It has no event loop, no sockets and no signals: long work is a closure that the process around
//! it, a [`Host`], runs in another thread, and interfaces are examined when the host calls for it.
//!
//! A change of the exemptions is decided, stored, enforced, verified with the program in the kernel and answered, in this order.
//! Whatever happens between two of these steps, the store is authoritative: a start makes the kernel equal to it.

mod dates;
mod described;
mod disk;
mod exemptions;
mod explain;
mod fit;
mod host;
mod live_records;
mod log;
mod pauses;
mod pins;
mod prepare;
mod reconcile;
mod replace;
mod stall;
mod state;
mod store;
mod takeover;

pub(crate) use self::{
    described::describe,
    exemptions::{
        changes::Restoration,
        outcome::{Changed, Imported, RemovedMany},
        refusal::Refusal,
        remove_many::{ManyRemoved, Which},
        requester::Requester,
    },
    explain::{Answer, Connection, Disk, Explanation, MatchedRule, Offline, RuleKind, explain_offline},
    host::{Host, Running, WaitError},
    live_records::LiveRecords,
    prepare::NewInterfaces,
    state::Enforcer,
    takeover::{RunningPolicy, Takeover, TakeoverOptions},
};
