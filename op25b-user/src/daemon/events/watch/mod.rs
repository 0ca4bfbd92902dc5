//! Watches the policy file and its lists, however an editor or a deployment tool writes them.
//!
//! A thread watches every directory on the way to a file and the file itself, waits until a change is complete, and reads the
//! files: the event loop never waits for their disk. It reads them once when the watches are there, as they may have changed before.

mod inotify;
mod route;
mod settling;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::errno::Errno;
use tokio::sync::mpsc;
use tracing::warn;

use self::{
    inotify::Watches,
    settling::{Happening, Settling},
};
use crate::policy::{PolicyFiles, Reading};

/// How long a start waits for the disk of the file that is watched.
const DISK_TIME: Duration = Duration::from_secs(1);
/// How long a list may be missing or empty: it is about to be replaced or written. After that the policy is refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// A watch of a policy; it reports nothing if it is off.
pub(in crate::daemon) struct Watch(Option<mpsc::Receiver<String>>);

impl Watch {
    /// A watch of nothing.
    pub(in crate::daemon) fn off() -> Self {
        Self(None)
    }

    /// Watches a file in a thread of its own; when this returns the watch has begun, unless the file's disk hangs.
    pub(in crate::daemon) fn file(path: &Path) -> anyhow::Result<Self> {
        let path =
            std::path::absolute(path).context("cannot determine the absolute path of the policy file")?;
        let (sender, digests) = mpsc::channel(1);
        let (begun, has_begun) = sync_channel(1);
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch(&path, &begun, &sender))
            .context("cannot start a thread")?;
        // On a disk that hangs, the thread goes on alone.
        let _ = has_begun.recv_timeout(DISK_TIME);
        Ok(Self(Some(digests)))
    }

    /// Waits for a change, and returns the digest of the policy. Cancellation loses no change.
    pub(in crate::daemon) async fn changed(&mut self) -> String {
        let digest = match &mut self.0 {
            Some(digests) => digests.recv().await,
            None => None,
        };
        match digest {
            Some(digest) => digest,
            None => std::future::pending().await,
        }
    }
}

/// Sends the digest of the policy each time that it has another one, until nobody waits for it.
fn watch(path: &Path, begun: &SyncSender<()>, sender: &mpsc::Sender<String>) {
    // Its lists are known after the first reading.
    let mut files = PolicyFiles::new(path);
    let mut watches = Watches::new(files.paths());
    if let Err(error) = &watches {
        warn!(
            %error,
            "the kernel cannot watch the policy file: it is read every 30 s instead; \
             fs.inotify.max_user_instances may be too low"
        );
    }
    // Nobody waits for it any more if it took long.
    let _ = begun.try_send(());
    let mut settling = Settling::new(Instant::now());
    // What happened between the daemon's first reading and the watches has left no event.
    settling.note(&BTreeSet::new(), Happening::Unknown, Instant::now());
    let mut last = None;
    // Until when a list may be missing.
    let mut patience: Option<Instant> = None;
    while !sender.is_closed() {
        // Once it is over, the policy is refused.
        let end = patience.filter(|end| *end > Instant::now());
        let next = settling.next();
        for (files, happening) in wait(&mut watches, end.map_or(next, |end| end.min(next))) {
            settling.note(&files, happening, Instant::now());
        }
        let now = Instant::now();
        if !settling.is_due(now) && end.is_none_or(|end| end > now) {
            continue;
        }
        // A file that is not there is about to be replaced, and an empty one about to be written.
        let digest = match files.read() {
            Reading::Absent => None,
            Reading::Complete(digest) => {
                patience = None;
                Some(digest)
            }
            Reading::Incomplete(digest) => {
                let end = *patience.get_or_insert(now + PATIENCE);
                (end <= now).then_some(digest)
            }
        };
        if let Ok(watches) = &mut watches
            && watches.set_paths(files.paths())
        {
            // What happened to a new list before it was watched has left no event.
            settling.note(&BTreeSet::new(), Happening::Unknown, now);
        }
        if let Some(digest) = digest.filter(|digest| last.as_ref() != Some(digest)) {
            last = Some(digest.clone());
            // The daemon has ended if it takes none.
            let _ = sender.blocking_send(digest);
        }
    }
}

/// Waits until something happens to files, or until a moment.
fn wait(watches: &mut Result<Watches, Errno>, until: Instant) -> Vec<(BTreeSet<usize>, Happening)> {
    if let Ok(watches) = watches {
        return watches.wait(until);
    }
    thread::sleep(until.saturating_duration_since(Instant::now()));
    Vec::new()
}
