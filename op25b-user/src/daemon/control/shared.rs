//! The state that the routes share, and what the daemon publishes to them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    followers::Followers,
    limits,
    names::Names,
    rates::SharedReadings,
    reads::{OpenReader, Readers},
    requests::Queue,
};
use crate::{
    api::{Problem, ProblemKind},
    daemon::{
        alerts::Feed,
        events::scrapes::Scrape,
        newest::Hub,
        request::{Question, Request},
    },
    policy::{Policy, ReachedDates},
    report::{ComparedFile, DaemonReport, Event, KnownInterface, exemptions::FileExemptions},
    store::Operation,
};

/// The state that the daemon publishes to clients.
pub(in crate::daemon) struct View {
    /// The daemon's report.
    pub(in crate::daemon) report: DaemonReport,
    /// Where the filter is pinned.
    pub(in crate::daemon) pins: PathBuf,
    /// The dates of pools that were reached.
    pub(in crate::daemon) reached: ReachedDates,
    /// What is known of the policy's interfaces besides what the kernel reports.
    pub(in crate::daemon) interfaces: Vec<KnownInterface>,
    /// The policy that is enforced.
    pub(in crate::daemon) policy: Arc<Policy>,
}

/// The newest of what clients wait for.
#[derive(Clone, Default)]
pub(in crate::daemon) struct Newest {
    /// Events of packets.
    pub(in crate::daemon) events: Hub<Event>,
    /// Alerts about subscribers.
    pub(in crate::daemon) alerts: Feed,
}

/// What the routes share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) requests: Queue<Request>,
    pub(super) questions: Queue<Question>,
    pub(super) view: watch::Receiver<Option<Arc<View>>>,
    pub(super) scrapes: mpsc::Sender<Scrape>,
    pub(super) readers: Readers,
    /// The policy file as it was compared with what is enforced last.
    pub(super) compared_file: ComparedFile,
    pub(super) names: Names,
    pub(super) newest: Newest,
    pub(super) followers: Followers,
    /// Places for those who wait for events or alerts.
    waiting: Arc<Semaphore>,
    /// The readings that rates are measured with.
    pub(super) readings: SharedReadings,
    /// One import at a time: each may take much memory.
    imports: Arc<Semaphore>,
}

impl Newest {
    pub(in crate::daemon) fn new(events: Hub<Event>, alerts: Feed) -> Self {
        Self { events, alerts }
    }
}

impl Shared {
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        questions: mpsc::Sender<Question>,
        view: watch::Receiver<Option<Arc<View>>>,
        open_reader: OpenReader,
        scrapes: mpsc::Sender<Scrape>,
        newest: Newest,
    ) -> Self {
        Self {
            requests: Queue(requests),
            questions: Queue(questions),
            view,
            scrapes,
            readers: Readers::new(open_reader),
            compared_file: ComparedFile::default(),
            names: Names::default(),
            newest,
            followers: Followers::default(),
            waiting: Arc::new(Semaphore::new(limits::WAITING)),
            readings: SharedReadings::default(),
            imports: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits until no other import runs.
    pub(super) async fn import_turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match timeout(limits::TURN, Arc::clone(&self.imports).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Problem::busy("another import is running; try again")),
        }
    }

    /// A place among those who wait for events or alerts, if one is free.
    pub(super) fn waiting_place(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.waiting).try_acquire_owned()
    }

    /// Has the event loop read something of the filter; nothing if it cannot, or not in time.
    pub(super) async fn scrape<T>(
        &self,
        time: Duration,
        scrape: impl FnOnce(oneshot::Sender<T>) -> Scrape,
    ) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        let scraped = async {
            self.scrapes.send(scrape(answer)).await.ok()?;
            answered.await.ok()
        };
        match timeout(time, scraped).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Problem::busy(
                "the filter cannot be read now; see the daemon's log",
            )),
            Err(_) => Err(Problem::new(
                ProblemKind::Timeout,
                "the daemon did not answer in time; try again",
            )),
        }
    }

    /// Has an operation recorded that was done beside the daemon's queue.
    pub(super) async fn note(&self, operation: Operation) -> Result<(), Problem> {
        self.scrape(limits::TURN, |answer| Scrape::Note(operation, answer))
            .await
    }

    /// The daemon's state directory.
    pub(super) fn state_dir(&self) -> Result<PathBuf, Problem> {
        let state_dir = self.view()?.report.state_dir.clone();
        state_dir.ok_or_else(|| Problem::internal("the daemon does not know its state directory"))
    }

    /// The state that was published last.
    pub(super) fn view(&self) -> Result<Arc<View>, Problem> {
        let view = self.view.borrow().clone();
        view.ok_or_else(|| Problem::busy("the daemon does not enforce a policy yet"))
    }
}

impl View {
    /// The daemon's report, with the state of the interfaces as the kernel shows it now.
    pub(super) fn report_now(&self) -> DaemonReport {
        let mut report = self.report.clone();
        report.ask_kernel(&self.interfaces, &self.pins);
        report
    }

    /// Refuses a pool that the policy does not have, if one is asked for.
    pub(super) fn check_pool(&self, pool: Option<&str>) -> Result<(), Problem> {
        let Some(pool) = pool else {
            return Ok(());
        };
        let names: Vec<_> = self.policy.pools.iter().map(|pool| pool.name.as_str()).collect();
        if names.contains(&pool) {
            return Ok(());
        }
        Err(Problem::invalid(format!(
            "the policy has no pool {pool:?}; its pools are {}",
            names.join(", ")
        )))
    }

    /// The exemptions of the policy file and its lists.
    pub(super) fn in_file(&self) -> FileExemptions<'_> {
        FileExemptions {
            file: &self.report.policy_file,
            lists: &self.policy.lists,
            exemptions: &self.policy.exemptions,
        }
    }
}
