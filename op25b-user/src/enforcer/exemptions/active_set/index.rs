//! What changes of exemptions are computed with: the rules that the tables in the kernel are made of, and the customers' names.
//!
//! It is made of the active set when a change first needs it, as it takes as much memory as the policy, and follows the set from then
//! on. With many exemptions that takes a while.

use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::{
    enforcer::{
        exemptions::{refusal::Refusal, spelling::Spellings},
        host::Host,
        state::Enforcer,
    },
    policy::{CompileError, Policy, Rules},
};

/// The index of an active set.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// The rules that the tables in the kernel are made of.
    pub(super) rules: Rules,
    /// The customers of all exemptions, as they are spelled.
    pub(super) spellings: Spellings,
}

/// What an index is made of.
pub(super) struct Unindexed {
    /// The policy as it was loaded.
    pub(super) policy: Arc<Policy>,
    /// What had expired then is not in the tables.
    pub(super) compiled_at: Timestamp,
    /// Of each exemption one.
    pub(super) customers: Vec<SmolStr>,
}

impl Unindexed {
    pub(super) fn index(&self) -> Result<Index, CompileError> {
        Ok(Index {
            rules: Rules::without_expired(&self.policy, self.compiled_at)?,
            spellings: self.customers.iter().collect(),
        })
    }
}

impl Enforcer {
    /// Makes the index in another thread, if there is none: the event loop would stand still meanwhile.
    pub(in crate::enforcer::exemptions) async fn make_index(
        &mut self,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Some(unindexed) = self.active_set.unindexed() else {
            return Ok(());
        };
        let index = host.run_while_waiting(self, move || unindexed.index()).await;
        let index = index.map_err(|error| Refusal::Broken(format!("{error:#}")))??;
        self.active_set.use_index(index);
        Ok(())
    }
}
