//! The parameters of a request for events.

use op25b_common::Reason;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    super::{super::openapi::ReasonText, newest::Page},
    values::{check_reason, default_limit, page, prefix},
};
use crate::{
    api::Problem,
    report::{EventQuery, shown_reason},
};

/// Which events are listed, how many, and whether the answer waits for them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct EventsQuery {
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
pub(in super::super) struct AskedEvents {
    pub(in super::super) query: EventQuery,
    pub(in super::super) page: Page,
    pub(in super::super) why: Option<String>,
}

impl EventsQuery {
    /// Parses the criteria, the time and the reason.
    pub(in super::super) fn read(self) -> Result<AskedEvents, Problem> {
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

/// A reason whose packets have events.
fn shown(name: &str) -> Result<Reason, Problem> {
    shown_reason(name).map_err(|error| Problem::invalid(format!("`reason`: {error}")))
}
