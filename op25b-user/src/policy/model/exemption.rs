//! Exemptions of the policy file and of the store.

use jiff::Timestamp;
use op25b_common::values::{NEVER, UnixSeconds};
use smol_str::SmolStr;

use super::position::{Position, Prefix};

/// A customer's right to use the blocked ports.
///
/// There may be a million exemptions, so no field has spare capacity, and short strings are stored inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// The operator's key, unique among exemptions.
    pub id: Option<SmolStr>,
    /// The customer.
    pub customer: SmolStr,
    /// The customer's source prefixes.
    pub prefixes: Box<[Prefix]>,
    /// The destinations that the customer may connect to; all if empty.
    pub destinations: Box<[Prefix]>,
    /// The ticket of the request.
    pub ticket: Option<SmolStr>,
    /// Remarks.
    pub note: Option<SmolStr>,
    /// When it was agreed on.
    pub created: Option<Timestamp>,
    /// The first instant at which it no longer holds, in whole seconds.
    pub expires: Option<Timestamp>,
    /// Its position in the policy file; line 0 if it is from the store.
    pub at: Position,
}

impl Exemption {
    /// Its end as the program represents it: it holds while `now < until`.
    #[must_use]
    pub fn until(&self) -> UnixSeconds {
        // Validation refuses times too late for 32 bits; times too early for them are in the past in any case.
        self.expires.map_or(NEVER, |end| {
            u32::try_from(end.as_second().max(0)).unwrap_or(NEVER)
        })
    }

    /// Whether it is from the policy file and not from the store.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        self.at != Position::default()
    }

    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
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
            is_restricted: !exemption.destinations.is_empty(),
        }
    }

    pub(crate) fn of_all(exemptions: &[Exemption]) -> Vec<Self> {
        exemptions.iter().map(Self::of).collect()
    }
}

/// The id of a policy file's exemption at an index: its `id`, or `line-` and its line, with the column for all but the first of
/// a line.
#[must_use]
pub fn exemption_id(exemptions: &[Exemption], index: usize) -> String {
    let exemption = &exemptions[index];
    if let Some(id) = &exemption.id {
        return id.to_string();
    }
    let Position { line, column } = exemption.at;
    let before = index.checked_sub(1).map(|before| exemptions[before].at.line);
    if before == Some(line) {
        format!("line-{line}-{column}")
    } else {
        format!("line-{line}")
    }
}
