//! Starting to enforce: taking over what an earlier process left pinned, with the exemptions of the store.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Instant};

use anyhow::Context as _;
use tracing::{error, info};
use ulid::Generator;

use super::{
    exemptions::active_set::ActiveSet,
    pins,
    prepare::load_with,
    reconcile::{history::LinkHistories, native::NativeRetries, repeats::Repeats},
    state::Enforcer,
    store::SharedStore,
};
use crate::{
    datapath::{Description, Enforced, Filter, LogLevel},
    fault::Faults,
    policy,
    store::{Record, Revision, sqlite},
};

/// Where an enforcer keeps its state, and how it loads filters.
#[derive(Clone, Debug)]
pub(crate) struct TakeoverOptions {
    /// Where the filter is pinned.
    pub(crate) bpffs: PathBuf,
    /// Whether the filter may end with this process.
    pub(crate) no_persist: bool,
    /// Where exemptions are stored.
    pub(crate) state_dir: PathBuf,
    /// What the program logs about single packets.
    pub(crate) datapath_log: LogLevel,
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
    store: SharedStore,
    /// The last revision of the store that was enforced.
    enforced_revision: Revision,
    faults: Faults,
}

impl Takeover {
    /// Locks the pins and opens the store.
    pub(crate) async fn begin(options: &TakeoverOptions) -> anyhow::Result<Self> {
        let faults = Faults::default();
        let datapath = pins::take(&options.bpffs, options.no_persist, &faults).await?;
        if let Some(before) = datapath.description()? {
            info!(
                pins = %options.bpffs.display(),
                version = before.version,
                pid = before.pid,
                policy = %before.policy_file.display(),
                loaded_at = %before.loaded_at,
                "taking over a filter"
            );
        }
        let enforced = datapath.store_revision()?;
        let store_options = sqlite::Options {
            enforced,
            faults: faults.clone(),
        };
        Ok(Self {
            datapath,
            datapath_log: options.datapath_log,
            store: SharedStore::open(&options.state_dir, store_options),
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
        &self.store
    }

    /// Enforces a policy instead of what is pinned. It is loaded in this thread: a thread that is started before the
    /// process drops its privileges keeps them.
    ///
    /// `open_packet_log` gets the filter before it is attached, and may prevent that.
    pub(crate) async fn enforce<L>(
        self,
        mut file: policy::File,
        open_packet_log: impl FnOnce(&mut Filter) -> anyhow::Result<L>,
    ) -> anyhow::Result<(Enforcer, L)> {
        if let Some(before) = self.datapath.description()? {
            file.hold(&before.reached)?;
        }
        let (records, is_unread) = self.first_records()?;
        let reused = self.datapath.reusable(&file.compiled)?;
        let prepared = load_with(file, records, self.datapath_log, &reused)?;
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
            replacements: self.store.progress().replacements(),
            enforced_revision: self.enforced_revision,
            store: self.store,
            ids: Generator::new(),
            test_runner: None,
            retry_at: None,
            lagging: BTreeSet::new(),
            active_set_is_stale: false,
            hold_dates_at: None,
            link_histories: LinkHistories::new(),
            native_retries: NativeRetries::new(),
            ports_listed_at: Instant::now(),
            faults: self.faults,
            reconcile_troubles: Repeats::default(),
        };
        let packet_log = enforcer.switch(prepared, open_packet_log).await?;
        enforcer.retry_at = is_unread.then(Instant::now);
        enforcer.active_set_is_stale = is_unread;
        Ok((enforcer, packet_log))
    }

    /// The records to start with, and whether they could not be read.
    ///
    /// A filter that runs already has them, and a new one without them would block exempt customers: the start fails, and the
    /// old one stays. If no filter runs, one without the records is better than none, and they are read again later.
    fn first_records(&self) -> anyhow::Result<(Vec<Record>, bool)> {
        match self.store.not_removed() {
            Ok(records) => Ok((records, false)),
            Err(error) if self.datapath.description()?.is_some() => {
                Err(error).context("the running filter keeps its exemptions, and no daemon runs")
            }
            Err(error) => {
                error!("ENFORCING WITHOUT THE STORED EXEMPTIONS until they can be read: {error}");
                Ok((Vec::new(), true))
            }
        }
    }
}
