//! What is enforced now, and how that is changed: the policy, the active exemptions, the store, the filter in the kernel.

mod active_set;
mod apply;
mod changes;
mod explain;
mod idempotency;
mod import;
mod overlap;
mod reconcile;
mod refusal;

use std::sync::{Arc, Mutex};

pub(crate) use self::{
    active_set::{ActiveSet, exemption},
    changes::standing,
    reconcile::Reconcile,
    refusal::Refusal,
};
use crate::store::sqlite::SqliteStore;

/// The store, as the threads share it that wait for the disk.
pub(crate) type SharedStore = Arc<Mutex<SqliteStore>>;
