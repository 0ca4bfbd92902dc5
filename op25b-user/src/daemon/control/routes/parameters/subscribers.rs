//! The parameters of requests about subscribers: their records and their rates.

use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    super::super::{limits::SUBSCRIBERS, openapi::ReasonText},
    values::{MOST, check_reason, default_top, number, prefix, read_time},
};
use crate::{
    api::Problem,
    report::{RateQuery, RateSort, SortOrder, SubscriberQuery},
    time::Reader,
};

/// Which subscribers are listed, and how many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct SubscribersQuery {
    /// Only those of this pool.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200)]
    pool: Option<String>,
    /// Only those in this prefix, or the one of this address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.0/24")]
    within: Option<String>,
    /// Only those with a packet within this time, such as `14d` (`s`, `m`, `h`, `d`, `w`, `mo` or `y`), or since an instant by RFC 3339.
    /// Dates and times without an offset are in the time zone of the router.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "1d")]
    since: Option<String>,
    /// The order: columns separated by commas, of `subscriber`, `pool`, `packets`, `blocked`, `monitored`, `syns`, `hidden`,
    /// `destinations`, `first-seen` and `last-seen`. Numbers and times are sorted with the greatest first; `+` before a column: the
    /// least first, `-`: the greatest.
    #[param(value_type = String, required = false, pattern = "^[-+]?[a-z-]+(,[-+]?[a-z-]+)*$", default = "packets", example = "pool,-packets")]
    sort: Option<String>,
    /// The most that are listed.
    #[serde(default = "default_top")]
    #[param(minimum = 1, maximum = 10000, default = 20)]
    top: u32,
    /// Why they are read, for the record of that (`GET /v1/reads`). The policy may require it.
    #[param(value_type = ReasonText, inline, required = false)]
    reason: Option<String>,
}

/// Which subscribers are watched, and how many of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct RatesQuery {
    /// Only those of this pool.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200)]
    pool: Option<String>,
    /// Only those in this prefix, or the one of this address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.0/24")]
    within: Option<String>,
    /// The order: by packets within the time that is measured (`rate`), destinations, all packets or the time of the last one (`last-seen`);
    /// the most and the latest first. Without it, `rate`.
    #[serde(default)]
    #[param(inline, required = false)]
    sort: RateSort,
    /// The most that are listed.
    #[serde(default = "default_top")]
    #[param(minimum = 1, maximum = 1000, default = 20)]
    top: u32,
    /// Why they are watched, for the record of that (`GET /v1/reads`). The policy may require it.
    #[param(value_type = ReasonText, inline, required = false)]
    reason: Option<String>,
}

impl SubscribersQuery {
    /// Parses the criteria and the reason.
    pub(in super::super) fn read(self) -> Result<(SubscriberQuery, Option<String>), Problem> {
        check_reason("reason", self.reason.as_deref())?;
        let top = number("top", self.top, SUBSCRIBERS)?;
        let since = match &self.since {
            None => None,
            Some(text) => {
                let now = Timestamp::now();
                let time_zone = TimeZone::system();
                let reader = Reader::new(now, &time_zone);
                let since = read_time("since", text, |text| reader.beginning(text))?;
                Some(now.duration_since(since))
            }
        };
        let within = self.within.as_deref().map(prefix).transpose()?;
        let sort = match &self.sort {
            None => SortOrder::default(),
            Some(text) => text
                .parse()
                .map_err(|error| Problem::invalid(format!("`sort`: {error}")))?,
        };
        let query = SubscriberQuery {
            pool: self.pool,
            within: within.map(|net| net.trunc()),
            since,
            sort,
            top,
        };
        Ok((query, self.reason))
    }
}

impl RatesQuery {
    /// Parses the criteria and the reason.
    pub(in super::super) fn read(self) -> Result<(RateQuery, Option<String>), Problem> {
        check_reason("reason", self.reason.as_deref())?;
        let within = self.within.as_deref().map(prefix).transpose()?;
        let query = RateQuery {
            pool: self.pool,
            within: within.map(|net| net.trunc()),
            sort: self.sort,
            top: number("top", self.top, MOST)?,
        };
        Ok((query, self.reason))
    }
}
