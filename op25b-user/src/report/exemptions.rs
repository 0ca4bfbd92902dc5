//! Lists the exemptions of the policy file and of the store together, and the changes of the stored ones.
//!
//! Those of the policy file come first, in the order of the file, then those of its lists; then the stored ones by ascending id. A [`Cursor`] is a
//! position in both.

use std::{fmt, path::Path, str::FromStr};

use ipnet::IpNet;
use jiff::Timestamp;
use thiserror::Error;
use ulid::Ulid;

use crate::{
    api::{Exemption, FilePosition, HistoryEntry, HistoryExpiry, Origin, Page, Removal},
    exemption::Checks,
    policy::{self, FileNumber, List, Policy, Position},
    store::{
        self, ChangeKind, Event, Expiry, HistoryQuery, Records, State, StoreError, Texts,
        ids::{self, Found},
    },
};

/// The exemptions of a policy file.
#[derive(Clone, Copy, Debug)]
pub struct FileExemptions<'a> {
    /// The file.
    pub file: &'a Path,
    /// The lists that it names.
    pub lists: &'a [List],
    /// The policy's; those that have no position in a file are not the file's, and left out.
    pub exemptions: &'a [policy::Exemption],
}

/// Which exemptions are listed; a criterion that is absent selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those with these texts.
    pub texts: Texts,
    /// Those that this import added.
    pub batch: Option<Ulid>,
    /// Those that are active and expire before this.
    pub expiring_before: Option<Timestamp>,
    /// Those with a prefix that has an address in common with this one.
    pub within: Option<IpNet>,
    /// Expired and removed ones as well.
    pub all: bool,
    /// Those after this position.
    pub after: Option<Cursor>,
    /// The most that are listed.
    pub limit: usize,
}

/// A position in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// After the exemption at this position of the policy file or of a list.
    File(Position),
    /// After a stored exemption.
    Store(Ulid),
}

/// The text is not a cursor.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a cursor: pass the value of `next` from the page before")]
pub struct InvalidCursor;

/// The syntax of a [`Cursor`], as a regular expression.
pub const CURSOR: &str =
    "^(p[0-9]{1,9}\\.[0-9]{1,9}|l[0-9]{1,4}\\.[0-9]{1,9}\\.[0-9]{1,9}|s[0-7][0-9A-HJKMNP-TV-Z]{25})$";

/// A page of the selected exemptions, as of `now`.
pub fn list(
    policy: FileExemptions<'_>,
    store: &dyn Records,
    selection: &Selection,
    now: Timestamp,
) -> Result<Page<Exemption>, StoreError> {
    // One more than fits shows whether there is a next page.
    let most = selection.limit.saturating_add(1);
    let mut items = policy.selected(selection, now, most);
    if items.len() < most {
        let query = store::Query {
            texts: selection.texts.clone(),
            batch: selection.batch,
            expiring_before: selection.expiring_before,
            within: selection.within,
            all: selection.all,
            after: match selection.after {
                Some(Cursor::Store(id)) => Some(id),
                Some(Cursor::File(_)) | None => None,
            },
            limit: most - items.len(),
        };
        let stored = store.list(&query, now)?.into_iter();
        items.extend(stored.map(|record| (Cursor::Store(record.id), Exemption::stored(record, now))));
    }
    let next = cut(&mut items, selection.limit).map(|(cursor, _)| cursor.to_string());
    let mut items: Vec<_> = items.into_iter().map(|(_, exemption)| exemption).collect();
    note_removals(&mut items, store)?;
    Ok(Page { items, next })
}

/// Notes which stored exemptions a policy refuses without `force`.
pub(crate) fn note_force(exemptions: &mut [Exemption], policy: &Policy) {
    let stored = |exemption: &&mut Exemption| exemption.origin == Origin::Store;
    let mut stored = exemptions.iter_mut().filter(stored).peekable();
    if stored.peek().is_some() {
        let checks = Checks::of(policy);
        for exemption in stored {
            exemption.needs_force = checks.refuse(&exemption.terms);
        }
    }
}

/// The exemption with an id; of a stored one the beginning is enough. Who removed it is included.
pub fn find(
    policy: FileExemptions<'_>,
    store: &dyn Records,
    id: &str,
    now: Timestamp,
) -> Result<Found<Exemption>, StoreError> {
    if let Some(exemption) = policy.find(id, now) {
        return Ok(Found::One(exemption));
    }
    ids::find(store, id)?.try_map(|id| {
        let Some(record) = store.get(id)? else {
            return Ok(None);
        };
        let mut exemption = Exemption::stored(record, now);
        note_removals(std::slice::from_mut(&mut exemption), store)?;
        Ok(Some(exemption))
    })
}

/// Notes who removed stored exemptions, and why: the last change of a removed one is its removal.
fn note_removals(exemptions: &mut [Exemption], store: &dyn Records) -> Result<(), StoreError> {
    for exemption in exemptions {
        let (Some(_), Some(revision), Some(id)) = (
            exemption.removed_at,
            exemption.revision,
            ids::whole(&exemption.id),
        ) else {
            continue;
        };
        // After a recovery the audit may lack it.
        let events = store.events(Some(id), revision.saturating_sub(1), 1)?;
        let is_removal = |event: &Event| event.revision == revision && event.action == ChangeKind::Remove;
        let removal = events.into_iter().find(is_removal);
        exemption.removal = removal.map(|event| Removal {
            by: event.by,
            reason: event.reason,
        });
    }
    Ok(())
}

/// A page of the changes of stored exemptions.
pub fn history(
    store: &dyn Records,
    query: &HistoryQuery,
    now: Timestamp,
) -> Result<Page<HistoryEntry>, StoreError> {
    let mut events = store.history(&one_more(query))?;
    let next = cut(&mut events, query.limit).map(|event| event.revision.to_string());
    let items = events.into_iter().map(|event| entry(event, now)).collect();
    Ok(Page { items, next })
}

/// A page of the expiries of stored exemptions that were reached.
pub fn expiries(
    store: &dyn Records,
    query: &HistoryQuery,
    now: Timestamp,
) -> Result<Page<HistoryExpiry>, StoreError> {
    let mut expiries = store.expiries(&one_more(query), now)?;
    let count = query.after.saturating_add(query.limit as u64);
    let next = cut(&mut expiries, query.limit).map(|_| count.to_string());
    let items = expiries.into_iter().map(|Expiry { at, record }| HistoryExpiry {
        at,
        exemption: Exemption::stored(record, now),
    });
    Ok(Page {
        items: items.collect(),
        next,
    })
}

/// The query with one more than fits in a page, which shows whether there is a next one.
fn one_more(query: &HistoryQuery) -> HistoryQuery {
    HistoryQuery {
        limit: query.limit.saturating_add(1),
        ..query.clone()
    }
}

/// Truncates a list to `limit` items. Returns the last one, if there were more.
fn cut<T>(items: &mut Vec<T>, limit: usize) -> Option<&T> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more)
}

fn entry(event: Event, now: Timestamp) -> HistoryEntry {
    HistoryEntry {
        revision: event.revision,
        at: event.at,
        by: event.by,
        action: event.action,
        reason: event.reason,
        before: event.before.map(|record| Exemption::stored(record, now)),
        after: Exemption::stored(event.after, now),
    }
}

impl FileExemptions<'_> {
    fn selected(self, selection: &Selection, now: Timestamp, most: usize) -> Vec<(Cursor, Exemption)> {
        let after = match selection.after {
            Some(Cursor::Store(_)) => return Vec::new(),
            Some(Cursor::File(after)) => Some(after),
            None => None,
        };
        let exemptions = self.exemptions.iter().enumerate();
        exemptions
            // Those of the store have no position in the file.
            .filter_map(|(index, exemption)| Some((index, exemption, exemption.positions()?.exemption())))
            .filter(|(_, exemption, at)| Some(*at) > after && selection.selects(exemption, now))
            .take(most)
            .map(|(index, _, at)| (Cursor::File(at), self.exemption(index, at, now)))
            .collect()
    }

    fn find(self, id: &str, now: Timestamp) -> Option<Exemption> {
        (0..self.exemptions.len()).find_map(|index| {
            let exemption = &self.exemptions[index];
            let at = exemption.positions()?.exemption();
            let may_be = exemption.id().is_none_or(|it| it == id);
            let is_found = may_be && policy::exemption_id(self.lists, self.exemptions, index) == id;
            is_found.then(|| self.exemption(index, at, now))
        })
    }

    fn exemption(self, index: usize, at: Position, now: Timestamp) -> Exemption {
        let exemption = &self.exemptions[index];
        Exemption {
            id: policy::exemption_id(self.lists, self.exemptions, index),
            origin: Origin::Policy,
            terms: exemption.terms.clone(),
            created_at: exemption.created(),
            created_by: None,
            removed_at: None,
            removal: None,
            batch: None,
            state: state(exemption, now),
            revision: None,
            place: Some(FilePosition {
                file: at
                    .list(self.lists)
                    .map_or(self.file, |list| &list.path)
                    .to_owned(),
                line: at.line,
                column: at.column,
            }),
            needs_force: false,
        }
    }
}

impl Selection {
    /// Whether an exemption of the policy file is selected; the store applies the criteria to its own.
    fn selects(&self, exemption: &policy::Exemption, now: Timestamp) -> bool {
        let active = state(exemption, now) == State::Active;
        let overlaps = |within: IpNet| {
            let mut prefixes = exemption.terms.prefixes.iter();
            prefixes.any(|net| net.contains(&within) || within.contains(net))
        };
        let expires_before =
            |before: Timestamp| active && exemption.terms.expires_at.is_some_and(|expires| expires < before);
        self.batch.is_none()
            && (self.all || active)
            && self.texts.match_terms(&exemption.terms)
            && self.within.is_none_or(overlaps)
            && self.expiring_before.is_none_or(expires_before)
    }
}

fn state(exemption: &policy::Exemption, now: Timestamp) -> State {
    if exemption.terms.have_expired(now) {
        State::Expired
    } else {
        State::Active
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(Position { file, line, column }) => match file.list() {
                None => write!(f, "p{line}.{column}"),
                Some(list) => write!(f, "l{list}.{line}.{column}"),
            },
            Self::Store(id) => write!(f, "s{id}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let digits = |text: &str| -> Result<u32, InvalidCursor> {
            if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(InvalidCursor);
            }
            text.parse().map_err(|_| InvalidCursor)
        };
        if let Some(id) = text.strip_prefix('s') {
            return ids::whole(id).map(Self::Store).ok_or(InvalidCursor);
        }
        let (file, position) = match (text.strip_prefix('p'), text.strip_prefix('l')) {
            (Some(position), _) => (FileNumber::POLICY, Some(position)),
            (None, Some(text)) => {
                let (list, position) = text.split_once('.').ok_or(InvalidCursor)?;
                let list = FileNumber::of_list(digits(list)? as usize).ok_or(InvalidCursor)?;
                (list, Some(position))
            }
            (None, None) => (FileNumber::POLICY, None),
        };
        let position = position.and_then(|text| text.split_once('.'));
        let (line, column) = position.ok_or(InvalidCursor)?;
        Ok(Self::File(Position {
            file,
            line: digits(line)?,
            column: digits(column)?,
        }))
    }
}

#[cfg(test)]
mod tests;
