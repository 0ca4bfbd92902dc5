//! Trying native mode again where the driver refused it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tracing::{error, warn};

use super::native_retry::{Conditions, NativeRetry};
use crate::{
    datapath::{Attachment, Interfaces, Target, XdpFeatures},
    enforcer::state::Enforcer,
};

/// How often the kernel is asked whether a driver that refused native mode has it now.
const INTERVAL: Duration = Duration::from_secs(5);

/// The interfaces on which native mode was refused.
#[derive(Debug)]
pub(in crate::enforcer) struct NativeRetries {
    examined_at: Instant,
    /// By the policy's name and the index.
    by_interface: BTreeMap<(String, u32), NativeRetry>,
}

impl NativeRetries {
    pub(in crate::enforcer) fn new() -> Self {
        Self {
            examined_at: Instant::now(),
            by_interface: BTreeMap::new(),
        }
    }
}

/// Warns if an interface runs in generic mode although native mode was tried first.
pub(in crate::enforcer) fn warn_of_fallback(attachment: &Attachment) {
    if let Some(reason) = &attachment.fallback {
        warn!(
            interface = attachment.interface,
            %reason,
            "the driver refused native mode: the filter runs in generic mode, which is several times slower"
        );
    }
}

impl Enforcer {
    /// Warns if this interface of the policy runs in generic mode although native mode was tried first.
    pub(super) fn warn_if_fallen_back(&self, interface: &str) {
        let mut fallen = self.datapath.fell_back();
        if let Some(attachment) = fallen.find(|attachment| attachment.interface == interface) {
            warn_of_fallback(attachment);
        }
    }

    /// Why the filter runs in generic mode on this interface of the policy although native mode was tried first, if it does.
    pub(super) fn native_refusal(&self, interface: &str) -> Option<String> {
        let mut fallen = self.datapath.fell_back();
        let attachment = fallen.find(|attachment| attachment.interface == interface)?;
        attachment.fallback.clone()
    }

    /// Tries native mode again where the driver refused it and is likely to take the program now.
    pub(super) fn retry_native(&mut self, targets: &[Target], interfaces: &Interfaces, now: Instant) {
        let fallen = self.datapath.fell_back();
        let fallen: Vec<_> = fallen
            .map(|attachment| (attachment.interface.clone(), attachment.index))
            .collect();
        let retries = &mut self.native_retries.by_interface;
        retries.retain(|interface, _| fallen.contains(interface));
        let retries = &self.native_retries;
        // What held when the driver refused is noted at once.
        let is_known = |interface| retries.by_interface.contains_key(interface);
        if fallen.iter().all(is_known) && now < retries.examined_at + INTERVAL {
            return;
        }
        self.native_retries.examined_at = now;
        if fallen.is_empty() {
            return;
        }
        let features = match XdpFeatures::open() {
            Ok(features) => features,
            Err(error) => {
                error!("cannot ask for the XDP features of interfaces: {error}");
                return;
            }
        };
        for key in fallen {
            let target = targets.iter().find(|target| target.interface == key.0);
            let interface = interfaces.named(&key.0);
            let (Some(target), Some(interface)) = (target, interface.filter(|found| found.index == key.1))
            else {
                continue;
            };
            let has_native_mode = match &features {
                // An interface that disappears in this moment is reconciled the next time.
                Some(features) => features.has_native_mode(interface.index).ok(),
                None => None,
            };
            let conditions = Conditions {
                has_native_mode,
                mtu: interface.mtu,
            };
            let retries = &mut self.native_retries.by_interface;
            let retry = retries
                .entry(key)
                .or_insert_with(|| NativeRetry::new(now, conditions));
            if !retry.may_try(now, conditions) {
                continue;
            }
            match self.datapath.try_native(interface, target) {
                Ok(true) => warn!(
                    interface = target.interface,
                    "the filter runs in native mode now; the interface was without a filter for a moment"
                ),
                Ok(false) => {
                    retry.note_refusal(now, conditions);
                    let reason = self.native_refusal(&target.interface).unwrap_or_default();
                    warn!(
                        interface = target.interface,
                        reason,
                        "the driver refused native mode again; the interface was without a filter for a moment"
                    );
                }
                Err(error) => error!(
                    interface = target.interface,
                    "cannot change to native mode: {:#}",
                    anyhow::Error::from(error)
                ),
            }
        }
    }
}
