//! Exemptions of the policy file and of the store.

use jiff::Timestamp;
use op25b_common::values::{NEVER, UnixSeconds};
use smol_str::SmolStr;
use ulid::Ulid;

use super::position::{FileNumber, List, Position, Prefix};
use crate::exemption::Terms;

/// A customer's right to use the blocked ports.
///
/// There may be a million exemptions, so no field has spare capacity, and short strings are stored inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// The terms.
    pub terms: Terms,
    /// Where it is kept.
    pub origin: Origin,
    /// What lists do not have, and the store keeps by itself.
    pub(crate) registration: Option<Box<Registration>>,
}

/// What the policy file may have of an exemption, besides the terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The operator's key, unique among the exemptions of the file.
    pub(crate) id: Option<SmolStr>,
    /// When it was agreed on.
    pub(crate) created: Option<Timestamp>,
}

/// Where an exemption is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the policy file or in a list that it names, at these positions.
    File(Positions),
    /// In the store, under this id.
    Store(Ulid),
}

/// The positions of an exemption and its prefixes, which are all in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    file: FileNumber,
    exemption: Place,
    prefixes: PrefixPlaces,
}

/// A position without its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: u32,
    column: u32,
}

/// The places of prefixes. Nearly all exemptions have one prefix, and then take no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PrefixPlaces {
    One(Place),
    Several(Box<[Place]>),
}

impl Exemption {
    /// An exemption with these terms alone.
    #[must_use]
    pub const fn new(terms: Terms, origin: Origin) -> Self {
        Self {
            terms,
            origin,
            registration: None,
        }
    }

    /// The operator's key.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.registration.as_ref()?.id.as_deref()
    }

    /// When it was agreed on, if the policy file says so.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.registration.as_ref()?.created
    }

    /// The end of its term as the program represents it: it holds while `now < until`.
    #[must_use]
    pub fn until(&self) -> UnixSeconds {
        // Validation refuses times too late for 32 bits; times too early for them are in the past in any case.
        self.terms.expires_at.map_or(NEVER, |end| {
            u32::try_from(end.as_second().max(0)).unwrap_or(NEVER)
        })
    }

    /// Its positions in the policy file or in a list; `None` if it is from the store.
    #[must_use]
    pub fn positions(&self) -> Option<&Positions> {
        match &self.origin {
            Origin::File(positions) => Some(positions),
            Origin::Store(_) => None,
        }
    }

    /// Whether it is from the policy file or a list, and not from the store.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        self.positions().is_some()
    }

    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        !self.terms.have_expired(now)
    }
}

impl Positions {
    /// The positions of an exemption with these prefixes.
    #[must_use]
    pub fn new(exemption: Position, prefixes: &[Prefix]) -> Self {
        let prefixes = match prefixes {
            [prefix] => PrefixPlaces::One(Place::of(prefix.at)),
            prefixes => PrefixPlaces::Several(prefixes.iter().map(|prefix| Place::of(prefix.at)).collect()),
        };
        Self {
            file: exemption.file,
            exemption: Place::of(exemption),
            prefixes,
        }
    }

    /// The position of the exemption.
    #[must_use]
    pub fn exemption(&self) -> Position {
        self.exemption.in_file(self.file)
    }

    /// The position of the prefix with an index; that of the exemption if there is no such prefix.
    #[must_use]
    pub fn prefix(&self, index: usize) -> Position {
        let place = match &self.prefixes {
            PrefixPlaces::One(place) => (index == 0).then_some(place),
            PrefixPlaces::Several(places) => places.get(index),
        };
        place.unwrap_or(&self.exemption).in_file(self.file)
    }
}

impl Place {
    fn of(position: Position) -> Self {
        Self {
            line: position.line,
            column: position.column,
        }
    }

    fn in_file(self, file: FileNumber) -> Position {
        Position {
            file,
            line: self.line,
            column: self.column,
        }
    }
}

/// The part of an exemption that decides which of several applies.
///
/// Walking prefixes in their order accesses exemptions at random; these copies are small and close together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Precedence {
    pub(crate) until: UnixSeconds,
    /// Whether it has destinations.
    pub(crate) is_restricted: bool,
}

impl Precedence {
    pub(crate) fn of(exemption: &Exemption) -> Self {
        Self {
            until: exemption.until(),
            is_restricted: !exemption.terms.destinations.is_empty(),
        }
    }

    pub(crate) fn of_all(exemptions: &[Exemption]) -> Vec<Self> {
        exemptions.iter().map(Self::of).collect()
    }
}

/// The id of the exemption at an index: the `id` in the policy file; or `line-` and its line, with the column for all but the first
/// of a line; the name of its list and its line, such as `customers.csv:12`; the ULID of one from the store.
#[must_use]
pub fn exemption_id(lists: &[List], exemptions: &[Exemption], index: usize) -> String {
    let exemption = &exemptions[index];
    if let Some(id) = exemption.id() {
        return id.to_string();
    }
    let at = match &exemption.origin {
        Origin::File(positions) => positions.exemption(),
        Origin::Store(id) => return id.to_string(),
    };
    if at.list(lists).is_some() {
        return at.line_of(lists);
    }
    let Position { line, column, .. } = at;
    let before = index.checked_sub(1).map(|before| &exemptions[before]);
    let before = before.and_then(Exemption::positions);
    if before.is_some_and(|before| before.exemption().line == line) {
        format!("line-{line}-{column}")
    } else {
        format!("line-{line}")
    }
}
