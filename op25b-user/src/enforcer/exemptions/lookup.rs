//! Finding the exemption that a request is about.

use jiff::{Timestamp, tz::TimeZone};

use super::{commit::Access, refusal::Refusal};
use crate::{
    enforcer::{host::Host, state::Enforcer},
    policy::{self, characters::printable},
    store::{Actor, Event, Record, State, Store, StoreError, ids},
    time::show,
};

/// A stored exemption, in whatever state.
struct Named {
    record: Record,
    /// Its last change, if it is removed; after a recovery the audit may lack it.
    removal: Option<Event>,
}

impl Enforcer {
    /// The stored exemption that is not removed and has the id of a request, or the only one whose id begins with it.
    pub(super) async fn stored(&mut self, id: &str, host: &mut impl Host) -> Result<Record, Refusal> {
        self.check_not_in_file(id)?;
        // Without the disk.
        if let Some(record) = ids::whole(id).and_then(|id| self.active_set.record(id)) {
            return Ok(record.clone());
        }
        let Named { record, removal } = self.named(id, host).await?;
        if let Some(at) = record.removed_at {
            return Err(Refusal::Conflict(is_removed(&record, at, removal.as_ref())));
        }
        Ok(record)
    }

    /// The removed exemption with the id of a request, or the only one whose id begins with it.
    pub(super) async fn removed(&mut self, id: &str, host: &mut impl Host) -> Result<Record, Refusal> {
        self.check_not_in_file(id)?;
        let Named { record, .. } = self.named(id, host).await?;
        match record.state(Timestamp::now()) {
            State::Removed => Ok(record),
            State::Active => Err(Refusal::Conflict(format!(
                "{} is not removed: it is in force",
                name(&record)
            ))),
            State::Expired => Err(Refusal::Conflict(format!(
                "{} is not removed: it ended {}; `op25b exempt extend {} --expires WHEN` brings it back",
                name(&record),
                show::end(record.terms.expires_at, &TimeZone::system()),
                record.id,
            ))),
        }
    }

    async fn named(&mut self, id: &str, host: &mut impl Host) -> Result<Named, Refusal> {
        let text = id.to_owned();
        let found = self
            .with_store(Access::Read, host, move |store| find(store, &text))
            .await??;
        match found {
            ids::Found::One(named) => Ok(named),
            ids::Found::None => Err(Refusal::Unknown(id.to_owned())),
            ids::Found::Ambiguous(ambiguous) => Err(Refusal::Invalid(ambiguous.to_string())),
        }
    }

    /// Refuses an exemption of the policy file.
    fn check_not_in_file(&self, id: &str) -> Result<(), Refusal> {
        match self.position_in_file(id) {
            None => Ok(()),
            Some(position) => Err(Refusal::InFile(format!(
                "{id} is an exemption of the policy file: edit {position}, then run `op25b reload`"
            ))),
        }
    }

    /// The position of an exemption in the policy file or in a list: its file and line.
    fn position_in_file(&self, id: &str) -> Option<String> {
        let policy = self.active_set.policy();
        let exemptions = policy.exemptions_in_file();
        let mut indices = 0..exemptions.len();
        let index = indices.find(|index| policy::exemption_id(&policy.lists, exemptions, *index) == id)?;
        let at = exemptions[index].positions()?.exemption();
        let list = at.list(&policy.lists);
        let file = list.map_or(&self.description.policy_file, |list| &list.path);
        Some(format!("{}:{}", file.display(), at.line))
    }
}

fn find(store: &mut dyn Store, text: &str) -> Result<ids::Found<Named>, StoreError> {
    ids::find(store, text)?.try_map(|id| {
        let Some(record) = store.get(id)? else {
            return Ok(None);
        };
        let mut removal = None;
        if record.removed_at.is_some() {
            // The last change of a removed one is its removal.
            let events = store.events(Some(id), record.revision.saturating_sub(1), 1)?;
            removal = events.into_iter().find(|event| event.revision == record.revision);
        }
        Ok(Some(Named { record, removal }))
    })
}

/// `exemption 01K… of Example KK was removed 2026-11-28 23:09:35 +09:00 by tanaka: contract ended; …`
fn is_removed(record: &Record, at: Timestamp, removal: Option<&Event>) -> String {
    let by = removal.map_or_else(String::new, |event| format!(" by {}", actor(&event.by)));
    let reason = removal.and_then(|event| event.reason.as_deref());
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", printable(reason)));
    format!(
        "{} was removed {}{by}{reason}; `op25b exempt restore {}` brings it back",
        name(record),
        show::instant(at, &TimeZone::system()),
        record.id
    )
}

fn name(record: &Record) -> String {
    format!("exemption {} of {}", record.id, printable(&record.terms.customer))
}

fn actor(actor: &Actor) -> String {
    if actor.name == actor.uid.to_string() {
        format!("uid {}", actor.uid)
    } else {
        printable(&actor.name).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        ChangeKind,
        fake::{actor as operator, record},
    };

    #[test]
    fn a_removed_one_is_named_with_when_by_whom_why_and_what_restores_it() {
        let at: Timestamp = "2026-11-28T14:09:35Z".parse().unwrap();
        let record = Record {
            removed_at: Some(at),
            revision: 2,
            ..record(7, "Example KK", "198.51.100.8/29")
        };
        let removal = Event {
            revision: 2,
            at,
            by: operator(),
            action: ChangeKind::Remove,
            reason: Some("contract\nended".to_owned()),
            before: None,
            after: record.clone(),
        };
        let id = record.id;
        let text = is_removed(&record, at, Some(&removal));
        assert_eq!(
            text,
            format!(
                "exemption {id} of Example KK was removed {} by operator: contract ended; `op25b exempt restore {id}` brings it \
                 back",
                show::instant(at, &TimeZone::system())
            )
        );
        let unknown = is_removed(&record, at, None);
        assert!(
            unknown.contains(&format!(
                "was removed {}; `op25b",
                show::instant(at, &TimeZone::system())
            )),
            "{unknown}"
        );
    }
}
