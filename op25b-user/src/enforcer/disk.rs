//! The disk of the store: what is done when it does not answer, and when it does again.

use std::time::Duration;

use super::{
    host::{Host, WaitError},
    state::Enforcer,
};
use crate::{fault::FaultKind, store::Record};

/// How long reading all records may take.
const READ_TIME: Duration = Duration::from_mins(1);

impl Enforcer {
    /// Fails while the disk of the store does not answer.
    pub(super) fn check_disk(&self) -> Result<(), String> {
        match self.stalls.since() {
            None => Ok(()),
            Some(since) => Err(format!(
                "the disk of the exemption store has not answered for {} s",
                since.elapsed().as_secs()
            )),
        }
    }

    /// Notes that a call of the store has not returned in time.
    pub(super) fn note_stall(&mut self, limit: Duration, has_returned: impl Fn() -> bool + Send + 'static) {
        self.stalls.note(has_returned);
        self.faults.raise(
            FaultKind::StoreStalled,
            format!(
                "the disk of the exemption store has not answered within {limit:?}: what is enforced stays in force, and no \
                 exemption can be changed until it answers"
            ),
        );
    }

    /// Has the kernel follow what calls that returned late have made of the store.
    pub(crate) fn settle_store(&mut self) {
        if self.stalls.settle() {
            self.faults.clear(FaultKind::StoreStalled);
            self.active_set_is_stale = true;
            self.load_again_soon();
        }
    }

    /// The records that the kernel is to let through, as the store has them now.
    pub(super) async fn stored_records(&mut self, host: &mut impl Host) -> anyhow::Result<Vec<Record>> {
        self.check_disk().map_err(anyhow::Error::msg)?;
        let store = self.store.clone();
        let mut reading = host.start(move || store.not_removed())?;
        match host.wait(self, &mut reading, Some(READ_TIME)).await {
            Ok(records) => Ok(records?),
            Err(error) => {
                if let WaitError::Late(limit) = error {
                    self.note_stall(limit, move || reading.is_finished());
                }
                Err(error.into())
            }
        }
    }

    /// Closes the store, for a thread that may wait for the disk. The thread has a handle of the store until then, so that nobody
    /// else waits for that.
    pub(crate) fn store_closing(&self) -> impl FnOnce() + Send + use<> {
        let store = self.store.clone();
        move || store.close()
    }
}
