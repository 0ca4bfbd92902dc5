//! The exemptions of a diagnosis: when one that is not in force ended, and the order in which they are listed.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::{api::Exemption, store::State};

/// When an exemption ended or was removed, whichever was first; none of one that is in force.
fn ended_at(exemption: &Exemption) -> Option<Timestamp> {
    let (removed, expires) = (exemption.removed_at, exemption.terms.expires_at);
    match exemption.state {
        State::Active => None,
        State::Expired => expires,
        State::Removed if was_removed_in_force(exemption) => removed,
        State::Removed => expires.or(removed),
    }
}

/// Whether it was removed while it was in force.
pub(crate) fn was_removed_in_force(exemption: &Exemption) -> bool {
    let end = exemption.terms.expires_at;
    let removed = exemption.removed_at;
    removed.is_some_and(|removed| end.is_none_or(|end| removed < end))
}

/// Sorts exemptions as they are listed: those in force first, then those that ended last.
pub(crate) fn sort(exemptions: &mut [Exemption]) {
    exemptions.sort_by_cached_key(|one| (one.state != State::Active, Reverse(ended_at(one)), one.id.clone()));
}
