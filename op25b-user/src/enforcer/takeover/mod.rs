//! Starting to enforce: taking over what an earlier process left pinned, with the exemptions of the store.

use std::{
    collections::BTreeSet,
    mem,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::{sync::oneshot::error::RecvError, time::timeout};
use tracing::{error, info};
use ulid::Generator;

mod other_store;

use self::other_store::StoreAtStart;
use super::{
    exemptions::active_set::ActiveSet,
    live_records::LiveRecords,
    pauses::{PausedAt, log_ended},
    pins,
    prepare::{NewInterfaces, load_with},
    reconcile::{history::LinkHistories, native::NativeRetries, repeats::Repeats, settings::SettingWarnings},
    stall::Stalls,
    state::Enforcer,
    store::{Opening, SharedStore},
};
use crate::{
    datapath::{Description, Directories, Enforced, Filter, LoadedBy, LogLevel},
    fault::{FaultKind, Faults},
    policy::{self, Policy},
    store::{Record, Revision, StoreError, sqlite},
};

/// How long the disk of the store may keep the filter off.
const STORE_TIME: Duration = Duration::from_secs(4);
/// How long it may take until the next record is read.
const PROGRESS_TIME: Duration = Duration::from_secs(1);

/// Where an enforcer keeps its state, and how it loads filters.
#[derive(Clone, Debug)]
pub(crate) struct TakeoverOptions {
    /// Where the filter is pinned.
    pub(crate) bpffs: PathBuf,
    /// Whether the filter may end with this process.
    pub(crate) no_persist: bool,
    /// Where the control socket is.
    pub(crate) runtime_dir: PathBuf,
    /// Where exemptions are stored.
    pub(crate) state_dir: PathBuf,
    /// The state directory whose filter is to be taken over, although its store is not the one in `state_dir`.
    pub(crate) previous_state_dir: Option<PathBuf>,
    /// What the program logs about single packets.
    pub(crate) datapath_log: LogLevel,
    /// Called in a thread that is started before the process drops its privileges: the thread would keep them.
    pub(crate) begin_thread: fn(),
    /// Called again and again while the start waits, with what it waits for.
    pub(crate) report_waiting: fn(&str),
}

/// The policy that a pinned filter enforces.
pub(crate) enum RunningPolicy {
    /// No pinned filter runs.
    None,
    /// One runs.
    Described(Box<Description>),
    /// One runs, whose description this op25b cannot read.
    Unreadable,
}

/// The pins and the store, held by this process before it enforces anything.
pub(crate) struct Takeover {
    datapath: Enforced,
    datapath_log: LogLevel,
    directories: Option<Directories>,
    opening: Opening,
    opened_at: Instant,
    report_waiting: fn(&str),
    /// The last revision of the store that was enforced.
    enforced_revision: Revision,
    faults: Faults,
}

/// What the thread that opens the store answers.
type FirstAnswer = Result<Result<Vec<Record>, StoreError>, RecvError>;

/// What the store has at a start.
enum FirstRecords {
    Read(Vec<Record>),
    /// They cannot be read now.
    Unread,
    /// The disk does not answer, and the call goes on.
    Stalled,
}

impl Takeover {
    /// Locks the pins and opens the store.
    pub(crate) async fn begin(options: &TakeoverOptions) -> anyhow::Result<Self> {
        let faults = Faults::default();
        let datapath = pins::take(&options.bpffs, options.no_persist, &faults).await?;
        let mut enforced = datapath.store_revision()?;
        if let Some(before) = datapath.description()? {
            if let Some(recorded) = &before.directories {
                let store = StoreAtStart {
                    recorded,
                    enforced,
                    given: &options.state_dir,
                    previous: options.previous_state_dir.as_deref(),
                };
                enforced = store.enforced_revision(options.begin_thread)?;
            }
            info!(
                pins = %options.bpffs.display(),
                version = before.version,
                pid = before.pid,
                policy = %before.policy_file.display(),
                loaded_at = %before.loaded_at,
                "taking over a filter"
            );
        }
        let store_options = sqlite::Options {
            enforced,
            faults: faults.clone(),
        };
        Ok(Self {
            datapath,
            datapath_log: options.datapath_log,
            directories: Directories::new(&options.bpffs, &options.runtime_dir, &options.state_dir),
            opened_at: Instant::now(),
            opening: SharedStore::open(&options.state_dir, store_options, options.begin_thread)
                .context("cannot start a thread to open the exemption store")?,
            report_waiting: options.report_waiting,
            enforced_revision: enforced,
            faults,
        })
    }

    /// The faults that last.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What runs.
    pub(crate) fn running_policy(&self) -> anyhow::Result<RunningPolicy> {
        if !self.datapath.runs_somewhere()? {
            return Ok(RunningPolicy::None);
        }
        let description = self.datapath.description()?;
        Ok(description.map_or(RunningPolicy::Unreadable, |description| {
            RunningPolicy::Described(Box::new(description))
        }))
    }

    /// The store.
    pub(crate) fn store(&self) -> &SharedStore {
        &self.opening.store
    }

    /// Enforces a policy instead of what is pinned. It is loaded in this thread: a thread that is started before the
    /// process drops its privileges keeps them.
    ///
    /// `open_readers` gets the filter before it is attached, and may prevent that.
    pub(crate) async fn enforce<R>(
        mut self,
        mut file: policy::File,
        loaded_by: LoadedBy,
        new_interfaces: NewInterfaces,
        open_readers: impl FnOnce(&mut Filter, &Arc<Policy>) -> anyhow::Result<R>,
    ) -> anyhow::Result<(Enforcer, R)> {
        let mut pauses = mem::take(&mut file.pauses);
        if let Some(before) = self.datapath.description()? {
            file.hold(&before.reached)?;
            // What the state directory has may be older, or later: a pause is kept there before it is loaded.
            if before.pauses.revision >= pauses.revision {
                pauses = before.pauses;
            }
        }
        let now = Timestamp::now();
        pauses.retain(|pause| pause.is_in_force(now));
        log_ended(&file.pause(pauses)?);
        let first = self.first_records().await?;
        let is_unread = !matches!(first, FirstRecords::Read(_));
        let mut stalls = Stalls::default();
        let Opening { store, thread, .. } = self.opening;
        let records = match first {
            FirstRecords::Read(records) => records,
            FirstRecords::Unread => Vec::new(),
            FirstRecords::Stalled => {
                stalls.note(move || thread.is_finished());
                Vec::new()
            }
        };
        let reused = self.datapath.reusable(&file.compiled)?;
        let directories = self.directories.map(|directories| Directories {
            store: store.progress().identity(),
            ..directories
        });
        let mut prepared = load_with(file, loaded_by, directories, records, self.datapath_log, &reused)?;
        prepared.new_interfaces = new_interfaces;
        let mut enforcer = Enforcer {
            datapath: self.datapath,
            datapath_log: self.datapath_log,
            description: prepared.description.clone(),
            active_set: ActiveSet::new(
                Arc::clone(&prepared.policy),
                Vec::new(),
                Vec::new(),
                prepared.compiled_at,
            ),
            replacements: store.progress().replacements(),
            enforced_revision: self.enforced_revision,
            store,
            stalls,
            ids: Generator::new(),
            asker: None,
            retry_at: None,
            lagging: BTreeSet::new(),
            active_set_is_stale: false,
            hold_dates_at: None,
            has_live_dates: false,
            paused_at: PausedAt::now(),
            end_pauses_at: None,
            link_histories: LinkHistories::new(),
            native_retries: NativeRetries::new(),
            setting_warnings: SettingWarnings::new(),
            ports_listed_at: Instant::now(),
            faults: self.faults,
            live_records: LiveRecords::default(),
            reconcile_troubles: Repeats::default(),
        };
        let (readers, _) = enforcer.switch(prepared, open_readers)?;
        enforcer.retry_at = is_unread.then(Instant::now);
        enforcer.active_set_is_stale = is_unread;
        Ok((enforcer, readers))
    }

    /// The records to start with.
    ///
    /// A filter that runs already has them, and a new one without them would block exempt customers. If they cannot be read, the
    /// start fails and the old one stays; if the disk does not answer, the old one stays until it does. If no filter runs, one
    /// without the records is better than none, and they are read again later.
    async fn first_records(&mut self) -> anyhow::Result<FirstRecords> {
        let runs = self.datapath.runs_somewhere()?;
        let answer = match self.read_in_time().await {
            Some(answer) => answer,
            None if runs => self.wait_for_disk().await,
            None => {
                let state = format!(
                    "the disk of the exemption store has not answered within {STORE_TIME:?}: ENFORCING WITHOUT THE STORED \
                     EXEMPTIONS until it does"
                );
                self.faults.raise(FaultKind::StoreStalled, &state);
                self.faults.raise(FaultKind::StoreUnread, state);
                return Ok(FirstRecords::Stalled);
            }
        };
        let records: Result<_, StoreError> =
            answer.context("the thread that opens the exemption store failed")?;
        match records {
            Ok(records) => Ok(FirstRecords::Read(records)),
            Err(error) if runs => {
                Err(error).context("the running filter keeps its exemptions, and no daemon runs")
            }
            Err(error) => {
                self.faults.raise(
                    FaultKind::StoreUnread,
                    format!("ENFORCING WITHOUT THE STORED EXEMPTIONS until they can be read: {error}"),
                );
                Ok(FirstRecords::Unread)
            }
        }
    }

    /// What the thread that opens the store answers in time. Reading very many records may take longer than a disk that hangs may:
    /// it goes on as long as some are read each second.
    async fn read_in_time(&mut self) -> Option<FirstAnswer> {
        loop {
            let before = self.opening.store.progress().rows();
            if let Ok(answer) = timeout(PROGRESS_TIME, &mut self.opening.records).await {
                return Some(answer);
            }
            let is_read = self.opening.store.progress().rows() > before;
            if self.opened_at.elapsed() >= STORE_TIME && !is_read {
                return None;
            }
        }
    }

    /// Waits for the disk while the filter of an earlier process enforces.
    async fn wait_for_disk(&mut self) -> FirstAnswer {
        let state = "the disk of the exemption store does not answer: the running filter goes on with its exemptions, and the \
                     daemon waits";
        error!("{state}");
        loop {
            (self.report_waiting)(state);
            if let Ok(answer) = timeout(STORE_TIME, &mut self.opening.records).await {
                info!("the disk of the exemption store answers again");
                return answer;
            }
        }
    }
}
