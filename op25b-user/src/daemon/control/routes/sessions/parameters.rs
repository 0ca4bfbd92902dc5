//! The parameters of requests about sessions.

use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::{
    super::openapi::{ReasonText, SearchText},
    parameters::{check_reason, number, pattern, prefix, read_time},
    reads::Read,
};
use crate::{api::Problem, store::sessions::SessionQuery, time::Reader};

/// The most sessions of a list.
const MOST: u32 = 10_000;

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct SessionsQuery {
    /// Only those that may have lasted at this time: an instant by RFC 3339, or how long ago, such as `2h`. Dates and times without an
    /// offset are in the time zone of the router.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "2026-03-31T03:12:00Z")]
    at: Option<String>,
    /// Only those that may have lasted at this time or later.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "7d")]
    since: Option<String>,
    /// Only those that began before this time, or up to the end of a date.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "2026-03-31")]
    until: Option<String>,
    /// Only those of a prefix that overlaps this prefix or address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.7")]
    within: Option<String>,
    /// Only those of customers with this in the name, found as in the list of exemptions.
    #[param(value_type = SearchText, inline, required = false)]
    customer: Option<String>,
    /// Why they are read, for the record of that (`GET /v1/reads`). The policy may require it.
    #[param(value_type = ReasonText, inline, required = false)]
    reason: Option<String>,
    /// The most sessions.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 10000, default = 1000)]
    limit: u32,
}

/// How sessions are imported.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ImportQuery {
    /// Only report what would be done.
    #[serde(default)]
    #[param(default = false)]
    pub(super) dry_run: bool,
}

fn default_limit() -> u32 {
    1000
}

impl SessionsQuery {
    /// The filter, the most sessions, and what is recorded of the read.
    pub(super) fn read(self) -> Result<(SessionQuery, usize, Read), Problem> {
        let Self {
            at,
            since,
            until,
            within,
            customer,
            reason,
            limit,
        } = self;
        check_reason("reason", reason.as_deref())?;
        let limit = number("limit", limit, MOST)?;
        let time_zone = TimeZone::system();
        let reader = Reader::new(Timestamp::now(), &time_zone);
        let beginning = |name, text: Option<String>| {
            text.map(|text| read_time(name, &text, |text| reader.beginning(text)))
                .transpose()
        };
        let query = SessionQuery {
            at: beginning("at", at)?,
            since: beginning("since", since)?,
            until: until
                .map(|text| read_time("until", &text, |text| reader.back_until(text)))
                .transpose()?,
            within: within.as_deref().map(prefix).transpose()?,
            customer: pattern("customer", customer.as_deref())?,
        };
        let read = Read {
            what: "sessions",
            within: query.within.map(|net| net.trunc()),
            customer,
            reason,
            ..Read::default()
        };
        Ok((query, limit, read))
    }
}
