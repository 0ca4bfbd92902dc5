//! The line of the log for a change of exemptions: who changed which, and why.

use tracing::info;

use crate::{
    counted::counted,
    store::{Actor, ChangeKind, Record},
};

/// How many ids are named.
const MOST_NAMED: usize = 10;

/// Logs a change that is stored and in force.
pub(super) fn log_change(kind: ChangeKind, records: &[Record], reason: Option<&str>, by: &Actor) {
    info!(
        user = by.name,
        uid = by.uid,
        ids = ids(records),
        reason,
        "{} {}",
        match kind {
            ChangeKind::Add => "added",
            ChangeKind::Extend => "changed the expiry of",
            ChangeKind::Remove => "removed",
            ChangeKind::Restore => "restored",
            ChangeKind::Recover => "recovered",
        },
        counted(records.len(), "exemption")
    );
}

fn ids(records: &[Record]) -> String {
    let named = records
        .iter()
        .take(MOST_NAMED)
        .map(|record| record.id.to_string());
    let named = named.collect::<Vec<_>>().join(", ");
    match records.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::record;

    #[test]
    fn the_first_ten_ids_are_named_and_the_others_counted() {
        let records: Vec<_> = (1..=12)
            .map(|number| record(number, "Example KK", "198.51.100.8/29"))
            .collect();
        assert_eq!(ids(&records[..1]), "00000000000000000000000001");
        assert_eq!(ids(&records[..10]).matches(", ").count(), 9);
        let text = ids(&records);
        assert!(text.ends_with("000000000A and 2 more"), "{text}");
    }
}
