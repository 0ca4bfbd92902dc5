//! What a recovery found, in words for the log, the audit and the status.

use std::path::Path;

use super::{
    Case, Damage,
    merge::Merged,
    salvage::Salvage,
    source::{Source, SourceKind},
};
use crate::{
    counted::counted,
    store::{Revision, sqlite::tables::audit},
};

/// What was found.
pub(super) struct Found<'a> {
    pub(super) store: &'a Path,
    /// Whether there was anything at its path.
    pub(super) was_there: bool,
    pub(super) case: &'a Case<'a>,
    /// The copy that the draft began with.
    pub(super) base: Option<&'a Source<'a>>,
    /// The number of its exemptions that are not removed.
    pub(super) restored: usize,
    /// What was merged from each of the other copies.
    pub(super) merged: &'a [(&'a Source<'a>, rusqlite::Result<Merged>)],
    /// What was read of the damaged store.
    pub(super) salvage: Option<&'a Salvage>,
    /// The highest revision in anything that was found.
    pub(super) revision: Revision,
}

/// One line for each statement; the first names the damage.
pub(super) fn lines(found: &Found<'_>) -> Vec<String> {
    let mut lines = vec![headline(found)];
    lines.push(origin(found));
    for (Source { name, .. }, result) in found.merged {
        match result {
            Ok(merged) if merged.changes == 0 => {}
            Ok(merged) => lines.push(format!(
                "{} of {} that only {name} has {} merged",
                counted(merged.changes, "change"),
                counted(merged.exemptions.len(), "exemption"),
                if merged.changes == 1 { "was" } else { "were" }
            )),
            Err(error) => lines.push(format!("what only {name} has could not be merged: {error}")),
        }
    }
    let is_damaged = match found.case.damage {
        Damage::Found => !has(found, SourceKind::AtPath),
        Damage::Removed(_) | Damage::Replaced { .. } => !has(found, SourceKind::Open),
    };
    if is_damaged {
        salvaged(found, &mut lines);
    }
    let enforced = found.case.enforced;
    match found.revision + 1 {
        first if first < enforced => lines.push(format!(
            "the changes with revisions {first} to {enforced} were enforced and are lost"
        )),
        first if first == enforced => lines.push(format!(
            "the change with revision {enforced} was enforced and is lost"
        )),
        _ => {}
    }
    lines
}

fn has(found: &Found<'_>, kind: SourceKind) -> bool {
    let others = found.merged.iter().map(|(source, _)| *source);
    found
        .base
        .into_iter()
        .chain(others)
        .any(|source| source.kind == kind)
}

fn headline(found: &Found<'_>) -> String {
    let (store, why) = (found.store.display(), found.case.why);
    match found.case.damage {
        Damage::Found if !found.was_there => {
            format!("the exemption store {store} was missing, but its backup was not")
        }
        Damage::Found => format!("the exemption store {store} was damaged ({why})"),
        Damage::Removed(_) | Damage::Replaced { .. } => {
            format!("the exemption store {store} was put back ({why})")
        }
    }
}

fn origin(found: &Found<'_>) -> String {
    let restored = match found.restored {
        1 => "1 exemption was".to_owned(),
        number => format!("{number} exemptions were"),
    };
    let Some(base) = found.base else {
        return "there is no intact backup to restore exemptions from".to_owned();
    };
    let name = &base.name;
    match base.kind {
        SourceKind::Backup { taken } => format!("{restored} restored from {name}, taken at {taken:.0}"),
        SourceKind::Interrupted | SourceKind::Open => format!("{restored} restored from {name}"),
        SourceKind::AtPath => format!("its {restored} kept"),
    }
}

fn salvaged(found: &Found<'_>, lines: &mut Vec<String>) {
    let Some(salvage) = found.salvage else {
        lines.push("nothing could be read of the damaged store: later changes are lost".to_owned());
        return;
    };
    let salvaged = salvage.events.len();
    let of_exemptions = salvage.events.values().filter(|event| !audit::is_recovery(event));
    lines.push(format!(
        "{} and {} could be read from the damaged store that are not in the backup",
        counted(of_exemptions.count(), "change"),
        counted(salvage.records.len(), "changed exemption")
    ));
    for id in &salvage.doubtful {
        lines.push(format!(
            "there are two different accounts of exemption {id}: its later changes were not recovered"
        ));
    }
    let revision = found.base.map_or(0, |base| base.revision);
    let salvaged = Revision::try_from(salvaged).unwrap_or(Revision::MAX);
    match salvage.last {
        Some(last) if last.saturating_sub(revision) <= salvaged => {}
        Some(last) => lines.push(format!(
            "{} of {} after the backup could not be read and may be lost",
            last - revision - salvaged,
            last - revision
        )),
        None => lines.push("other changes after the backup may be lost".to_owned()),
    }
}
