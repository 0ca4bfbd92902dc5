//! From the store to the kernel: a few records at once into the generation that runs, or all of them into a new one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::{Refusal, exemption, standing};
use crate::{
    daemon::{Daemon, load, policy_file::PolicyFile},
    datapath::ChangeError,
    policy::CompileError,
    store::{Actor, Change, ChangeKind, Commit, Record, RequestKey},
};

/// With more changes than this, a new generation is faster.
const MOST_LIVE_CHANGES: usize = 256;

/// How long to wait before what the kernel did not take is tried again.
const RETRY: Duration = Duration::from_secs(10);

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

/// What is said of a change until the kernel has it, however often it is asked for.
pub(super) fn not_enforced_yet(error: &anyhow::Error) -> Refusal {
    Refusal::Broken(format!(
        "it is stored, and the kernel does not have it yet: {error:#}; this is tried again every {RETRY:?}"
    ))
}

impl Daemon {
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
        self.behind = Some(Instant::now() + RETRY);
        match self.load_anew().await {
            Ok(()) => Ok(()),
            Err(error) if change == ChangeKind::Add => self.take_back(records, request, &error).await,
            Err(error) => Err(not_enforced_yet(&error)),
        }
    }

    /// Changes the generation that runs.
    fn change_live(&mut self, records: &[Record]) -> Result<(), LiveError> {
        if self.behind.is_some() {
            return Err(LiveError::IsBehind);
        }
        for record in records {
            let is_known = self.active_set.record(record.id).is_some();
            let changes = match (record.removed_at, is_known) {
                (Some(_), _) => self.active_set.remove(record.id)?.into_iter().collect(),
                (None, true) => self.active_set.replace(record.clone())?,
                (None, false) => vec![self.active_set.add(record.clone())?],
            };
            let filter = self.enforced.filter().ok_or(LiveError::NoFilter)?;
            for change in &changes {
                filter.apply(change)?;
            }
        }
        Ok(())
    }

    /// Loads the policy that is enforced once more, with the store's exemptions as they are now.
    pub(crate) async fn load_anew(&mut self) -> anyhow::Result<()> {
        let (policy, store) = (Arc::clone(&self.policy), Arc::clone(&self.store));
        let before = self.description.clone();
        let work = spawn_blocking(move || {
            let records = standing(&store)?;
            let mut policy = (*policy).clone();
            let in_file = policy.exemptions_in_file().len();
            policy.exemptions.truncate(in_file);
            policy.exemptions.extend(records.iter().map(exemption));
            anyhow::Ok((PolicyFile::again(policy, &before)?, records))
        });
        let (file, records) = self.meanwhile(work).await??;
        let reused = self.enforced.reusable(&file.compiled)?;
        let options = self.options.clone();
        let work = spawn_blocking(move || load(file, records, &options, &reused));
        let next = self.meanwhile(work).await??;
        self.switch(next).await
    }

    /// Tries again what the kernel did not take.
    pub(crate) async fn catch_up(&mut self) {
        if self.behind.is_some_and(|again| again <= Instant::now()) {
            self.behind = Some(Instant::now() + RETRY);
            match self.load_anew().await {
                Ok(()) => info!("the kernel has the exemptions of the store again"),
                Err(error) => error!("the kernel does not have the exemptions of the store: {error:#}"),
            }
        }
    }

    /// Takes additions back that cannot be enforced, so that the same request can be sent again, to be done.
    async fn take_back(
        &mut self,
        records: &[Record],
        request: Option<RequestKey>,
        error: &anyhow::Error,
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
            .commit(Commit {
                at,
                by,
                reason: Some(reason),
                changes,
                request: None,
                taken_back: request,
            })
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
