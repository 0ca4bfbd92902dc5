//! Writes to the state directory what a later start may need. No disk delays the daemon: a thread writes, and a failure is a fault.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::{
    sync::oneshot::{self, Receiver, error::TryRecvError},
    task::spawn_blocking,
};
use tracing::warn;

use crate::{
    fault::{FaultKind, Faults},
    policy::{self, ReachedDates},
    state_dir::{self, KeptList, LastGood, Origin},
};

/// How long after a failure the next attempt is.
const RETRY: Duration = Duration::from_mins(1);
/// How often it is examined whether what was written is still there.
const EXAMINE: Duration = Duration::from_secs(10);
/// A write that takes longer than this is a fault.
const SLOW: Duration = Duration::from_secs(30);

/// What is written, the last of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Policy,
    Dates,
    Clock,
}

/// Something to write.
#[derive(Clone)]
enum Item {
    /// The policy that is enforced.
    Policy(Arc<KeptPolicy>),
    /// The dates of pools that were reached.
    Dates(ReachedDates),
    /// The clock.
    Clock(Timestamp),
}

/// The texts of a policy file and of its lists.
pub(super) struct PolicyText {
    path: PathBuf,
    sha256: String,
    opened: Arc<File>,
    lists: Vec<(KeptList, Arc<File>)>,
}

/// A policy with the open files of its texts.
struct KeptPolicy {
    origin: Origin,
    opened: Arc<File>,
    /// In the order of the origin's.
    lists: Vec<Arc<File>>,
}

impl PolicyText {
    /// The texts of a policy; none for the last good policy, which is kept already.
    pub(super) fn of(file: &policy::File) -> Option<Self> {
        let lists = file.lists.iter().map(|list| {
            let kept = KeptList {
                name: list.name.clone(),
                sha256: list.sha256.clone()?,
            };
            Some((kept, Arc::clone(list.opened.as_ref()?)))
        });
        Some(Self {
            lists: lists.collect::<Option<_>>()?,
            path: file.path.clone(),
            sha256: file.sha256.clone(),
            opened: Arc::clone(file.opened.as_ref()?),
        })
    }
}

/// An item that is to be written, in any case or only if its file is missing.
struct Work {
    item: Item,
    only_if_missing: bool,
}

/// What could not be written, and why.
type Failures = Vec<(Work, anyhow::Error)>;

/// A thread that writes.
struct Writing {
    since: Instant,
    failures: Receiver<Failures>,
}

/// What is to be written, and the thread that writes.
pub(super) struct Keeper {
    state_dir: PathBuf,
    faults: Faults,
    pending: BTreeMap<Kind, Work>,
    /// What must not be missing.
    needed: BTreeMap<Kind, Item>,
    writing: Option<Writing>,
    not_before: Instant,
    examine_at: Instant,
    /// The dates that are kept, or pending.
    dates: ReachedDates,
}

impl Keeper {
    /// `dates` are those that are kept.
    pub(super) fn new(state_dir: &Path, faults: Faults, dates: ReachedDates) -> Self {
        let needed = (dates != ReachedDates::default()).then(|| (Kind::Dates, Item::Dates(dates.clone())));
        Self {
            state_dir: state_dir.to_owned(),
            faults,
            pending: BTreeMap::new(),
            needed: needed.into_iter().collect(),
            writing: None,
            not_before: Instant::now(),
            examine_at: Instant::now(),
            dates,
        }
    }

    /// Keeps a policy that is enforced now.
    pub(super) fn keep_policy(&mut self, text: Option<PolicyText>) {
        let Some(PolicyText {
            path,
            sha256,
            opened,
            lists,
        }) = text
        else {
            return;
        };
        let (kept, lists) = lists.into_iter().unzip();
        let origin = Origin {
            sha256,
            enforced_at: Timestamp::now(),
            policy_file: path,
            lists: kept,
        };
        self.keep(Item::Policy(Arc::new(KeptPolicy {
            origin,
            opened,
            lists,
        })));
    }

    /// Keeps the dates of pools that were reached, if others are kept.
    pub(super) fn keep_dates(&mut self, dates: &ReachedDates) {
        if self.dates != *dates {
            self.dates.clone_from(dates);
            self.keep(Item::Dates(dates.clone()));
        }
    }

    /// Keeps a record of the clock.
    pub(super) fn keep_clock(&mut self, now: Timestamp) {
        self.keep(Item::Clock(now));
    }

    fn keep(&mut self, item: Item) {
        let kind = item.kind();
        if kind != Kind::Clock {
            self.needed.insert(kind, item.clone());
        }
        let work = Work {
            item,
            only_if_missing: false,
        };
        self.pending.insert(kind, work);
        self.not_before = Instant::now();
    }

    /// Has what is needed written again if another process removed it.
    fn examine(&mut self, now: Instant) {
        if now < self.examine_at {
            return;
        }
        self.examine_at = now + EXAMINE;
        for (kind, item) in &self.needed {
            self.pending.entry(*kind).or_insert_with(|| Work {
                item: item.clone(),
                only_if_missing: true,
            });
        }
    }

    /// Starts writing what is pending, and evaluates what was written. The daemon calls this every second.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if let Some(Writing { since, failures }) = &mut self.writing {
            match failures.try_recv() {
                Ok(failures) => self.written(failures, now),
                Err(TryRecvError::Closed) => self.writing = None,
                Err(TryRecvError::Empty) if now - *since > SLOW => {
                    let dir = self.state_dir.display();
                    let message =
                        format!("the disk of {dir} does not answer: the state of op25b is not kept");
                    self.faults.raise(FaultKind::StateNotKept, message);
                }
                Err(TryRecvError::Empty) => {}
            }
        }
        self.examine(now);
        if self.writing.is_none() && !self.pending.is_empty() && now >= self.not_before {
            let works = std::mem::take(&mut self.pending);
            let dir = self.state_dir.clone();
            let (sender, failures) = oneshot::channel();
            spawn_blocking(move || {
                let failed = works.into_values().filter_map(|work| {
                    let error = work.write(&dir).err()?;
                    Some((work, error))
                });
                // The daemon may have ended.
                let _ = sender.send(failed.collect());
            });
            self.writing = Some(Writing { since: now, failures });
        }
    }

    fn written(&mut self, failures: Failures, now: Instant) {
        self.writing = None;
        let messages = failures.iter().map(|(_, error)| format!("{error:#}"));
        let message = messages.collect::<Vec<_>>().join("; ");
        if failures.is_empty() {
            self.faults.clear(FaultKind::StateNotKept);
        } else {
            self.not_before = now + RETRY;
            self.faults.raise(FaultKind::StateNotKept, message);
        }
        for (work, _) in failures {
            // Something newer may be pending by now.
            self.pending.entry(work.item.kind()).or_insert(work);
        }
    }
}

impl Work {
    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        if self.only_if_missing {
            let Some(missing) = self.item.missing(dir)? else {
                return Ok(());
            };
            warn!(path = %missing.display(), "another process removed the file: writing it again");
        }
        self.item.write(dir)
    }
}

impl Item {
    /// A file of it that is missing.
    fn missing(&self, dir: &Path) -> io::Result<Option<PathBuf>> {
        let paths = match self {
            Self::Policy(policy) => LastGood::paths(dir, &policy.origin),
            Self::Dates(_) => vec![state_dir::dates_path(dir)],
            Self::Clock(_) => vec![state_dir::clock_path(dir)],
        };
        for path in paths {
            if !path.try_exists()? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Policy(..) => Kind::Policy,
            Self::Dates(_) => Kind::Dates,
            Self::Clock(_) => Kind::Clock,
        }
    }

    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        match self {
            Self::Policy(policy) => {
                let KeptPolicy {
                    origin,
                    opened,
                    lists,
                } = &**policy;
                let again = |file: &Arc<File>| {
                    let seek = file.as_ref().seek(SeekFrom::Start(0));
                    seek.with_context(|| {
                        format!("cannot read {} and its lists again", origin.policy_file.display())
                    })
                };
                again(opened)?;
                lists.iter().try_for_each(|list| again(list).map(drop))?;
                let mut lists: Vec<&File> = lists.iter().map(AsRef::as_ref).collect();
                LastGood::write(dir, origin, &mut opened.as_ref(), &mut lists)?;
            }
            Self::Dates(dates) => state_dir::write_dates(dir, dates)?,
            Self::Clock(now) => state_dir::write_clock(dir, *now)?,
        }
        Ok(())
    }
}
