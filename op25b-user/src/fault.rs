//! Lasting faults of a daemon that an operator must see: logged once, and shown until they are over.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{error, info};
use utoipa::ToSchema;

macro_rules! kinds {
    // A token as it is: inside of a group, as a `literal` is passed on, `ToSchema` does not see the word.
    ($($(#[$doc:meta])* $variant:ident = $word:tt,)*) => {
        /// What is wrong. One word in the log, in `/v1/status` and in the metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum FaultKind { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl FaultKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

kinds! {
    /// The policy file is refused, or was not confirmed after its reload, and the policy before it is enforced.
    PolicyRefused = "policy_refused",
    /// A reload was not confirmed in time, and the policy before it cannot be enforced again.
    GoingBackFailed = "going_back_failed",
    /// The state directory does not take what a later start may need, such as the last good policy.
    StateNotKept = "state_not_kept",
    /// Operations such as reloads are done, and the store does not take the record of them.
    OperationsNotRecorded = "operations_not_recorded",
    /// Records of subscribers that are older than the policy keeps them cannot be removed.
    RecordsOverdue = "records_overdue",
    /// The history of what subscribers did is not written.
    HistoryNotRecorded = "history_not_recorded",
    /// The clock is behind op25b's own last records.
    ClockBehind = "clock_behind",
    /// There is no control socket.
    ControlSocket = "control_socket",
    /// Metrics are not served over TCP as the policy wants it.
    MetricsServer = "metrics_server",
    /// Frames arrive on an interface, and nearly none of them is IP.
    NoIpSeen = "no_ip_seen",
    /// The filter ends with the daemon.
    NotPersistent = "not_persistent",
    /// Pins were removed and cannot be made anew.
    PinsLost = "pins_lost",
    /// The kernel does not enforce what the store holds.
    KernelBehind = "kernel_behind",
    /// Stored exemptions do not fit into the kernel with the others, and are not enforced.
    ExemptionsLeftOut = "exemptions_left_out",
    /// The stored exemptions cannot be read, and are not enforced.
    StoreUnread = "store_unread",
    /// The disk of the store does not answer.
    StoreStalled = "store_stalled",
    /// The store was damaged, removed or replaced in the last 24 hours, and was put together again.
    StoreRecovered = "store_recovered",
    /// Another process removed or replaced the store's file, and it cannot be put back.
    StoreReplaced = "store_replaced",
}

/// A fault that lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// What is wrong in detail, and what to do.
    pub message: String,
    /// When it was noticed.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// The faults of a daemon, at most one of each kind. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<BTreeMap<FaultKind, Fault>>>);

impl Faults {
    /// Notes a fault. It is logged when it begins, and again only with another message.
    pub fn raise(&self, kind: FaultKind, message: impl Into<String>) {
        let message = message.into();
        let mut faults = self.lock();
        let before = faults.get(&kind);
        if before.is_some_and(|fault| fault.message == message) {
            return;
        }
        let since = before.map_or_else(Timestamp::now, |fault| fault.since);
        error!(fault = kind.name(), "{message}");
        faults.insert(kind, Fault { kind, message, since });
    }

    /// Notes that a fault is over.
    pub fn clear(&self, kind: FaultKind) {
        if let Some(fault) = self.lock().remove(&kind) {
            info!(fault = kind.name(), since = %fault.since, "the fault is over");
        }
    }

    /// Whether there is one of this kind.
    #[must_use]
    pub fn has(&self, kind: FaultKind) -> bool {
        self.lock().contains_key(&kind)
    }

    /// The faults that last, in the order of their kinds.
    #[must_use]
    pub fn list(&self) -> Vec<Fault> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FaultKind, Fault>> {
        // A map whose holder panicked is whole: it is changed by single calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_its_beginning_until_it_is_over() {
        let faults = Faults::default();
        faults.raise(FaultKind::StoreUnread, "first");
        let since = faults.list()[0].since;
        faults.clone().raise(FaultKind::StoreUnread, "second");
        let [fault] = &faults.list()[..] else { panic!() };
        assert_eq!((fault.message.as_str(), fault.since), ("second", since));
        faults.clear(FaultKind::ClockBehind);
        assert_eq!(faults.list().len(), 1);
        assert!(faults.has(FaultKind::StoreUnread) && !faults.has(FaultKind::ClockBehind));
        faults.clear(FaultKind::StoreUnread);
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn the_word_of_a_kind_is_the_same_everywhere() {
        for kind in FaultKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn every_kind_is_in_the_table_of_docs_reliability() {
        let text = include_str!("../../docs/reliability.md");
        for kind in FaultKind::ALL {
            let row = format!("| `{}` |", kind.name());
            assert!(text.contains(&row), "{row}");
        }
    }
}
