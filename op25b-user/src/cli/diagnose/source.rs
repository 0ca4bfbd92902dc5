//! Where a diagnosis reads: from the daemon, or without one from the disk.

use anyhow::{anyhow, bail};
use jiff::Timestamp;

use crate::{
    api::Exemption,
    cli::{
        daemon::{Response, ask, wait_for},
        exempt::Offline,
        paths::Paths,
    },
    daemon::client::{Client, ClientError, Listing},
    fault::Fault,
    report::Status,
    store::{Operation, OperationQuery, Records as _, ids::Found, sqlite},
};

/// What answers.
pub(super) enum Source {
    /// The daemon.
    Daemon {
        client: Client,
        paths: Paths,
        report: Box<Status>,
    },
    /// The store's file, and the file of the policy that is enforced.
    Disk { offline: Box<Offline>, paths: Paths },
}

impl Source {
    /// The daemon, if one answers.
    pub(super) fn open(paths: &Paths) -> anyhow::Result<Self> {
        match ask(paths, async |client| client.status().await)? {
            Response::Done(report) => Ok(Self::Daemon {
                client: Client::new(&paths.runtime_dir),
                paths: paths.clone(),
                report: Box::new(report),
            }),
            Response::Refused(problem) => Err(anyhow!("{}", problem.detail)),
            Response::NoDaemon => Ok(Self::Disk {
                offline: Box::new(Offline::open(paths)?),
                paths: paths.clone(),
            }),
        }
    }

    pub(super) fn paths(&self) -> &Paths {
        match self {
            Self::Daemon { paths, .. } | Self::Disk { paths, .. } => paths,
        }
    }

    pub(super) fn has_daemon(&self) -> bool {
        matches!(self, Self::Daemon { .. })
    }

    /// The exemptions that match.
    pub(super) fn list(&self, listing: &Listing) -> anyhow::Result<Vec<Exemption>> {
        match self {
            Self::Daemon { client, .. } => Ok(wait_for(client.list(listing))??),
            Self::Disk { offline, .. } => offline.list(listing),
        }
    }

    /// The exemption with an id.
    pub(super) fn show(&self, id: &str) -> anyhow::Result<Option<Exemption>> {
        match self {
            Self::Daemon { client, .. } => match wait_for(client.show(id))? {
                Ok(exemption) => Ok(Some(exemption)),
                Err(ClientError::Refused(problem)) if problem.status == 404 => Ok(None),
                Err(ClientError::Refused(problem)) => bail!("{}", problem.detail),
                Err(error) => Err(error.into()),
            },
            Self::Disk { offline, .. } => match offline.show(id)? {
                Found::One(exemption) => Ok(Some(exemption)),
                Found::None => Ok(None),
                Found::Ambiguous(several) => bail!("{several}"),
            },
        }
    }

    /// What was done to the filter since a time, the newest first. If the daemon does not say, as one of an earlier version, the store
    /// is read, whether or not a daemon writes to it.
    pub(super) fn operations(&self, since: Timestamp, limit: usize) -> anyhow::Result<Vec<Operation>> {
        if let Self::Daemon { client, .. } = self
            && let Ok(list) = wait_for(client.operations(since, limit))?
        {
            return Ok(list.items);
        }
        let query = OperationQuery {
            since: Some(since),
            reads: false,
            limit,
        };
        match sqlite::open_read_only(&self.paths().state_dir)? {
            Some(store) => Ok(store.operations(query)?),
            None => Ok(Vec::new()),
        }
    }

    /// The faults that last; none are known without a daemon.
    pub(super) fn faults(&self) -> Vec<Fault> {
        match self {
            Self::Daemon { report, .. } => report.faults.clone(),
            Self::Disk { .. } => Vec::new(),
        }
    }

    /// What cannot be read, and why.
    pub(super) fn left_out(&self) -> Vec<String> {
        match self {
            Self::Daemon { .. } => Vec::new(),
            Self::Disk { offline, .. } => offline.left_out.clone(),
        }
    }
}
