//! Watches every directory on the way to a file, and the file itself, through `inotify(7)`.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    iter,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
};

use super::{route::Route, settling::Happening};

/// How often the way is followed again if it changes while the watches are added.
const ATTEMPTS: usize = 5;
/// How many times events are read before what they mean is considered: a directory may be busier than its reader.
const READS: usize = 64;

/// What the kernel watches.
enum Watched {
    /// A directory on the way, with the names that lead on.
    Directory(BTreeSet<OsString>),
    /// The file: it may be written through another name.
    File,
}

/// The watches of the way to a file.
pub(super) struct Watches {
    inotify: Inotify,
    path: PathBuf,
    watched: HashMap<WatchDescriptor, Watched>,
}

impl Watches {
    /// Watches the way to an absolute path.
    pub(super) fn new(path: &Path) -> Result<Self, Errno> {
        let mut watches = Self {
            inotify: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?,
            path: path.to_owned(),
            watched: HashMap::new(),
        };
        watches.follow();
        Ok(watches)
    }

    /// Waits until something happens to the file, or until a moment.
    pub(super) fn wait(&mut self, until: Instant) -> Vec<Happening> {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up: the wait ends after that moment, not just before it.
        let left = left.saturating_add(Duration::from_millis(1));
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        // An interrupted wait is repeated by the caller.
        let _ = poll(
            &mut [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)],
            timeout,
        );
        let mut happenings = Vec::new();
        let batches = iter::from_fn(|| self.inotify.read_events().ok()).take(READS);
        for event in batches.flatten() {
            happenings.extend(self.meaning(&event));
        }
        if happenings.iter().any(|happening| *happening != Happening::Closed) {
            self.follow();
        }
        happenings
    }

    /// What an event says about the file; nothing, if it is about another one in a directory on the way.
    fn meaning(&self, event: &InotifyEvent) -> Option<Happening> {
        let mask = event.mask;
        if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Some(Happening::Unknown);
        }
        let is_of_file = match self.watched.get(&event.wd)? {
            Watched::File => true,
            Watched::Directory(names) if event.name.as_ref().is_none_or(|name| names.contains(name)) => false,
            Watched::Directory(_) => return None,
        };
        if mask.contains(AddWatchFlags::IN_CLOSE_WRITE) {
            Some(Happening::Closed)
        } else if mask.contains(AddWatchFlags::IN_MODIFY) {
            Some(Happening::Written)
        } else {
            // What happens to the file's name is an event of the directory.
            (!is_of_file).then_some(Happening::Replaced)
        }
    }

    /// Watches the way as it leads now.
    fn follow(&mut self) {
        for _ in 0..ATTEMPTS {
            let route = Route::follow(&self.path);
            self.watch(&route);
            // What changed before its watch was added has left no event.
            if Route::follow(&self.path) == route {
                return;
            }
        }
    }

    fn watch(&mut self, route: &Route) {
        let entries = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let content = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE;
        let mut watched = HashMap::new();
        // A directory that cannot be watched, as this user may not read it, is left to the periodic reading.
        for (directory, names) in &route.entries {
            // In the last one also what is written: a new file gets its own watch only after its first event.
            let mask = if *directory == route.last {
                entries | content
            } else {
                entries
            };
            if let Ok(watch) = self.inotify.add_watch(directory, mask) {
                watched.insert(watch, Watched::Directory(names.clone()));
            }
        }
        if let Some(file) = &route.file
            && let Ok(watch) = self.inotify.add_watch(file, content)
        {
            watched.insert(watch, Watched::File);
        }
        for watch in self.watched.keys().filter(|watch| !watched.contains_key(watch)) {
            // The kernel has removed it already if what it watched is gone.
            let _ = self.inotify.rm_watch(*watch);
        }
        self.watched = watched;
    }
}
