//! Migrates the counters of a generation before whose layout is another one.

use crate::datapath::{
    object::{Filter, LoadError},
    pins::{Generation, Snapshot},
    sys::bpf::membarrier::wait_for_running_programs,
};

/// Adds the counters of the generation before to those of the new filter, if their layouts differ. Returns the name of the
/// layout before, and whether the counters were added.
pub(crate) fn counters(before: &Snapshot, filter: &mut Filter) -> Option<(String, bool)> {
    let previous = before.latest()?;
    if previous.has_our_counters() {
        return None;
    }
    wait_for_running_programs();
    let migrated = migrate(previous, filter).unwrap_or(false);
    Some((previous.layout_name(), migrated))
}

fn migrate(from: &Generation, to: &mut Filter) -> Result<bool, LoadError> {
    match from.counters() {
        Some(counters) => to.add_migrated_counters(&counters?).map(|()| true),
        None => Ok(false),
    }
}
