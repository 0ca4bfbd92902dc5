//! The order in which a diagnosis lists exemptions.

use std::cmp::Reverse;

use crate::{api::Exemption, store::State};

/// Sorts exemptions as they are listed: those in force first, then those that ended last.
pub(crate) fn sort(exemptions: &mut [Exemption]) {
    exemptions.sort_by_cached_key(|one| {
        (
            one.state != State::Active,
            Reverse(one.ended_at()),
            one.id.clone(),
        )
    });
}
