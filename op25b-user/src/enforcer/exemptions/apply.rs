//! From the store to the kernel: a few records at once into the generation that runs, or all of them into a new one.

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

/// With more changes than this, a new generation is faster.
const MOST_LIVE_CHANGES: usize = 256;

/// Why a change could not be made to the generation that runs.
#[derive(Debug, thiserror::Error)]
enum LiveError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("there is no generation that runs")]
    NoFilter,
    #[error("an earlier change failed half-way")]
    IsBehind,
}

impl Enforcer {
    /// Has the kernel do what the store says now of these records.
    ///
    /// # Errors
    ///
    /// Why not: then what was added is taken back, with the `request` for it, and what was removed or changed is tried again
    /// every 10 seconds.
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
        // From here on the generation that runs may have half of the change.
        self.retry_at = Some(Instant::now() + RETRY);
        match self.load_again(host).await {
            Ok(()) => Ok(()),
            Err(error) if change == ChangeKind::Add => self.take_back(records, request, &error, host).await,
            Err(error) => Err(Refusal::not_enforced_yet(&error)),
        }
    }

    /// Changes the generation that runs.
    fn change_live(&mut self, records: &[Record]) -> Result<(), LiveError> {
        if self.kernel_is_behind() {
            return Err(LiveError::IsBehind);
        }
        for record in records {
            let is_known = self.active_set.record(record.id).is_some();
            let changes = match (record.removed_at, is_known) {
                (Some(_), _) => self.active_set.remove(record.id)?.into_iter().collect(),
                (None, true) => self.active_set.replace(record.clone())?,
                (None, false) => vec![self.active_set.add(record.clone())?],
            };
            let filter = self.datapath.filter().ok_or(LiveError::NoFilter)?;
            for change in &changes {
                filter.apply(change)?;
            }
        }
        Ok(())
    }

    /// Takes additions back that cannot be enforced, so that the same request can be sent again, to be done.
    async fn take_back(
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
        warn!("taking an exemption back: {reason}");
        let by = Actor {
            uid: nix::unistd::Uid::effective().as_raw(),
            name: "op25b".to_owned(),
        };
        let taken_back = self
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
        if let Err(refusal) = taken_back {
            return Err(Refusal::Broken(format!(
                "it is stored, and could neither be enforced ({error:#}) nor taken back ({refusal}); this is tried again \
                 every {RETRY:?}"
            )));
        }
        Err(Refusal::Kernel(format!("nothing was changed: {error:#}")))
    }
}
