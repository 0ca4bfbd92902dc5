//! Where a history is read, page by page: from the daemon, or without one from the store's file.

use anyhow::bail;

use super::super::offline::Offline;
use crate::{
    api::{HistoryEntry, HistoryExpiry, Page, Problem},
    cli::{
        daemon::{Response, ask},
        paths::Paths,
        stderr::warn,
    },
    daemon::client::{Client, ClientError, HistoryFilter},
};

/// What answers.
pub(super) struct Source<'a> {
    paths: &'a Paths,
    filter: &'a HistoryFilter,
    /// The store's file, if no daemon runs.
    disk: Option<Offline>,
}

/// A source with the first page of changes, or why there is none.
pub(super) enum Opened<'a> {
    Answered(Source<'a>, Page<HistoryEntry>),
    Refused(Box<Problem>),
}

impl<'a> Source<'a> {
    /// The daemon, if one answers.
    pub(super) fn open(paths: &'a Paths, filter: &'a HistoryFilter) -> anyhow::Result<Opened<'a>> {
        let mut source = Source {
            paths,
            filter,
            disk: None,
        };
        match ask(paths, async |client| client.history(filter, None).await)? {
            Response::Done(page) => Ok(Opened::Answered(source, page)),
            Response::Refused(problem) => Ok(Opened::Refused(problem)),
            Response::NoDaemon => {
                let disk = Offline::open(paths)?;
                disk.say_so();
                source.disk = Some(disk);
                let page = source.changes(None)?;
                Ok(Opened::Answered(source, page))
            }
        }
    }

    /// A page of the changes.
    pub(super) fn changes(&self, after: Option<&str>) -> anyhow::Result<Page<HistoryEntry>> {
        match &self.disk {
            Some(disk) => disk.history(self.filter, after),
            None => self.of_daemon(async |client| client.history(self.filter, after).await),
        }
    }

    /// A page of the expiries that were reached.
    pub(super) fn expiries(&self, after: Option<&str>) -> anyhow::Result<Page<HistoryExpiry>> {
        if let Some(disk) = &self.disk {
            return disk.expiries(self.filter, after);
        }
        self.of_daemon(async |client| match client.expiries(self.filter, after).await {
            // What was asked for exists: it is the path that does not.
            Err(ClientError::Refused(problem)) if problem.status == 404 => {
                warn(&["which exemptions ended is left out: the daemon is of an earlier version".to_owned()]);
                Ok(Page {
                    items: Vec::new(),
                    next: None,
                })
            }
            answer => answer,
        })
    }

    fn of_daemon<T>(&self, request: impl AsyncFnOnce(Client) -> Result<T, ClientError>) -> anyhow::Result<T> {
        match ask(self.paths, request)? {
            Response::Done(page) => Ok(page),
            Response::Refused(problem) => bail!("{}", problem.detail),
            Response::NoDaemon => bail!("the daemon has ended: what is shown is not all"),
        }
    }
}

/// Calls `found` with the items of each page: the first one, and what `next` reads after it.
pub(super) fn each_page<T>(
    first: Page<T>,
    next: impl Fn(&str) -> anyhow::Result<Page<T>>,
    mut found: impl FnMut(Vec<T>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut page = first;
    let mut before = None;
    loop {
        found(page.items)?;
        // A cursor that does not advance would make this loop endless.
        let Some(after) = page.next.filter(|next| before.as_ref() != Some(next)) else {
            return Ok(());
        };
        page = next(&after)?;
        before = Some(after);
    }
}
