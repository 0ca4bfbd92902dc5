//! The parameters of requests, in paths and queries.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::openapi::Address;
use crate::{
    api::{Problem, bounds, duration},
    report::exemptions::{Cursor, Wanted},
    store::Revision,
};

/// The query of a request.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub(super) T);

/// What is variable in a path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct Path<T>(pub(super) T);

/// The header by which a repetition is known; it is read with who asks.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct IdempotencyKey {
    /// A key of your choice, in quotes or without: a request that was done already is answered as it was then, and not done
    /// again.
    #[param(rename = "Idempotency-Key", value_type = String, required = false, min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9._-]+$", example = "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    idempotency_key: Option<String>,
}

/// Which page of a list, and of what.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Those of this customer, exactly.
    #[param(value_type = String, required = false, min_length = 1, max_length = 1000)]
    customer: Option<String>,
    /// Those that are active and end within this time, such as `14d` (`s`, `m`, `h`, `d` or `w`).
    #[param(value_type = String, required = false, pattern = "^[0-9]{1,5}[smhdw]$", example = "14d")]
    expiring: Option<String>,
    /// Those with a prefix that has an address in common with this prefix or address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.0/24")]
    within: Option<String>,
    /// Expired and removed ones, too.
    #[serde(default)]
    #[param(default = false)]
    all: bool,
    /// Those behind a page: what was `next` there.
    #[param(value_type = String, required = false, pattern = "^(p[0-9]{1,9}\\.[0-9]{1,9}|s[0-7][0-9A-HJKMNP-TV-Z]{25})$")]
    after: Option<String>,
    /// At most so many.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// Which page of a history.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// What happened after this revision: what was `next` on the page before.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_i64, default = 0)]
    after: Revision,
    /// At most so many.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// Whether to do it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReloadQuery {
    /// Only say what would change.
    #[serde(default)]
    #[param(default = false)]
    pub(super) dry_run: bool,
}

/// Why something is removed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// Why, for the history.
    #[param(min_length = 1, max_length = 1000, example = "OPS-1100: contract ended")]
    reason: String,
}

/// Which connection.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// Who opens it.
    #[param(value_type = Address, inline)]
    pub(super) source: IpAddr,
    /// To whom; to somebody whom no rule names, if not said.
    #[param(value_type = Address, inline, required = false)]
    pub(super) destination: Option<IpAddr>,
    /// To which TCP port.
    #[serde(default = "mail")]
    #[param(minimum = 1, maximum = 65535, default = 25)]
    pub(super) port: u16,
}

/// The most items of a page.
const MOST: u32 = 1000;
/// The largest number that every JSON reader reads as it is.
const LAST_REVISION: Revision = (1 << 53) - 1;

fn usual_limit() -> u32 {
    100
}

fn mail() -> u16 {
    25
}

impl ListQuery {
    /// What is wanted, as of an instant.
    pub(super) fn read(self, now: Timestamp) -> Result<Wanted, Problem> {
        if let Some(customer) = &self.customer {
            bounds::text("customer", customer, 1).map_err(Problem::bad_request)?;
        }
        let expiring_before = match &self.expiring {
            None => None,
            Some(text) => Some(end(text, now)?),
        };
        let within = self.within.as_deref().map(prefix).transpose()?;
        let after = match &self.after {
            None => None,
            Some(text) => Some(cursor(text)?),
        };
        Ok(Wanted {
            customer: self.customer,
            expiring_before,
            within,
            all: self.all,
            after,
            limit: limit(self.limit)?,
        })
    }
}

impl HistoryQuery {
    /// After which revision, and how many.
    pub(super) fn read(&self) -> Result<(Revision, usize), Problem> {
        if self.after > LAST_REVISION {
            return Err(Problem::bad_request(format!(
                "`after` is at most {LAST_REVISION}"
            )));
        }
        Ok((self.after, limit(self.limit)?))
    }
}

impl RemoveQuery {
    /// Why.
    pub(super) fn read(self) -> Result<String, Problem> {
        bounds::text("reason", &self.reason, 1).map_err(Problem::bad_request)?;
        Ok(self.reason)
    }
}

impl ExplainQuery {
    /// Whether it can be asked.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.port == 0 {
            return Err(Problem::bad_request("`port` is 1 to 65535"));
        }
        match self.destination {
            Some(destination) if destination.is_ipv4() != self.source.is_ipv4() => Err(Problem::invalid(
                "`source` and `destination` are of different address families",
            )),
            _ => Ok(()),
        }
    }
}

fn limit(limit: u32) -> Result<usize, Problem> {
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is 1 to {MOST}")));
    }
    usize::try_from(limit).map_err(|error| Problem::internal(error.to_string()))
}

fn end(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let end = duration(text).and_then(|duration| now.checked_add(duration).ok());
    end.ok_or_else(|| Problem::bad_request("`expiring` is a time such as 12h, 14d or 2w"))
}

fn cursor(text: &str) -> Result<Cursor, Problem> {
    let cursor = text.parse();
    cursor.map_err(|why| Problem::bad_request(format!("`after` is of no page: {why}")))
}

/// A prefix, or an address as a prefix of its own.
fn prefix(text: &str) -> Result<IpNet, Problem> {
    let net = text
        .parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.ok_or_else(|| {
        Problem::invalid("`in` is a prefix or an address, such as 198.51.100.0/24 or 2001:db8::1")
    })
}
