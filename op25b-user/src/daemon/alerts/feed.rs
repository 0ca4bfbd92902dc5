//! The newest alerts, how many there were, and who sends them: shared by the thread that finds offenders, the control socket and the
//! metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::senders::Senders;
use crate::{
    daemon::newest::Hub,
    report::{Alert, AlertCounts},
};

/// All of it. Clones share it.
#[derive(Clone, Default)]
pub(in crate::daemon) struct Feed {
    /// The newest alerts.
    pub(in crate::daemon) hub: Hub<Alert>,
    /// Who sends them.
    pub(in crate::daemon) senders: Senders,
    tally: Arc<Tally>,
}

/// What came of the readings of subscribers since the start.
#[derive(Default)]
struct Tally {
    made: AtomicU64,
    repeated: AtomicU64,
    unexamined: AtomicU64,
}

impl Feed {
    /// Adds an alert, of which `alert` is told the number.
    pub(super) fn add(&self, alert: impl FnOnce(u64) -> Alert) {
        self.tally.made.fetch_add(1, Ordering::Relaxed);
        self.hub.add([alert(self.hub.last() + 1)]);
    }

    /// Counts that a subscriber was beyond a threshold within an hour after the alert about it.
    pub(super) fn note_repeated(&self) {
        self.tally.repeated.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that a subscriber was not examined.
    pub(super) fn note_unexamined(&self) {
        self.tally.unexamined.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were, and how many wait for each of those who send them.
    pub(in crate::daemon) fn counts(&self) -> AlertCounts {
        let Tally {
            made,
            repeated,
            unexamined,
        } = &*self.tally;
        let [made, repeated, unexamined] =
            [made, repeated, unexamined].map(|count| count.load(Ordering::Relaxed));
        AlertCounts {
            made,
            repeated,
            unexamined,
            waiting: self.senders.waiting(&self.hub, Instant::now()),
        }
    }
}
