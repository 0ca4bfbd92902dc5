//! The parameters of requests about exemptions and their history.

use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    super::super::openapi::{ReasonText, SearchText},
    values::{check_reason, default_limit, limit, pattern, prefix, read_time},
};
use crate::{
    api::Problem,
    report::exemptions::{Cursor, Selection},
    store::{self, Revision, Texts},
    time::Reader,
};

/// The largest integer that every JSON parser reads exactly.
const LAST_REVISION: Revision = (1 << 53) - 1;

/// The filters and the page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ListQuery {
    /// Only those with this in the customer's name. The forms of characters (NFKC) and the number of spaces do not matter, nor do
    /// capitals, unless this has some.
    #[param(value_type = SearchText, inline, required = false)]
    customer: Option<String>,
    /// Only those with this in the ticket, found as a customer is.
    #[param(value_type = SearchText, inline, required = false)]
    ticket: Option<String>,
    /// Only those with this in the note, found as a customer is.
    #[param(value_type = SearchText, inline, required = false)]
    note: Option<String>,
    /// Only those that this import added: its id, or a unique beginning of it.
    #[param(value_type = String, required = false, pattern = "^[0-9A-Za-z]{4,26}$")]
    batch: Option<String>,
    /// Only active ones that expire within this time, such as `14d` (`s`, `m`, `h`, `d`, `w`, `mo` or `y`), or before an instant by
    /// RFC 3339. Dates and times without an offset are in the time zone of the router.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "14d")]
    expiring: Option<String>,
    /// Only those with a prefix that overlaps this prefix or address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.0/24")]
    within: Option<String>,
    /// Include expired and removed ones.
    #[serde(default)]
    #[param(default = false)]
    all: bool,
    /// The next page: the value of `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^(p[0-9]{1,9}\\.[0-9]{1,9}|l[0-9]{1,4}\\.[0-9]{1,9}\\.[0-9]{1,9}|s[0-7][0-9A-HJKMNP-TV-Z]{25})$")]
    after: Option<String>,
    /// The most items of the page.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// The filters and the page of a history.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct HistoryQuery {
    /// Only what happened within this time, such as `12h` (`s`, `m`, `h`, `d`, `w`, `mo` or `y`), or since an instant by RFC 3339. Dates
    /// and times without an offset are in the time zone of the router.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "12h")]
    since: Option<String>,
    /// Only what happened before this time, or up to the end of a date.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "2028-03-31")]
    until: Option<String>,
    /// Only that of exemptions with this in the customer's name, found as in the list.
    #[param(value_type = SearchText, inline, required = false)]
    customer: Option<String>,
    /// Only that of exemptions that this import added: its id, or a unique beginning of it.
    #[param(value_type = String, required = false, pattern = "^[0-9A-Za-z]{4,26}$")]
    batch: Option<String>,
    /// The next page: the value of `next` of the page before. Of changes it is the revision after which to continue.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_i64, default = 0)]
    after: Revision,
    /// The most items of the page.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// The reason of a removal.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct RemoveQuery {
    /// The reason, for the history.
    #[param(value_type = ReasonText, inline, example = "OPS-1100: contract ended")]
    reason: String,
}

impl ListQuery {
    /// Parses the filters, as of an instant.
    ///
    /// The import is found in the store.
    pub(in super::super) fn read(self, now: Timestamp) -> Result<(Selection, Option<String>), Problem> {
        let expiring_before = match &self.expiring {
            None => None,
            Some(text) => {
                let time_zone = TimeZone::system();
                let reader = Reader::new(now, &time_zone);
                Some(read_time("expiring", text, |text| reader.until(text))?)
            }
        };
        let within = self.within.as_deref().map(prefix).transpose()?;
        let after = match &self.after {
            None => None,
            Some(text) => Some(cursor(text)?),
        };
        let selection = Selection {
            batch: None,
            texts: Texts {
                customer: pattern("customer", self.customer.as_deref())?,
                ticket: pattern("ticket", self.ticket.as_deref())?,
                note: pattern("note", self.note.as_deref())?,
            },
            expiring_before,
            within,
            all: self.all,
            after,
            limit: limit(self.limit)?,
        };
        Ok((selection, self.batch))
    }
}

impl HistoryQuery {
    /// Parses the filters, as of an instant. The import is found in the store.
    pub(in super::super) fn read(
        self,
        now: Timestamp,
    ) -> Result<(store::HistoryQuery, Option<String>), Problem> {
        if self.after > LAST_REVISION {
            return Err(Problem::bad_request(format!(
                "`after` must be at most {LAST_REVISION}"
            )));
        }
        let time_zone = TimeZone::system();
        let reader = Reader::new(now, &time_zone);
        let since = self.since.as_deref();
        let since = since.map(|text| read_time("since", text, |text| reader.beginning(text)));
        let until = self.until.as_deref();
        let until = until.map(|text| read_time("until", text, |text| reader.back_until(text)));
        let query = store::HistoryQuery {
            of: None,
            batch: None,
            customer: pattern("customer", self.customer.as_deref())?,
            since: since.transpose()?,
            until: until.transpose()?,
            after: self.after,
            limit: limit(self.limit)?,
        };
        Ok((query, self.batch))
    }
}

impl RemoveQuery {
    /// The reason.
    pub(in super::super) fn read(self) -> Result<String, Problem> {
        check_reason("reason", Some(&self.reason))?;
        Ok(self.reason)
    }
}

fn cursor(text: &str) -> Result<Cursor, Problem> {
    let cursor = text.parse();
    cursor.map_err(|why| Problem::bad_request(format!("`after` is not the `next` of a page: {why}")))
}
