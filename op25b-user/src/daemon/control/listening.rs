//! Keeps the control socket where clients look for it, whatever other processes do to its file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;
use tracing::warn;

use super::{
    roles::Groups,
    server::Listener,
    socket::{self, Identity},
};
use crate::fault::{FaultKind, Faults};

/// The socket in the file system; dropping it removes it.
pub(super) struct Listening {
    runtime_dir: PathBuf,
    path: PathBuf,
    groups: Groups,
    /// The file of the socket that was bound last.
    bound: Option<Identity>,
    /// To the server.
    listeners: mpsc::Sender<Listener>,
}

impl Listening {
    /// A socket in this directory that is still to be bound, and where its listeners go.
    pub(super) fn new(runtime_dir: &Path) -> (Self, mpsc::Receiver<Listener>) {
        let (sender, listeners) = mpsc::channel(1);
        let listening = Self {
            runtime_dir: runtime_dir.to_owned(),
            path: socket::socket(runtime_dir),
            groups: Groups::of_this_machine(),
            bound: None,
            listeners: sender,
        };
        (listening, listeners)
    }

    /// Binds the socket, unless another daemon has it, which is an error. If it cannot be bound, that is a fault.
    pub(super) fn begin(&mut self, faults: &Faults) -> anyhow::Result<()> {
        socket::refuse_another(&self.path)?;
        note(self.bind(), faults);
        Ok(())
    }

    /// Binds the socket again if its file is not the one that was bound.
    pub(super) fn keep(&mut self, faults: &Faults) {
        if self.is_bound() {
            return;
        }
        if self.bound.take().is_some() {
            warn!(path = %self.path.display(), "the control socket was removed or replaced: making it again");
        }
        note(
            socket::refuse_another(&self.path).and_then(|()| self.bind()),
            faults,
        );
    }

    fn is_bound(&self) -> bool {
        self.bound.is_some() && Identity::of(&self.path).ok() == self.bound
    }

    fn bind(&mut self) -> anyhow::Result<()> {
        let listener = socket::bind(&self.runtime_dir, &self.path, &self.groups)?;
        let identity = Identity::of(&self.path).context("the control socket was removed at once")?;
        let listener = Listener {
            listener,
            groups: self.groups.clone(),
        };
        if self.listeners.try_send(listener).is_err() {
            bail!("the server of the control socket has not taken the last one yet");
        }
        self.bound = Some(identity);
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Another daemon may have bound one of this name.
        if self.is_bound() {
            // If this fails, the next daemon replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Notes whether there is a socket.
fn note(bound: anyhow::Result<()>, faults: &Faults) {
    match bound {
        Ok(()) => faults.clear(FaultKind::ControlSocket),
        Err(error) => faults.raise(
            FaultKind::ControlSocket,
            format!(
                "there is no control socket, so `op25b reload` and `op25b exempt` do not work, and SIGHUP reloads: {error:#}"
            ),
        ),
    }
}
