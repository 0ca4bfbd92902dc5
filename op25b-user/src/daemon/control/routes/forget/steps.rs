//! The steps in which something is forgotten. What they have removed is recorded, also if one of them fails.

use std::path::{Path, PathBuf};

use axum::Json;
use tokio::time::timeout;
use tracing::warn;

use super::super::super::{
    limits,
    shared::{Newest, Shared},
};
use crate::{
    api::{Forgotten, Problem},
    counted::counted,
    daemon::{events::scrapes::Scrape, request::Caller},
    report::{self, FilterRecords},
    state_dir::{AuditKey, forget_detached},
    store::{
        Deleted, Operation, OperationKind, StoreError, activity::Forget, notices::Notices, sessions::Sessions,
    },
};

/// What was forgotten so far.
pub(super) struct Steps<'s> {
    shared: &'s Shared,
    state_dir: PathBuf,
    forgotten: Forgotten,
}

impl<'s> Steps<'s> {
    /// Begins. Without a digest nothing would say what was removed, so that nothing is.
    pub(super) async fn of(
        shared: &'s Shared,
        digest: impl FnOnce(&AuditKey) -> String + Send + 'static,
    ) -> Result<Self, Problem> {
        let state_dir = shared.state_dir()?;
        let of = state_dir.clone();
        let digest = in_thread(shared, move || Ok(digest(&AuditKey::of(&of)?))).await?;
        Ok(Self {
            shared,
            state_dir,
            forgotten: Forgotten {
                digest,
                ..Forgotten::default()
            },
        })
    }

    /// Reads something in the state directory.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let state_dir = self.state_dir.clone();
        in_thread(self.shared, move || Ok(read(&state_dir)?)).await
    }

    /// Removes what subscribers did: from the kernel, from what was kept of detached filters, and from the history.
    pub(super) async fn activity(&mut self, forget: Vec<Forget>) -> Result<(), Problem> {
        if forget.is_empty() {
            return Ok(());
        }
        let records = self.shared.scrape(limits::TURN, Scrape::Records).await?;
        (self.forgotten.events, self.forgotten.alerts) = self.newest(&forget)?;
        let (of_kernel, state_dir) = (forget.clone(), self.state_dir.clone());
        let work = move || remove(records, &state_dir, &of_kernel);
        (self.forgotten.records, self.forgotten.rows) = in_thread(self.shared, work).await?;
        let forgotten = self
            .shared
            .scrape(limits::ANSWER, |answer| Scrape::Forget(forget, answer));
        let deleted = forgotten.await?.map_err(|why| {
            Problem::internal(format!(
                "the records of the kernel are removed, and the history is not: {why}"
            ))
        })?;
        self.forgotten.history = self.add(deleted, "the history");
        Ok(())
    }

    /// Removes the events and the alerts that are kept in memory; returns how many of each.
    fn newest(&self, forget: &[Forget]) -> Result<(u64, u64), Problem> {
        let forgotten = report::Forgotten::of(forget)
            .map_err(|error| Problem::internal(format!("cannot read the clocks: {error}")))?;
        let Newest { events, alerts } = &self.shared.newest;
        let events = events.forget(|event| {
            let subscriber = event.subscriber();
            subscriber.is_some_and(|address| forgotten.has(address.into(), event.time, event.time))
        });
        let alerts = alerts
            .hub
            .forget(|alert| forgotten.has(alert.subscriber, alert.first_seen, alert.last_seen));
        Ok((events as u64, alerts as u64))
    }

    /// Removes sessions.
    pub(super) async fn sessions(
        &mut self,
        remove: impl FnOnce(&mut Sessions) -> Result<Deleted, StoreError> + Send + 'static,
    ) -> Result<(), Problem> {
        let open = |state_dir: &Path| {
            let opened = Sessions::open_existing(state_dir)?;
            Ok(opened.map(|opened| (opened.sessions, opened.lost)))
        };
        self.forgotten.sessions = self.rows(open, remove, "the sessions").await?;
        Ok(())
    }

    /// Removes notices.
    pub(super) async fn notices(
        &mut self,
        remove: impl FnOnce(&mut Notices) -> Result<Deleted, StoreError> + Send + 'static,
    ) -> Result<(), Problem> {
        let open = |state_dir: &Path| {
            let opened = Notices::open_existing(state_dir)?;
            Ok(opened.map(|opened| (opened.notices, opened.lost)))
        };
        self.forgotten.notices = self.rows(open, remove, "the notices").await?;
        Ok(())
    }

    /// Removes rows of a database, if there is one; `open` says as well what of it is lost. Returns how many.
    async fn rows<D>(
        &mut self,
        open: impl FnOnce(&Path) -> Result<Option<(D, Option<StoreError>)>, StoreError> + Send + 'static,
        remove: impl FnOnce(&mut D) -> Result<Deleted, StoreError> + Send + 'static,
        of: &str,
    ) -> Result<u64, Problem> {
        let work = move |state_dir: &Path| match open(state_dir)? {
            Some((mut database, lost)) => Ok((remove(&mut database)?, lost)),
            None => Ok((Deleted::default(), None)),
        };
        let (deleted, lost) = self.read(work).await?;
        self.warn_lost(lost);
        Ok(self.add(deleted, of))
    }

    /// Warns that a database was damaged, and was removed.
    fn warn_lost(&mut self, lost: Option<StoreError>) {
        if let Some(lost) = lost {
            warn!("{lost}; it was removed, and another one begins");
            self.forgotten
                .warnings
                .push(format!("{lost}; all of it was removed"));
        }
    }

    /// Counts what was removed, and warns of what a reader holds.
    fn add(&mut self, deleted: Deleted, of: &str) -> u64 {
        if deleted.is_in_log {
            self.forgotten.warnings.push(format!(
                "the log of {of} has it as long as another process reads them: the daemon empties it within half an hour"
            ));
        }
        deleted.rows
    }

    /// Records what was removed, and responds.
    pub(super) async fn note(
        self,
        removed: Result<(), Problem>,
        caller: Caller,
        reason: String,
        of: &str,
    ) -> Result<Json<Forgotten>, Problem> {
        let Forgotten {
            records,
            rows,
            events,
            alerts,
            history,
            sessions,
            notices,
            digest,
            ..
        } = &self.forgotten;
        let counts = [
            (records, "record of the kernel"),
            (rows, "row of detached filters"),
            (events, "event"),
            (alerts, "alert"),
            (history, "row of the history"),
            (sessions, "session"),
            (notices, "notice"),
        ];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| **count > 0)
            .map(|(count, what)| counted(usize::try_from(*count).unwrap_or(usize::MAX), what))
            .collect();
        let counts = if counts.is_empty() {
            "nothing".to_owned()
        } else {
            counts.join(", ")
        };
        let failed = match &removed {
            Ok(()) => String::new(),
            Err(problem) => format!("; not all of it: {}", problem.detail),
        };
        let operation = Operation::now(OperationKind::Forget, caller.actor)
            .with_detail(format!("{counts}{failed}; the digest of the {of} is {digest}"));
        let operation = Operation {
            reason: Some(reason),
            ..operation
        };
        let noted = self.shared.note(operation).await;
        removed?;
        noted?;
        Ok(Json(self.forgotten))
    }
}

/// Removes records from the kernel and from what was kept of detached filters; returns how many of each.
fn remove(mut filter: FilterRecords, state_dir: &Path, forget: &[Forget]) -> anyhow::Result<(u64, u64)> {
    let forgotten = report::Forgotten::of(forget)?;
    let erased = filter
        .records
        .erase(|net, record| forgotten.erasure(net, record))?;
    let rows = forget_detached(state_dir, |net, first, last| forgotten.has(net, first, last))?;
    Ok((erased.whole, rows))
}

/// Does something in a thread that may wait for the disk.
async fn in_thread<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let Ok(done) = timeout(limits::ANSWER, shared.readers.work(work)).await else {
        return Err(Problem::store_unavailable(
            "the disk of the state directory does not answer; what is enforced is not affected",
        ));
    };
    done?.map_err(|error| Problem::internal(format!("{error:#}")))
}
