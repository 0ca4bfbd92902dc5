//! Applying stored changes to the kernel: a few to the maps of the running generation, many by a new generation.

use std::time::Instant;

use jiff::Timestamp;
use tracing::{info, warn};

use super::refusal::Refusal;
use crate::{
    datapath::ChangeError,
    enforcer::{
        host::Host,
        state::{Enforcer, RETRY},
    },
    policy::CompileError,
    store::{Actor, Change, ChangeKind, Commit, Record, RequestKey},
};

/// For more changes than this, loading a new generation is faster.
const MOST_LIVE_CHANGES: usize = 256;

/// Why a change could not be made to the running generation.
#[derive(Debug, thiserror::Error)]
enum ChangeLiveError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("no filter is running")]
    NoFilter,
    #[error("an earlier change was applied only in part")]
    IsBehind,
}

impl Enforcer {
    /// Makes the kernel equal to the store for these records.
    ///
    /// If that fails, additions are withdrawn, with the `request` for them; an expiry or a removal is retried every 10 seconds.
    pub(super) async fn enforce(
        &mut self,
        records: &[Record],
        change: ChangeKind,
        request: Option<RequestKey>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let live = if records.len() > MOST_LIVE_CHANGES {
            None
        } else {
            match self.change_live(records) {
                Ok(()) => return Ok(()),
                Err(error) => Some(error),
            }
        };
        if let Some(error) = live {
            info!(%error, "loading a new generation for a change of the exemptions");
        }
        // From here on the running generation may have a part of the change.
        self.retry_at = Some(Instant::now() + RETRY);
        match self.load_again(host).await {
            Ok(()) => Ok(()),
            Err(error) if change == ChangeKind::Add => self.withdraw(records, request, &error, host).await,
            Err(error) => Err(Refusal::not_enforced_yet(&error)),
        }
    }

    /// Changes the maps of the running generation.
    fn change_live(&mut self, records: &[Record]) -> Result<(), ChangeLiveError> {
        if self.kernel_is_behind() {
            return Err(ChangeLiveError::IsBehind);
        }
        for record in records {
            let is_known = self.active_set.record(record.id).is_some();
            let changes = match (record.removed_at, is_known) {
                (Some(_), _) => self.active_set.remove(record.id)?.into_iter().collect(),
                (None, true) => self.active_set.replace(record.clone())?,
                (None, false) => vec![self.active_set.add(record.clone())?],
            };
            let filter = self.datapath.filter().ok_or(ChangeLiveError::NoFilter)?;
            for change in &changes {
                filter.apply(change)?;
            }
        }
        Ok(())
    }

    /// Withdraws additions that cannot be enforced, so that the same request can be sent again.
    async fn withdraw(
        &mut self,
        records: &[Record],
        request: Option<RequestKey>,
        error: &anyhow::Error,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let at = Timestamp::now();
        let changes = records
            .iter()
            .map(|record| Change {
                action: ChangeKind::Remove,
                before: Some(record.clone()),
                after: Record {
                    removed_at: Some(at),
                    ..record.clone()
                },
            })
            .collect();
        let reason = format!("could not be enforced: {error:#}");
        warn!("withdrawing an exemption: {reason}");
        let by = Actor {
            uid: nix::unistd::Uid::effective().as_raw(),
            name: "op25b".to_owned(),
        };
        let withdrawn = self
            .commit(
                Commit {
                    at,
                    by,
                    reason: Some(reason),
                    changes,
                    request: None,
                    taken_back: request,
                },
                host,
            )
            .await;
        if let Err(refusal) = withdrawn {
            return Err(Refusal::Broken(format!(
                "the exemption is stored, but could be neither enforced ({error:#}) nor withdrawn ({refusal}); this is retried \
                 every {RETRY:?}"
            )));
        }
        Err(Refusal::Kernel(format!("nothing was changed: {error:#}")))
    }
}
