//! The names of the JSON documents of the command line and the API, and the member that holds a document's name.

use std::fmt;

use serde::{Serialize, Serializer};

/// A kind of document. Its number changes when a member is removed or changes its meaning, not when one is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// An alert about a subscriber, as it is sent.
    Alert,
    /// Alerts about subscribers.
    Alerts,
    /// What `op25b check` finds.
    Check,
    /// A reload that was confirmed.
    Confirm,
    /// What happens to the packets of an address or a customer.
    Diagnose,
    /// What would go wrong on a machine.
    Doctor,
    /// An exemption that was added, extended, removed or restored.
    ExemptChange,
    /// Exemptions, as `op25b exempt import` reads them.
    ExemptExport,
    /// An event of a packet, in a line of its own.
    Event,
    /// Events of packets.
    Events,
    /// What a filter had counted when it was detached.
    Detached,
    /// The changes of exemptions.
    ExemptHistory,
    /// The outcome of an import.
    ExemptImport,
    /// A list of exemptions.
    ExemptList,
    /// Exemptions that were removed together.
    ExemptRemoval,
    /// One exemption.
    ExemptShow,
    /// The verdict on a connection.
    Explain,
    /// The prefixes of pools.
    ExportPrefixes,
    /// The pauses after a pause or its end.
    Pause,
    /// Why a command was refused or failed.
    Problem,
    /// The outcome of a reload.
    Reload,
    /// What subscribers or customers did in a period.
    Report,
    /// The roll-out of each pool.
    Rollout,
    /// The outcome of an import of sessions.
    SessionImport,
    /// A list of sessions.
    SessionList,
    /// What is enforced.
    Status,
    /// Subscribers whose packets were blocked.
    Subscribers,
    /// Rates, and the subscribers who do most.
    Top,
}

impl Schema {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Alert,
        Self::Alerts,
        Self::Check,
        Self::Confirm,
        Self::Diagnose,
        Self::Detached,
        Self::Doctor,
        Self::Event,
        Self::Events,
        Self::ExemptChange,
        Self::ExemptExport,
        Self::ExemptHistory,
        Self::ExemptImport,
        Self::ExemptList,
        Self::ExemptRemoval,
        Self::ExemptShow,
        Self::Explain,
        Self::ExportPrefixes,
        Self::Pause,
        Self::Problem,
        Self::Reload,
        Self::Report,
        Self::Rollout,
        Self::SessionImport,
        Self::SessionList,
        Self::Status,
        Self::Subscribers,
        Self::Top,
    ];

    /// Its name, the value of the member `schema`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "op25b.alert/1",
            Self::Alerts => "op25b.alerts/1",
            Self::Check => "op25b.check/1",
            Self::Confirm => "op25b.confirm/1",
            Self::Diagnose => "op25b.diagnose/1",
            Self::Detached => "op25b.detached/1",
            Self::Doctor => "op25b.doctor/1",
            Self::Event => "op25b.event/1",
            Self::Events => "op25b.events/1",
            Self::ExemptChange => "op25b.exempt-change/1",
            Self::ExemptExport => "op25b.exempt-export/1",
            Self::ExemptHistory => "op25b.exempt-history/1",
            Self::ExemptImport => "op25b.exempt-import/1",
            Self::ExemptList => "op25b.exempt-list/1",
            Self::ExemptRemoval => "op25b.exempt-removal/1",
            Self::ExemptShow => "op25b.exempt-show/1",
            Self::Explain => "op25b.explain/1",
            Self::ExportPrefixes => "op25b.export-prefixes/1",
            Self::Pause => "op25b.pause/1",
            Self::Problem => "op25b.problem/1",
            Self::Reload => "op25b.reload/1",
            Self::Report => "op25b.report/1",
            Self::Rollout => "op25b.rollout/1",
            Self::SessionImport => "op25b.session-import/1",
            Self::SessionList => "op25b.session-list/1",
            Self::Status => "op25b.status/1",
            Self::Subscribers => "op25b.subscribers/1",
            Self::Top => "op25b.top/1",
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A document with its name as the first member. A reader of the body alone skips that member.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Document<T> {
    schema: Schema,
    #[serde(flatten)]
    body: T,
}

impl<T: Serialize> Document<T> {
    /// A document; the body serializes as an object.
    pub const fn new(schema: Schema, body: T) -> Self {
        Self { schema, body }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_is_the_first_member() {
        let document = Document::new(Schema::Reload, json!({ "changes": null, "a": 1 }));
        let text = serde_json::to_string(&document).unwrap();
        assert!(text.starts_with(r#"{"schema":"op25b.reload/1","#), "{text}");
    }

    #[test]
    fn every_document_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Schema::ALL.iter().map(|schema| schema.name()).collect();
        assert_eq!(names.len(), Schema::ALL.len());
    }
}
