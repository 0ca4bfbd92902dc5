//! What an enforcer logs: the outcome of a replacement, and the final counters.

use tracing::{info, warn};

use super::{reconcile::native::warn_of_fallback, state::Enforcer};
use crate::datapath::Replacement;

impl Enforcer {
    /// Logs what the replacement of a filter did.
    pub(super) fn log_replacement(&self, switched: &Replacement) {
        for attached in self.datapath.attachments() {
            warn_of_fallback(attached);
            info!(
                interface = attached.interface,
                role = attached.role.name(),
                xdp = attached.mode,
                program_id = attached.program_id,
                "{}",
                if attached.was_enforced {
                    "switched"
                } else {
                    "attached"
                }
            );
        }
        for interface in &switched.interrupted {
            warn!(
                interface,
                "the XDP mode changed: the interface was without a filter for a moment"
            );
        }
        for interface in &switched.released {
            info!(interface, "detached: the policy no longer has this interface");
        }
        if let Some((layout, migrated)) = &switched.other_layout {
            // Each upgrade may bring one: only what is lost is worth a warning.
            if *migrated {
                info!(
                    layout,
                    "the previous filter has another counter layout: the counters were migrated"
                );
            } else {
                warn!(
                    layout,
                    "the previous filter has another counter layout: the counters start at zero"
                );
            }
        }
        if switched.records.moved > 0 {
            info!(
                subscribers = switched.records.moved,
                "subscriber records were migrated into the new filter's maps"
            );
        }
        for family in &switched.records.discarded {
            info!(
                family,
                "subscriber records of addresses that the policy does not remember any more were discarded"
            );
        }
        if let Some(why) = &switched.records.left {
            warn!(
                why,
                "subscriber records that the policy does not remember any more could not be discarded: `op25b stop --detach` and \
                 another start remove them, with the counters and an interruption of the filter"
            );
        }
        for (family, why) in &switched.records.reset {
            warn!(family, why, "subscriber records start empty");
        }
        for error in &switched.cleanup_errors {
            warn!("{:#}", anyhow::anyhow!("{error}"));
        }
    }

    /// Logs the counters, and what becomes of the filter without this process.
    pub(crate) fn log_final_counters(&mut self) -> anyhow::Result<()> {
        for (role, counters) in self.counters()? {
            for (reason, packets) in counters.iter() {
                info!(role = role.name(), reason = reason.name(), packets, "counted");
            }
        }
        self.log_outlook();
        Ok(())
    }
}
