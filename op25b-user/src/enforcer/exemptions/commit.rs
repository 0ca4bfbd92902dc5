//! Writing changes to the store, and reading from it, on a disk that may hang.

use std::time::Duration;

use jiff::Timestamp;

use super::{refusal::Refusal, requester::Requester};
use crate::{
    enforcer::{
        host::{Host, WaitError},
        stall::Turn,
        state::Enforcer,
    },
    store::{Change, Commit, Record, Store},
};

/// How long a call of the store may take: a disk that has not answered by then hangs.
const TIME: Duration = Duration::from_secs(10);
/// How much longer for each change of a commit: those of a large import take a while.
const TIME_FOR_A_CHANGE: Duration = Duration::from_millis(1);

/// What a call of the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It changes nothing.
    Read,
    /// It writes so many changes.
    Write(u32),
}

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
        let changes = u32::try_from(commit.changes.len()).unwrap_or(u32::MAX);
        Ok(self
            .with_store(Access::Write(changes), host, move |store| store.commit(&commit))
            .await??)
    }

    /// Uses the store, which may wait for the disk, in another thread.
    ///
    /// If the disk does not answer in time, the call goes on. What it did is known when it returns: the kernel follows then.
    pub(super) async fn with_store<T: Send + 'static>(
        &mut self,
        access: Access,
        host: &mut impl Host,
        work: impl FnOnce(&mut dyn Store) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.check_disk().map_err(Refusal::Stalled)?;
        let limit = match access {
            Access::Read => TIME,
            Access::Write(changes) => TIME + TIME_FOR_A_CHANGE * changes,
        };
        let (store, turn) = (self.store.clone(), Turn::default());
        let started = host.start({
            let turn = turn.clone();
            move || store.with(&turn, work)
        });
        let mut running = started.map_err(|error| not_begun(&error))?;
        let error = match host.wait(self, &mut running, Some(limit)).await {
            Ok(done) => return done.map_err(|error| Refusal::Broken(error.to_owned())),
            Err(error) => error,
        };
        let has_begun = !turn.cancel();
        let refusal = match (&error, access) {
            (WaitError::Failed(_), _) => return Err(Refusal::Broken(format!("cannot use the store: {error}"))),
            (WaitError::Late(_), Access::Write(_)) if has_begun => Refusal::Unanswered(format!(
                "the disk of the exemption store has not answered within {limit:?}: the change may be stored or not, which is known \
                 when the disk answers, and the kernel follows then; repeat the request with the same Idempotency-Key"
            )),
            (WaitError::Stopping, Access::Write(_)) if has_begun => Refusal::Unanswered(
                "the daemon is stopping, and the disk of the exemption store has not answered: the change may be stored or not, \
                 and the next start enforces what is stored; repeat the request with the same Idempotency-Key"
                    .to_owned(),
            ),
            (WaitError::Stopping, _) => return Err(not_begun(&error)),
            (WaitError::Late(_), _) => {
                Refusal::Stalled(format!("the disk of the exemption store has not answered within {limit:?}"))
            }
        };
        self.note_stall(limit, move || running.is_finished());
        Err(refusal)
    }
}

/// Why a call of the store was not begun, or was given up before it did anything.
fn not_begun(error: &WaitError) -> Refusal {
    Refusal::Stopping(error.to_string())
}
