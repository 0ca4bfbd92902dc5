//! Reads the value of each key of a policy file, without its rules: one file a key.

pub(super) mod alerts;
pub(super) mod block;
pub(super) mod events;
pub(super) mod history;
pub(super) mod interface;
pub(super) mod limits;
pub(super) mod metrics;
pub(super) mod nat64;
pub(super) mod privacy;
pub(super) mod subscribers;
