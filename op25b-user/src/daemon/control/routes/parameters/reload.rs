//! The parameters of a reload.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{api::Problem, time::Reader};

/// The shortest and the longest time that a reload may wait for its confirmation.
const SHORTEST_CONFIRMATION: SignedDuration = SignedDuration::from_secs(1);

const LONGEST_CONFIRMATION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How to reload.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ReloadQuery {
    /// Only report what would change.
    #[serde(default)]
    #[param(default = false)]
    pub(in super::super) dry_run: bool,
    /// Go back to the policy that is enforced now unless the reload is confirmed within this time, such as `90s`,
    /// `5m` or `2h`: from a second to a week. Not together with `dry_run`.
    #[serde(default)]
    #[param(value_type = String, required = false, min_length = 2, max_length = 100, example = "5m")]
    confirm_within: Option<String>,
    /// With `dry_run`: subscribers count for the impact whose last attempt is not older than this, such as `24h` or
    /// `2026-11-28T00:00:00Z`. The default is a day.
    #[serde(default)]
    #[param(value_type = String, required = false, min_length = 2, max_length = 100, example = "24h")]
    since: Option<String>,
}

impl ReloadQuery {
    /// Since when attempts count for the impact.
    pub(in super::super) fn since(&self) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = &self.since else {
            return Ok(None);
        };
        if !self.dry_run {
            return Err(Problem::invalid(
                "since: only a dry run says who becomes blocked or free",
            ));
        }
        let since = Reader::new(Timestamp::now(), &TimeZone::UTC).beginning(text);
        since
            .map(Some)
            .map_err(|error| Problem::invalid(format!("since: {error}")))
    }

    /// The time within which the reload is to be confirmed.
    pub(in super::super) fn confirm_within(&self) -> Result<Option<Duration>, Problem> {
        let Some(text) = &self.confirm_within else {
            return Ok(None);
        };
        if self.dry_run {
            return Err(Problem::invalid(
                "confirm_within: a dry run changes nothing that could be confirmed",
            ));
        }
        let read = Reader::new(Timestamp::now(), &TimeZone::UTC).duration(text);
        let within = read.map_err(|error| Problem::invalid(format!("confirm_within: {error}")))?;
        if !(SHORTEST_CONFIRMATION..=LONGEST_CONFIRMATION).contains(&within) {
            return Err(Problem::invalid(
                "confirm_within: write a time from 1s to 7d, such as 5m for five minutes",
            ));
        }
        Ok(Some(within.unsigned_abs()))
    }
}
