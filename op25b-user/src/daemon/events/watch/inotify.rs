//! Watches every directory on the way to files, and the files themselves, through `inotify(7)`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
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

/// Files by their indices.
type Files = BTreeSet<usize>;

/// What the kernel watches.
enum Watched {
    /// A directory on the way, with the names that lead on and the files that they lead to.
    Directory(BTreeMap<OsString, Files>),
    /// Files, which are one: it may be written through another name.
    File(Files),
}

/// The watches of the ways to files.
pub(super) struct Watches {
    inotify: Inotify,
    paths: Vec<PathBuf>,
    watched: HashMap<WatchDescriptor, Watched>,
}

impl Watches {
    /// Watches the ways to absolute paths.
    pub(super) fn new(paths: Vec<PathBuf>) -> Result<Self, Errno> {
        let mut watches = Self {
            inotify: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?,
            paths,
            watched: HashMap::new(),
        };
        watches.follow();
        Ok(watches)
    }

    /// Watches the ways to other paths. Returns whether they are others.
    pub(super) fn set_paths(&mut self, paths: Vec<PathBuf>) -> bool {
        if self.paths == paths {
            return false;
        }
        self.paths = paths;
        self.follow();
        true
    }

    /// Waits until something happens to a file, or until a moment.
    pub(super) fn wait(&mut self, until: Instant) -> Vec<(Files, Happening)> {
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
        if happenings
            .iter()
            .any(|(_, happening)| *happening != Happening::Closed)
        {
            self.follow();
        }
        happenings
    }

    /// What an event says about which files; nothing, if it is about another one in a directory on the way.
    fn meaning(&self, event: &InotifyEvent) -> Option<(Files, Happening)> {
        let mask = event.mask;
        if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Some(((0..self.paths.len()).collect(), Happening::Unknown));
        }
        let (files, is_of_file) = match (self.watched.get(&event.wd)?, &event.name) {
            (Watched::File(files), _) => (files.clone(), true),
            (Watched::Directory(names), Some(name)) => (names.get(name)?.clone(), false),
            // The directory itself.
            (Watched::Directory(names), None) => (names.values().flatten().copied().collect(), false),
        };
        let happening = if mask.contains(AddWatchFlags::IN_CLOSE_WRITE) {
            Happening::Closed
        } else if mask.contains(AddWatchFlags::IN_MODIFY) {
            Happening::Written
        } else if is_of_file {
            // What happens to the file's name is an event of the directory.
            return None;
        } else {
            Happening::Replaced
        };
        Some((files, happening))
    }

    /// Watches the ways as they lead now.
    fn follow(&mut self) {
        let routes =
            |paths: &[PathBuf]| -> Vec<Route> { paths.iter().map(|path| Route::follow(path)).collect() };
        for _ in 0..ATTEMPTS {
            let followed = routes(&self.paths);
            self.watch(&followed);
            // What changed before its watch was added has left no event.
            if routes(&self.paths) == followed {
                return;
            }
        }
    }

    fn watch(&mut self, routes: &[Route]) {
        let entries = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let content = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE;
        let mut directories: BTreeMap<&Path, BTreeMap<OsString, Files>> = BTreeMap::new();
        let mut files: BTreeMap<&Path, Files> = BTreeMap::new();
        for (index, route) in routes.iter().enumerate() {
            for (directory, names) in &route.entries {
                let watched = directories.entry(directory).or_default();
                for name in names {
                    watched.entry(name.clone()).or_default().insert(index);
                }
            }
            if let Some(file) = &route.file {
                files.entry(file).or_default().insert(index);
            }
        }
        let mut watched = HashMap::new();
        // A directory that cannot be watched, as this user may not read it, is left to the periodic reading.
        for (directory, names) in directories {
            // In the last one also what is written: a new file gets its own watch only after its first event.
            let is_last = routes.iter().any(|route| route.last == directory);
            let mask = if is_last { entries | content } else { entries };
            if let Ok(watch) = self.inotify.add_watch(directory, mask) {
                watched.insert(watch, Watched::Directory(names));
            }
        }
        for (file, indices) in files {
            if let Ok(watch) = self.inotify.add_watch(file, content) {
                // Several paths may be names of the same file.
                match watched
                    .entry(watch)
                    .or_insert_with(|| Watched::File(Files::new()))
                {
                    Watched::File(files) => files.extend(indices),
                    Watched::Directory(_) => {}
                }
            }
        }
        for watch in self.watched.keys().filter(|watch| !watched.contains_key(watch)) {
            // The kernel has removed it already if what it watched is gone.
            let _ = self.inotify.rm_watch(*watch);
        }
        self.watched = watched;
    }
}
