//! Finds a record by its id or by the beginning of its id.

use std::fmt;

use smol_str::SmolStr;
use ulid::Ulid;

use super::{Records, StoreError};
use crate::{counted::counted, policy::characters::printable};

/// The fewest characters of a beginning.
const SHORTEST: usize = 4;
/// The characters of a whole id.
const WHOLE: usize = ulid::ULID_LEN;
/// The most ids that are named where a beginning is not unique.
const NAMED: usize = 5;

/// What is found by an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The one that has it.
    One(T),
    /// None has it.
    None,
    /// Several ids begin with it.
    Ambiguous(Ambiguous),
}

/// The beginning of several ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// The beginning, in capitals.
    beginning: String,
    /// What has the ids.
    what: &'static str,
    /// How many ids begin with it; `None` if more than are named.
    count: Option<usize>,
    /// The first of them, each with what tells it from others.
    first: Vec<(Ulid, SmolStr)>,
}

/// The id of the record, in whatever state, that a text names: its id or a unique beginning of it, in capitals or not.
///
/// # Errors
///
/// [`StoreError`] if the store cannot be read.
pub fn find<R: Records + ?Sized>(store: &R, text: &str) -> Result<Found<Ulid>, StoreError> {
    let Some((first, last)) = range(text) else {
        return Ok(Found::None);
    };
    let (ids, count) = store.ids_between(first, last, NAMED)?;
    match ids[..] {
        [] => Ok(Found::None),
        [id] => Ok(Found::One(id)),
        _ => {
            let mut first = Vec::with_capacity(ids.len());
            for id in ids {
                let customer = store
                    .get(id)?
                    .map_or_else(SmolStr::default, |record| record.terms.customer);
                first.push((id, customer));
            }
            Ok(Found::Ambiguous(Ambiguous {
                beginning: text.to_ascii_uppercase(),
                what: "exemptions",
                count: Some(count),
                first,
            }))
        }
    }
}

/// The import that a text names: its id or a unique beginning of it, in capitals or not.
///
/// # Errors
///
/// [`StoreError`] if the store cannot be read.
pub fn find_batch<R: Records + ?Sized>(store: &R, text: &str) -> Result<Found<Ulid>, StoreError> {
    let Some((first, last)) = range(text) else {
        return Ok(Found::None);
    };
    // One more than is named.
    let batches = store.batches_between(first, last, NAMED + 1)?;
    match batches[..] {
        [] => Ok(Found::None),
        [(batch, _)] => Ok(Found::One(batch)),
        _ => Ok(Found::Ambiguous(Ambiguous {
            beginning: text.to_ascii_uppercase(),
            what: "imports",
            count: (batches.len() <= NAMED).then_some(batches.len()),
            first: batches
                .into_iter()
                .take(NAMED)
                .map(|(id, added)| (id, counted(added, "exemption").into()))
                .collect(),
        })),
    }
}

/// The id that a text is.
#[must_use]
pub fn whole(text: &str) -> Option<Ulid> {
    range(text)
        .filter(|(first, last)| first == last)
        .map(|(id, _)| id)
}

/// The first and the last id that begin with a text; `None` if it is no id and no beginning of one.
fn range(text: &str) -> Option<(Ulid, Ulid)> {
    // An id has 128 bits, and 26 characters could have 130: the library drops the first two.
    let begins_one = matches!(text.as_bytes().first(), Some(b'0'..=b'7'));
    if !(SHORTEST..=WHOLE).contains(&text.len()) || !text.is_ascii() || !begins_one {
        return None;
    }
    let padded = |with: char| {
        let rest = std::iter::repeat_n(with, WHOLE - text.len());
        let id: String = text.chars().chain(rest).collect();
        Ulid::from_string(&id).ok()
    };
    Some((padded('0')?, padded('Z')?))
}

impl<T> Found<T> {
    /// The same, of another type.
    pub fn try_map<U, E>(self, map: impl FnOnce(T) -> Result<Option<U>, E>) -> Result<Found<U>, E> {
        Ok(match self {
            Self::One(found) => map(found)?.map_or(Found::None, Found::One),
            Self::None => Found::None,
            Self::Ambiguous(ambiguous) => Found::Ambiguous(ambiguous),
        })
    }
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            beginning,
            what,
            count,
            first,
        } = self;
        match count {
            Some(count) => write!(f, "the ids of {count} {what} begin with {beginning}: ")?,
            None => write!(f, "the ids of many {what} begin with {beginning}: ")?,
        }
        for (index, (id, customer)) in first.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{id} ({})", printable(customer))?;
        }
        match count {
            Some(count) if *count > first.len() => write!(f, " and {} more", count - first.len())?,
            Some(_) => {}
            None => f.write_str(" and more")?,
        }
        f.write_str("; write more of the id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::{Fake, record};

    fn store() -> Fake {
        let id = |text: &str| u128::from(Ulid::from_string(text).unwrap());
        Fake::of([
            record(id("01KAXQ3T5BH6Z8W2N4R7C9D1EF"), "Example KK", "198.51.100.8/29"),
            record(id("01KAXQ3T5BH6Z8W2N4R7C9D1EG"), "Other GmbH", "198.51.100.16/29"),
            record(id("01KB00000000000000000000AA"), "Third SARL", "198.51.100.24/29"),
        ])
    }

    #[test]
    fn a_unique_beginning_of_an_id_names_it_in_capitals_or_not() {
        let whole = "01KB00000000000000000000AA";
        let id = Ulid::from_string(whole).unwrap();
        for text in [whole, "01KB", "01kb0", "01Kb00000000000000000000a"] {
            assert_eq!(find(&store(), text), Ok(Found::One(id)), "{text}");
        }
        for text in [
            "",
            "01K",
            "01KC",
            "01KB1",
            "81KB",
            "01KU",
            "line-31",
            "01KB株",
            &format!("{whole}A"),
        ] {
            assert_eq!(find(&store(), text), Ok(Found::None), "{text}");
        }
    }

    #[test]
    fn a_beginning_of_several_ids_is_refused_with_how_many_and_which() {
        let Ok(Found::Ambiguous(ambiguous)) = find(&store(), "01kax") else {
            panic!("it is not ambiguous");
        };
        assert_eq!(
            ambiguous.to_string(),
            "the ids of 2 exemptions begin with 01KAX: 01KAXQ3T5BH6Z8W2N4R7C9D1EF (Example KK), 01KAXQ3T5BH6Z8W2N4R7C9D1EG \
             (Other GmbH); write more of the id"
        );
        let many = Fake::of((0..12).map(|number| record(number, "Example KK", "198.51.100.8/29")));
        let Ok(Found::Ambiguous(ambiguous)) = find(&many, "0000") else {
            panic!("it is not ambiguous");
        };
        let text = ambiguous.to_string();
        assert!(
            text.starts_with("the ids of 12 exemptions begin with 0000: "),
            "{text}"
        );
        assert!(
            text.ends_with("(Example KK) and 7 more; write more of the id"),
            "{text}"
        );
    }
}
