//! Pauses: the requests, and the responses to them.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    exemption::{Invalid, limits},
    policy::Pause,
    time::Reader,
};

/// A pause that begins now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// The pools; without any, everything that blocks is paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// How long it lasts, such as `30m` or `2h30m`; 24 hours at most. Without it, it lasts until it is resumed.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, example = "30m")]
    pub lasts: Option<String>,
    /// The reason.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// The end of pauses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The pools; without any, all pauses are ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub reason: Option<String>,
}

/// The response to a pause or to its end. The program in the kernel enforces it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseAnswer {
    /// The pauses that are in force now.
    pub pauses: Vec<Pause>,
    /// The pauses that the request has ended.
    pub ended: Vec<Pause>,
    /// Warnings.
    pub warnings: Vec<String>,
}

impl PauseRequest {
    /// The length of a pause that begins now, or what is wrong with it.
    pub(crate) fn length(text: &str, now: Timestamp) -> Result<SignedDuration, String> {
        let duration = Reader::new(now, &TimeZone::system()).duration(text);
        let duration = duration.map_err(|error| error.to_string())?;
        if duration > Pause::LONGEST {
            return Err(
                "a pause that ends by itself lasts 24 hours at most, and can be prolonged by another one; without a length it lasts \
                 until it is resumed"
                    .to_owned(),
            );
        }
        Ok(duration)
    }

    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        check_pools(&self.pools)?;
        if let Some(lasts) = &self.lasts {
            limits::text("for", lasts, limits::EXPIRY)?;
        }
        limits::text("reason", &self.reason, limits::PROSE)
    }
}

impl ResumeRequest {
    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        check_pools(&self.pools)?;
        match &self.reason {
            Some(reason) => limits::text("reason", reason, limits::PROSE),
            None => Ok(()),
        }
    }
}

fn check_pools(pools: &[String]) -> Result<(), Invalid> {
    let mut pools = pools.iter();
    pools.try_for_each(|pool| limits::text("pools", pool, limits::NAME))
}
