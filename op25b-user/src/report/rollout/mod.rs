//! The roll-out of each pool: how far it is, whom it concerns, who was written to, who stopped, and what is to do next.

mod counts;
mod document;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    counts::{Counted, Counts},
    document::{Known, PoolRollout, Rollout},
};
