//! Watching the policy file, however an editor or a deployment tool writes it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

/// A change is complete when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(200);

/// A watch of a file; it reports nothing if it is off.
pub(in crate::daemon) struct Watch(Option<Watching>);

struct Watching {
    events: mpsc::UnboundedReceiver<()>,
    /// Whether a change is not reported yet.
    is_pending: bool,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// A watch of nothing.
    pub(in crate::daemon) fn off() -> Self {
        Self(None)
    }

    /// Watches the directories that a file lies in: the file itself may be replaced by another.
    pub(in crate::daemon) fn file(path: &Path) -> anyhow::Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| match event {
                // Reading the file, which the daemon does itself, is no change.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
                Ok(_) => {
                    // The receiver is gone when the daemon ends.
                    let _ = sender.send(());
                }
                Err(error) => warn!(%error, "the watch of the policy file has failed"),
            })
            .context("cannot watch files")?;
        for directory in directories(path)? {
            watcher
                .watch(&directory, RecursiveMode::NonRecursive)
                .with_context(|| format!("cannot watch {}", directory.display()))?;
        }
        Ok(Self(Some(Watching {
            events,
            is_pending: false,
            _watcher: watcher,
        })))
    }

    /// Waits for a change, and then until nothing more happens for a moment. Cancellation loses no change.
    pub(in crate::daemon) async fn changed(&mut self) {
        let Some(Watching {
            events, is_pending, ..
        }) = &mut self.0
        else {
            return std::future::pending().await;
        };
        if !*is_pending {
            if events.recv().await.is_none() {
                return std::future::pending().await;
            }
            *is_pending = true;
        }
        while let Ok(Some(())) = timeout(QUIET, events.recv()).await {}
        *is_pending = false;
    }
}

/// The directory of the file and, if it is a symbolic link, the directory of its target.
fn directories(path: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let absolute =
        std::path::absolute(path).context("cannot determine the absolute path of the policy file")?;
    let real = absolute
        .canonicalize()
        .with_context(|| format!("cannot resolve {}", path.display()))?;
    Ok([absolute, real]
        .iter()
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect())
}
