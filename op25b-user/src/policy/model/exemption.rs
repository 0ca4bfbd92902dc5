//! An exemption, as the policy file or the store has it.

use jiff::Timestamp;
use op25b_common::values::{NEVER, UnixSeconds};
use smol_str::SmolStr;

use super::position::{Position, Prefix};

/// Somebody who may use the blocked ports.
///
/// There may be a million of them, so nothing here has room to grow, and short texts are in it and not elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// The operator's own key for it, unique among exemptions.
    pub id: Option<SmolStr>,
    /// Who it is.
    pub customer: SmolStr,
    /// Their source addresses.
    pub prefixes: Box<[Prefix]>,
    /// Where they may connect to; everywhere if empty.
    pub destinations: Box<[Prefix]>,
    /// The ticket that asked for it.
    pub ticket: Option<SmolStr>,
    /// Anything else worth knowing.
    pub note: Option<SmolStr>,
    /// When it was agreed.
    pub created: Option<Timestamp>,
    /// The first instant at which it no longer holds, in whole seconds.
    pub expires: Option<Timestamp>,
    /// Where the file says so; line 0 if it is not the file that does, but the store of those added at run time.
    pub at: Position,
}

impl Exemption {
    /// Until when it holds, as the kernel counts: it holds while `now < until`.
    #[must_use]
    pub fn until(&self) -> UnixSeconds {
        // Validation refuses what is too late for 32 bits; what is too early for them has passed anyway.
        self.expires.map_or(NEVER, |end| {
            u32::try_from(end.as_second().max(0)).unwrap_or(NEVER)
        })
    }

    /// Whether the policy file has it, rather than the store.
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

/// What of an exemption decides which of several wins.
///
/// Prefixes are walked through in their order, which jumps about in a million exemptions; these lie close together.
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
