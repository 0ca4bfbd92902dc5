//! Noticing that the policy file has changed, however an editor or a deployment writes it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

/// How long nothing more may happen before a change is taken to be complete.
const QUIET: Duration = Duration::from_millis(200);

/// Tells of changes around a file; of none, if it is off.
pub(in crate::daemon) struct Watch(Option<Watching>);

struct Watching {
    events: mpsc::UnboundedReceiver<()>,
    /// Whether something has happened that was not told yet.
    is_pending: bool,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Tells of nothing.
    pub(in crate::daemon) fn off() -> Self {
        Self(None)
    }

    /// Watches the directories that a file lies in: the file itself may be replaced by another.
    pub(in crate::daemon) fn file(path: &Path) -> anyhow::Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| match event {
                // Reading it, which the daemon does itself, is no change.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
                Ok(_) => {
                    // Afterwards nobody listens any more.
                    let _ = sender.send(());
                }
                Err(error) => warn!(%error, "changes of the policy file may go unnoticed"),
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

    /// Waits until something has happened there, and then nothing more for a moment. Whoever stops waiting misses nothing.
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

/// Where the file lies, and where what it points to lies if it is a link.
fn directories(path: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let absolute = std::path::absolute(path).context("cannot tell where the policy file is")?;
    let real = absolute
        .canonicalize()
        .with_context(|| format!("cannot follow {}", path.display()))?;
    Ok([absolute, real]
        .iter()
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect())
}
