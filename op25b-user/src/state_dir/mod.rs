//! What outlives a daemon in the state directory, beside the store of exemptions: the last good policy.

mod atomic;
mod last_good;

pub(crate) use self::last_good::{LastGood, Origin};
