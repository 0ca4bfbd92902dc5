//! The pins of an enforcer: whose they are, whether they outlive the process, and what is done about those that disappear.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tracing::{info, warn};

use super::state::Enforcer;
use crate::{
    datapath::{Enforced, Interfaces, Pins, PinsError},
    fault::{FaultKind, Faults},
};

/// How long the end of a network namespace may take, as of a container that is started again.
const ENDING: Duration = Duration::from_secs(2);
/// Why the filter ends with the daemon, for people.
const NOT_PERSISTENT: &str = "the filter ends with the daemon: its BPF file system is mounted in a mount namespace of its own, which \
                              ends with op25b or its container (--no-persist)";

/// Locks the pins, which may be those of an earlier process. Pins that end with this process are refused unless
/// `may_end_with_process`, and so are those of a filter in another network namespace.
pub(super) async fn take(
    directory: &Path,
    may_end_with_process: bool,
    faults: &Faults,
) -> anyhow::Result<Enforced> {
    let pins = Pins::take(directory)?;
    if !pins.outlive_process() {
        if !may_end_with_process {
            pins.leave();
            return Err(PinsError::NotPersistent(directory.to_owned()).into());
        }
        faults.raise(FaultKind::NotPersistent, NOT_PERSISTENT);
    }
    let datapath = Enforced::new(pins);
    let begin = Instant::now();
    let left = loop {
        match datapath.check_namespace(&Interfaces::list()?) {
            // The kernel removes the interfaces of a namespace some time after the last process in it has ended.
            Err(PinsError::OtherNamespace { .. }) if begin.elapsed() < ENDING => {
                sleep(Duration::from_millis(100)).await;
            }
            left => break left?,
        }
    };
    if let Some(namespace) = left {
        warn!(
            pins = %directory.display(),
            namespace,
            "the pinned filter is of another network namespace, and runs there no more: taking over its pins"
        );
    }
    if let Err(error) = datapath.pins().adopt() {
        warn!("the pins stay another user's: {:#}", anyhow::Error::from(error));
    }
    Ok(datapath)
}

impl Enforcer {
    /// Makes the pins anew that another process has removed.
    pub(super) fn repair_pins(&mut self) {
        match self.datapath.repair_pins() {
            Ok(missing) => {
                if let Some(first) = missing.first() {
                    warn!(
                        first = %first.display(),
                        count = missing.len(),
                        "pins had been removed, and are made anew"
                    );
                }
                self.faults.clear(FaultKind::PinsLost);
            }
            Err(error) => self.faults.raise(
                FaultKind::PinsLost,
                format!(
                    "pins are missing, so the filter ends with the daemon; they cannot be made anew: {:#}",
                    anyhow::Error::from(error)
                ),
            ),
        }
    }

    /// Logs what becomes of the filter when this process ends, as far as that can be known.
    pub(super) fn log_outlook(&mut self) {
        // Those that were removed in the last second, too.
        self.repair_pins();
        let outlook = self.datapath.outlook();
        if self.faults.has(FaultKind::NotPersistent) {
            warn!("{NOT_PERSISTENT}");
            return;
        }
        if !outlook.lost.is_empty() {
            warn!(
                interfaces = outlook.lost.join(", "),
                "the filter ends with this process: it is not pinned"
            );
        }
        if !outlook.kept.is_empty() {
            info!(
                interfaces = outlook.kept.join(", "),
                "the filter continues to enforce; `op25b stop --detach` removes it"
            );
        } else if outlook.lost.is_empty() {
            warn!("the filter runs on no interface");
        }
    }
}
