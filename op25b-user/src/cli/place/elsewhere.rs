//! The filter that is pinned, if it runs in another network namespace than this command.

use std::path::Path;

use crate::datapath::pinned_elsewhere;

/// Where it runs instead, in a line; nothing if it runs here, or if that cannot be read.
pub(in crate::cli) fn elsewhere(bpffs: &Path) -> Option<String> {
    let elsewhere = pinned_elsewhere(bpffs).ok().flatten()?;
    Some(format!(
        "the filter that is pinned in {} runs in network namespace {}, on {}",
        bpffs.display(),
        elsewhere.namespace,
        elsewhere.interfaces.join(", ")
    ))
}
