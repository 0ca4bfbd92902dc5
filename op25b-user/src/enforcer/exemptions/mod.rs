//! Changing exemptions while the filter runs: decided, stored, enforced, verified and answered.

pub(super) mod active_set;
mod apply;
pub(super) mod changes;
mod commit;
pub(super) mod conflicts;
mod idempotency;
mod import;
mod log;
mod lookup;
pub(super) mod outcome;
mod overlap;
pub(super) mod refusal;
pub(super) mod remove_many;
pub(super) mod requester;
mod spelling;
