//! The parameters of requests: paths, queries and headers.

use std::{net::IpAddr, time::Duration};

use axum::extract::FromRequestParts;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use op25b_common::{Reason, Tunnel};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::limits::{LONGEST_WAIT, SUBSCRIBERS};
use super::super::openapi::{Address, ReasonText, SEARCHED, SearchText};
use super::newest::Page;
use crate::{
    api::Problem,
    enforcer::Connection,
    exemption::{Invalid, limits, search::Pattern},
    report::{
        EventQuery, RateQuery, RateSort, SortOrder, SubscriberQuery,
        exemptions::{Cursor, Selection},
        shown_reason,
    },
    store::{self, OperationQuery, Revision, Texts},
    time::{Reader, TimeError},
};

/// The shortest and the longest time that a reload may wait for its confirmation.
const SHORTEST_CONFIRMATION: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_CONFIRMATION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The query of a request.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub(super) T);

/// The variable part of a path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct Path<T>(pub(super) T);

/// The header that makes a request idempotent; it is read with the caller.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct IdempotencyKey {
    /// A key of the client's choice, quoted or bare. A request that repeats one with the same key is answered, and not
    /// executed again.
    #[param(rename = "Idempotency-Key", value_type = String, required = false, min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9._-]+$", example = "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    idempotency_key: Option<String>,
}

/// The filters and the page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
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
pub(super) struct HistoryQuery {
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

/// Which operations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationsQuery {
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
pub(super) struct ReadsQuery {
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

/// How to reload.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReloadQuery {
    /// Only report what would change.
    #[serde(default)]
    #[param(default = false)]
    pub(super) dry_run: bool,
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
    pub(super) fn since(&self) -> Result<Option<Timestamp>, Problem> {
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
    pub(super) fn confirm_within(&self) -> Result<Option<Duration>, Problem> {
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

/// The reason of a removal.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// The reason, for the history.
    #[param(value_type = ReasonText, inline, example = "OPS-1100: contract ended")]
    reason: String,
}

/// Which subscribers are listed, and how many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SubscribersQuery {
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

/// Which events are listed, how many, and whether the answer waits for them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Those after the event with this number: the value of `next` of the page before. Without it, the newest.
    #[param(value_type = Option<u64>, required = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    after: Option<u64>,
    /// How long to wait for an event if there is none that matches, such as `20s`: at most 25 s.
    #[param(value_type = String, required = false, min_length = 2, max_length = 100, example = "20s")]
    wait: Option<String>,
    /// The most events of the page.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
    /// Only those of subscribers of this pool.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200)]
    pool: Option<String>,
    /// Only those of subscribers in this prefix, or with this address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.0/24")]
    within: Option<String>,
    /// Only those with this reason of the verdict table, such as `blocked`.
    #[param(value_type = String, required = false, pattern = "^[a-z_]+$", example = "blocked")]
    reason: Option<String>,
    /// Why they are read, for the record of that (`GET /v1/reads`). The policy may require it.
    #[param(value_type = ReasonText, inline, required = false)]
    why: Option<String>,
}

/// The same as it is understood.
pub(super) struct AskedEvents {
    pub(super) query: EventQuery,
    pub(super) page: Page,
    pub(super) why: Option<String>,
}

/// Which subscribers are watched, and how many of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RatesQuery {
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

/// A connection to explain.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The source address.
    #[param(value_type = Address, inline)]
    pub(super) source: IpAddr,
    /// The destination address; by default one that no rule names.
    #[param(value_type = Address, inline, required = false)]
    pub(super) destination: Option<IpAddr>,
    /// The TCP destination port.
    #[serde(default = "smtp")]
    #[param(minimum = 1, maximum = 65535, default = 25)]
    pub(super) port: u16,
    /// The interface that the packet arrives on; by default the subscriber interfaces of the policy.
    #[param(value_type = String, required = false, min_length = 1, max_length = 127, example = "eth1")]
    pub(super) interface: Option<String>,
    /// The VLAN ids of the packet's tags, the outermost first, with commas between them.
    #[param(value_type = String, required = false, pattern = "^[0-9]{1,4}(,[0-9]{1,4}){0,3}$", example = "100")]
    pub(super) vlan: Option<String>,
    /// The kinds of tunnels that it is in, as in the policy, the outermost first, with a comma between them. `source` is then
    /// that of the outer packet.
    #[param(value_type = String, required = false, pattern = "^(4in6|6in4|4in4|6in6|gre|eogre|l2tp)(,(4in6|6in4|4in4|6in6|gre|eogre|l2tp))?$", example = "4in6")]
    pub(super) tunnel: Option<String>,
    /// The source inside each of them, with a comma between them: by default that of RFC 6333 in `4in6`, and the outer source in
    /// the others.
    #[param(value_type = String, required = false, min_length = 2, max_length = 100, pattern = "^[0-9A-Fa-f:.]+(,[0-9A-Fa-f:.]+)?$", example = "192.0.0.2")]
    pub(super) inner_source: Option<String>,
}

/// The most items of a page.
const MOST: u32 = 1000;
/// The largest integer that every JSON parser reads exactly.
const LAST_REVISION: Revision = (1 << 53) - 1;

pub(super) fn default_limit() -> u32 {
    100
}

fn default_top() -> u32 {
    20
}

fn smtp() -> u16 {
    25
}

impl ListQuery {
    /// Parses the filters, as of an instant.
    ///
    /// The import is found in the store.
    pub(super) fn read(self, now: Timestamp) -> Result<(Selection, Option<String>), Problem> {
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

impl SubscribersQuery {
    /// Parses the criteria and the reason.
    pub(super) fn read(self) -> Result<(SubscriberQuery, Option<String>), Problem> {
        check_reason("reason", self.reason.as_deref())?;
        let top = usize::try_from(self.top).map_err(|error| Problem::internal(error.to_string()))?;
        if !(1..=SUBSCRIBERS).contains(&top) {
            return Err(Problem::bad_request(format!("`top` must be 1 to {SUBSCRIBERS}")));
        }
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
                .map_err(|error| Problem::bad_request(format!("`sort`: {error}")))?,
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

impl EventsQuery {
    /// Parses the criteria, the time and the reason.
    pub(super) fn read(self) -> Result<AskedEvents, Problem> {
        check_reason("why", self.why.as_deref())?;
        let within = self.within.as_deref().map(prefix).transpose()?;
        Ok(AskedEvents {
            query: EventQuery {
                pool: self.pool,
                within: within.map(|net| net.trunc()),
                reason: self.reason.as_deref().map(shown).transpose()?,
            },
            page: page(self.after, self.wait.as_deref(), self.limit)?,
            why: self.why,
        })
    }
}

/// Which page of items is asked for.
pub(super) fn page(after: Option<u64>, wait: Option<&str>, most: u32) -> Result<Page, Problem> {
    let wait = match wait {
        None => Duration::ZERO,
        Some(text) => {
            let read = Reader::new(Timestamp::now(), &TimeZone::UTC).duration(text);
            let wait = read.map_err(|error| Problem::bad_request(format!("`wait`: {error}")))?;
            wait.unsigned_abs()
        }
    };
    if wait > LONGEST_WAIT {
        return Err(Problem::bad_request(format!(
            "`wait` must be at most {}s",
            LONGEST_WAIT.as_secs()
        )));
    }
    Ok(Page {
        after,
        wait,
        limit: limit(most)?,
    })
}

impl RatesQuery {
    /// Parses the criteria and the reason.
    pub(super) fn read(self) -> Result<(RateQuery, Option<String>), Problem> {
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

impl HistoryQuery {
    /// Parses the filters, as of an instant. The import is found in the store.
    pub(super) fn read(self, now: Timestamp) -> Result<(store::HistoryQuery, Option<String>), Problem> {
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

impl OperationsQuery {
    /// The filter, with one operation more than asked for: it shows whether there are more.
    pub(super) fn read(&self) -> Result<(OperationQuery, usize), Problem> {
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
    pub(super) fn read(self) -> Result<(OperationQuery, Option<IpNet>, usize), Problem> {
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

impl RemoveQuery {
    /// The reason.
    pub(super) fn read(self) -> Result<String, Problem> {
        check_reason("reason", Some(&self.reason))?;
        Ok(self.reason)
    }
}

impl ExplainQuery {
    /// The connection, if there can be such a one.
    pub(super) fn read(self) -> Result<Connection, Problem> {
        if self.port == 0 {
            return Err(Problem::bad_request("`port` must be 1 to 65535"));
        }
        let is_in_tunnel = self.tunnel.is_some();
        match self.destination {
            // The other way round, a policy with `nat64` has an address for it, or it is DS-Lite.
            Some(destination) if self.source.is_ipv4() && destination.is_ipv6() && !is_in_tunnel => Err(
                Problem::invalid("`source` and `destination` are of different address families"),
            ),
            destination => Ok(Connection {
                destination,
                port: self.port,
                vlan: items("vlan", self.vlan.as_deref(), |id| id.parse().ok())?,
                tunnels: items("tunnel", self.tunnel.as_deref(), tunnel)?,
                inner_sources: items("inner_source", self.inner_source.as_deref(), |address| {
                    address.parse().ok()
                })?,
                interface: self.interface,
                ..Connection::from(self.source)
            }),
        }
    }
}

/// A reason whose packets have events.
fn shown(name: &str) -> Result<Reason, Problem> {
    shown_reason(name).map_err(|error| Problem::bad_request(format!("`reason`: {error}")))
}

/// What is searched for.
pub(super) fn pattern(name: &str, text: Option<&str>) -> Result<Option<Pattern>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    limits::text(name, text, SEARCHED).map_err(|invalid| bad_request(&invalid))?;
    let pattern = Pattern::new(text);
    pattern
        .map(Some)
        .ok_or_else(|| Problem::bad_request(format!("`{name}` is empty")))
}

/// The items of a list with commas between them.
fn items<T>(name: &str, text: Option<&str>, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Problem> {
    let items = text.into_iter().flat_map(|text| text.split(','));
    let read = |text: &str| {
        let wrong = || {
            Problem::bad_request(format!(
                "`{name}` must be a list with commas: {text:?} is not one of its items"
            ))
        };
        item(text).ok_or_else(wrong)
    };
    items.map(read).collect()
}

fn tunnel(name: &str) -> Option<Tunnel> {
    Tunnel::ALL.into_iter().find(|tunnel| tunnel.name() == name)
}

/// Refuses a reason that could not be recorded, in the parameter of this name.
pub(super) fn check_reason(name: &str, reason: Option<&str>) -> Result<(), Problem> {
    check_text(name, reason, limits::PROSE)
}

/// Refuses a text that is empty or too long, in the parameter of this name.
pub(super) fn check_text(name: &str, text: Option<&str>, most: usize) -> Result<(), Problem> {
    let checked = text.map_or(Ok(()), |text| limits::text(name, text, most));
    checked.map_err(|invalid| bad_request(&invalid))
}

fn bad_request(invalid: &Invalid) -> Problem {
    Problem::bad_request(invalid.to_string())
}

fn limit(limit: u32) -> Result<usize, Problem> {
    number("limit", limit, MOST)
}

/// How many items are wanted.
fn number(name: &str, number: u32, most: u32) -> Result<usize, Problem> {
    if !(1..=most).contains(&number) {
        return Err(Problem::bad_request(format!("`{name}` must be 1 to {most}")));
    }
    usize::try_from(number).map_err(|error| Problem::internal(error.to_string()))
}

/// Reads a time, or a length of time from now, of a parameter.
pub(super) fn read_time(
    name: &str,
    text: &str,
    read: impl FnOnce(&str) -> Result<Timestamp, TimeError>,
) -> Result<Timestamp, Problem> {
    limits::text(name, text, limits::EXPIRY).map_err(|invalid| bad_request(&invalid))?;
    read(text).map_err(|error| Problem::bad_request(format!("`{name}`: {error}")))
}

fn cursor(text: &str) -> Result<Cursor, Problem> {
    let cursor = text.parse();
    cursor.map_err(|why| Problem::bad_request(format!("`after` is not the `next` of a page: {why}")))
}

/// Parses a prefix; an address is a prefix of full length.
pub(super) fn prefix(text: &str) -> Result<IpNet, Problem> {
    let net = text
        .parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.ok_or_else(|| {
        Problem::invalid("`in` must be a prefix or an address, such as 198.51.100.0/24 or 2001:db8::1")
    })
}
