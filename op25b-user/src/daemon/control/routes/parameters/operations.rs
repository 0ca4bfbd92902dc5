//! The parameters of requests about what was done, and what was read.

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use utoipa::IntoParams;

use super::values::{default_limit, limit, prefix, read_time};
use crate::{api::Problem, store::OperationQuery, time::Reader};

/// Which operations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct OperationsQuery {
    /// Only those within this time, such as `14d` (`s`, `m`, `h`, `d`, `w`, `mo` or `y`), or since an instant by RFC 3339.
    /// Dates and times without an offset are in the time zone of the router.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "14d")]
    since: Option<String>,
    /// The most operations.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// Whose reading of subscribers' records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ReadsQuery {
    /// Only those within this time, such as `14d` (`s`, `m`, `h`, `d`, `w`, `mo` or `y`), or since an instant by RFC 3339.
    /// Dates and times without an offset are in the time zone of the router.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "14d")]
    since: Option<String>,
    /// Only those that asked for exactly this prefix or address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.10")]
    within: Option<String>,
    /// The most that are listed.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

impl OperationsQuery {
    /// The filter, with one operation more than asked for: it shows whether there are more.
    pub(in super::super) fn read(&self) -> Result<(OperationQuery, usize), Problem> {
        let (now, time_zone) = (Timestamp::now(), TimeZone::system());
        let reader = Reader::new(now, &time_zone);
        let since = self
            .since
            .as_deref()
            .map(|text| read_time("since", text, |text| reader.beginning(text)));
        let limit = limit(self.limit)?;
        let query = OperationQuery {
            since: since.transpose()?,
            reads: false,
            limit: limit + 1,
        };
        Ok((query, limit))
    }
}

impl ReadsQuery {
    /// The filter of the store, the prefix, and how many are listed. All are read for a prefix, as only its digest is stored.
    pub(in super::super) fn read(self) -> Result<(OperationQuery, Option<IpNet>, usize), Problem> {
        let within = self.within.as_deref().map(prefix).transpose()?;
        let operations = OperationsQuery {
            since: self.since,
            limit: self.limit,
        };
        let (query, limit) = operations.read()?;
        let query = OperationQuery {
            reads: true,
            limit: if within.is_some() { usize::MAX } else { query.limit },
            ..query
        };
        Ok((query, within.map(|net| net.trunc()), limit))
    }
}
