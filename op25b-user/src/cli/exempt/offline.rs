//! Reads exemptions while no daemon runs: from the store's file, and from the file of the policy that is enforced.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail, ensure};
use jiff::{Timestamp, tz::TimeZone};
use ulid::Ulid;

use crate::{
    api::{Exemption, HistoryEntry, HistoryExpiry, Page},
    cli::{paths::Paths, policy_file, stderr},
    daemon::client::{HistoryFilter, Listing},
    datapath::{
        discover::{self, Found, FoundFilter},
        pinned_programs,
    },
    exemption::search::Pattern,
    policy::{self, Policy},
    report::exemptions::{self, FileExemptions, Selection},
    store::{HistoryQuery, NoRecords, Records, Texts, ids, sqlite},
    time::Reader,
};

/// The items of a page.
const PAGE: usize = 1000;

/// The sources that can be read.
pub(in crate::cli) struct Offline {
    now: Timestamp,
    store: Box<dyn Records>,
    file: PathBuf,
    /// `None` if no filter runs, or its policy is not known.
    policy: Option<Arc<Policy>>,
    /// What cannot be read, and why.
    pub(in crate::cli) left_out: Vec<String>,
}

impl Offline {
    /// Opens the store and the policy file.
    pub(in crate::cli) fn open(paths: &Paths) -> anyhow::Result<Self> {
        let mut offline = Self::store_only(paths)?;
        match enforced(&paths.bpffs) {
            Ok(Some(file)) => {
                offline.file = file.path;
                offline.policy = Some(Arc::new(file.policy));
            }
            Ok(None) => {}
            Err(why) => offline
                .left_out
                .push(format!("the exemptions of the policy file: {why:#}")),
        }
        Ok(offline)
    }

    /// Opens the store alone.
    pub(super) fn store_only(paths: &Paths) -> anyhow::Result<Self> {
        Ok(Self {
            now: Timestamp::now(),
            store: open(&paths.state_dir)?,
            file: PathBuf::new(),
            policy: None,
            left_out: Vec::new(),
        })
    }

    /// Prints that the output is not from a daemon.
    pub(in crate::cli) fn say_so(&self) {
        stderr::line(format_args!("op25b: no daemon runs; this is read from the disk"));
        for what in &self.left_out {
            stderr::line(format_args!("op25b: left out: {what}"));
        }
    }

    /// The policy that is enforced, and its file; `None` if no filter runs, or the policy is not known.
    pub(in crate::cli) fn policy_file(&self) -> Option<(&Policy, &Path)> {
        Some((self.policy.as_deref()?, &self.file))
    }

    /// The exemptions that match.
    pub(in crate::cli) fn list(&self, listing: &Listing) -> anyhow::Result<Vec<Exemption>> {
        let expiring = listing.expiring.as_deref();
        let time_zone = TimeZone::system();
        let expiring = expiring.map(|time| Reader::new(self.now, &time_zone).until(time));
        let within = listing
            .within
            .as_deref()
            .map(|prefix| prefix.parse().context("not a prefix"));
        let batch = listing.batch.as_deref().map(|batch| self.batch(batch));
        let mut selection = Selection {
            batch: batch.transpose()?,
            texts: Texts {
                customer: pattern(listing.customer.as_deref())?,
                ticket: pattern(listing.ticket.as_deref())?,
                note: pattern(listing.note.as_deref())?,
            },
            expiring_before: expiring.transpose()?,
            within: within.transpose()?,
            all: listing.all,
            after: None,
            limit: PAGE,
        };
        let mut all = Vec::new();
        loop {
            let Page { items, next } = exemptions::list(self.in_file(), &*self.store, &selection, self.now)?;
            all.extend(items);
            match next {
                None => {
                    if let Some(policy) = &self.policy {
                        exemptions::note_force(&mut all, policy);
                    }
                    return Ok(all);
                }
                Some(next) => selection.after = Some(next.parse()?),
            }
        }
    }

    /// One exemption.
    pub(in crate::cli) fn show(&self, id: &str) -> anyhow::Result<ids::Found<Exemption>> {
        Ok(exemptions::find(self.in_file(), &*self.store, id, self.now)?)
    }

    /// The id of the stored exemption that a text names.
    fn stored(&self, id: &str) -> anyhow::Result<Ulid> {
        match ids::find(&*self.store, id)? {
            ids::Found::One(id) => Ok(id),
            ids::Found::None => Err(anyhow!("`{id}` is not the id of a stored exemption")),
            ids::Found::Ambiguous(ambiguous) => Err(anyhow!("{ambiguous}")),
        }
    }

    /// The import that a text names.
    fn batch(&self, batch: &str) -> anyhow::Result<Ulid> {
        match ids::find_batch(&*self.store, batch)? {
            ids::Found::One(id) => Ok(id),
            ids::Found::None => Err(anyhow!("no import has the id `{batch}`")),
            ids::Found::Ambiguous(ambiguous) => Err(anyhow!("{ambiguous}")),
        }
    }

    /// A page of the history.
    pub(super) fn history(
        &self,
        filter: &HistoryFilter,
        after: Option<&str>,
    ) -> anyhow::Result<Page<HistoryEntry>> {
        let query = self.history_query(filter, after)?;
        Ok(exemptions::history(&*self.store, &query, self.now)?)
    }

    /// A page of the expiries.
    pub(super) fn expiries(
        &self,
        filter: &HistoryFilter,
        after: Option<&str>,
    ) -> anyhow::Result<Page<HistoryExpiry>> {
        let query = self.history_query(filter, after)?;
        Ok(exemptions::expiries(&*self.store, &query, self.now)?)
    }

    fn history_query(&self, filter: &HistoryFilter, after: Option<&str>) -> anyhow::Result<HistoryQuery> {
        let of = filter.id.as_deref().map(|id| self.stored(id));
        let batch = filter.batch.as_deref().map(|batch| self.batch(batch));
        Ok(HistoryQuery {
            of: of.transpose()?,
            batch: batch.transpose()?,
            customer: pattern(filter.customer.as_deref())?,
            since: filter.since,
            until: filter.until,
            after: after.map_or(Ok(0), str::parse)?,
            limit: PAGE,
        })
    }
}

impl Offline {
    fn in_file(&self) -> FileExemptions<'_> {
        FileExemptions {
            file: &self.file,
            lists: self.policy.as_ref().map_or(&[], |policy| &policy.lists),
            exemptions: self.policy.as_ref().map_or(&[], |policy| &policy.exemptions),
        }
    }
}

/// What is searched for.
fn pattern(text: Option<&str>) -> anyhow::Result<Option<Pattern>> {
    text.map(|text| Pattern::new(text).context("a text to search for is empty"))
        .transpose()
}

/// The store; an empty one if it does not exist in its directory.
fn open(state_dir: &Path) -> anyhow::Result<Box<dyn Records>> {
    Ok(match sqlite::open_read_only(state_dir)? {
        Some(store) => Box::new(store),
        None if !state_dir.is_dir() => bail!(
            "no daemon runs, and {} (--state-dir), where it would keep exemptions, does not exist",
            state_dir.display()
        ),
        None => Box::new(NoRecords),
    })
}

/// The policy file that the running filter was loaded from; `None` if no filter runs.
fn enforced(bpffs: &Path) -> anyhow::Result<Option<policy::File>> {
    let Found { filters, unreadable } = discover::find()?;
    let pinned = pinned_programs(bpffs)
        .with_context(|| format!("cannot read what is pinned at {}", bpffs.display()))?;
    let is_pinned = |filter: &FoundFilter| {
        let mut programs = filter.interfaces.iter().map(|interface| interface.program_id);
        programs.any(|program| pinned.contains(&program))
    };
    let Some(filter) = filters.into_iter().find(is_pinned) else {
        // An unreadable filter may be the one that is pinned.
        ensure!(
            unreadable.is_empty(),
            "the running filter was loaded by another version of op25b"
        );
        return Ok(None);
    };
    let description = filter.description;
    let path = &description.policy_file;
    let file = policy_file::read(path)?;
    ensure!(
        file.sha256 == description.policy_sha256,
        "{} has been changed since it was loaded",
        path.display()
    );
    Ok(Some(file))
}
