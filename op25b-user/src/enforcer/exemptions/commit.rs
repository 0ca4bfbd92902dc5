//! Writing changes to the store.

use anyhow::Context as _;
use jiff::Timestamp;

use super::{refusal::Refusal, requester::Requester};
use crate::{
    enforcer::{host::Host, state::Enforcer},
    store::{Change, Commit, Record, Store},
};

impl Enforcer {
    /// Writes one change to the store, and returns the record as it is stored.
    pub(super) async fn commit_one(
        &mut self,
        change: Change,
        reason: Option<String>,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Record, Refusal> {
        let after = change.after.clone();
        let commit = Commit {
            at: Timestamp::now(),
            by: requester.actor.clone(),
            reason,
            changes: vec![change],
            request: requester.request.clone(),
            taken_back: None,
        };
        let revision = self.commit(commit, host).await?;
        Ok(Record { revision, ..after })
    }

    /// Writes to the store. No other change is made meanwhile.
    pub(super) async fn commit(&mut self, commit: Commit, host: &mut impl Host) -> Result<u64, Refusal> {
        Ok(self
            .with_store(host, move |store| store.commit(&commit))
            .await??)
    }

    /// Uses the store, which may wait for the disk.
    pub(super) async fn with_store<T: Send + 'static>(
        &mut self,
        host: &mut impl Host,
        work: impl FnOnce(&mut dyn Store) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.store.clone();
        let done = host.run_while_waiting(self, move || store.with(work)).await;
        let done = done.context("cannot use the store");
        let done = done.map_err(|error| Refusal::Broken(format!("{error:#}")))?;
        done.map_err(|error| Refusal::Broken(error.to_owned()))
    }
}
