//! Watches the policy file, however an editor or a deployment tool writes it.
//!
//! A thread watches every directory on the way to the file and the file itself, waits until a change is complete, and reads the
//! file: the event loop never waits for its disk. It reads the file once when the watches are there, as it may have changed before.

mod inotify;
mod route;
mod settling;

use std::{
    fs,
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
use crate::policy;

/// How long a start waits for the disk of the file that is watched.
const DISK_TIME: Duration = Duration::from_secs(1);

/// A watch of a file; it reports nothing if it is off.
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

    /// Waits for a change, and returns the digest of the file's text. Cancellation loses no change.
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

/// Sends the digest of the file each time that it has another one, until nobody waits for it.
fn watch(path: &Path, begun: &SyncSender<()>, sender: &mpsc::Sender<String>) {
    let mut watches = Watches::new(path);
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
    settling.note(Happening::Unknown, Instant::now());
    let mut last = None;
    while !sender.is_closed() {
        for happening in wait(&mut watches, settling.next()) {
            settling.note(happening, Instant::now());
        }
        if settling.is_due(Instant::now()) {
            // A file that is not there is about to be replaced, and an empty one about to be written.
            let text = fs::read(path).ok().filter(|text| !text.is_empty());
            let digest = text.map(|text| policy::digest(&text));
            if let Some(digest) = digest.filter(|digest| last.as_ref() != Some(digest)) {
                last = Some(digest.clone());
                // The daemon has ended if it takes none.
                let _ = sender.blocking_send(digest);
            }
        }
    }
}

/// Waits until something happens, or until a moment.
fn wait(watches: &mut Result<Watches, Errno>, until: Instant) -> Vec<Happening> {
    if let Ok(watches) = watches {
        return watches.wait(until);
    }
    thread::sleep(until.saturating_duration_since(Instant::now()));
    Vec::new()
}
