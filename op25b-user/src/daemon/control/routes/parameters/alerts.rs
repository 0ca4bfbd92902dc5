//! The parameters of a request for alerts.

use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    super::{super::openapi::ReasonText, newest::Page},
    values::{check_reason, check_text, default_limit, page, prefix},
};
use crate::{api::Problem, exemption::limits, report::AlertQuery};

/// Which alerts are listed, how many, and whether the answer waits for them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct AlertsQuery {
    /// Those after the alert with this number: the value of `next` of the page before. Without it, the newest.
    #[param(value_type = Option<u64>, required = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    after: Option<u64>,
    /// How long to wait for an alert if there is none that matches, such as `20s`: at most 25 s.
    #[param(value_type = String, required = false, min_length = 2, max_length = 100, example = "20s")]
    wait: Option<String>,
    /// The most alerts of the page.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
    /// Only those about subscribers of this pool.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200)]
    pool: Option<String>,
    /// Only those about subscribers in this prefix, or about the subscriber of this address.
    #[serde(rename = "in")]
    #[param(value_type = String, required = false, min_length = 2, max_length = 64, pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", example = "198.51.100.0/24")]
    within: Option<String>,
    /// The name of a program that sends them to somebody: how many wait for it, those that match and follow `after`, is a metric. The 16
    /// that have asked last are known, for a day.
    #[param(value_type = String, required = false, min_length = 1, max_length = 200, example = "abuse")]
    sender: Option<String>,
    /// Why they are read, for the record of that (`GET /v1/reads`). The policy may require it.
    #[param(value_type = ReasonText, inline, required = false)]
    reason: Option<String>,
}

/// What is asked for.
pub(in super::super) struct AskedAlerts {
    pub(in super::super) query: AlertQuery,
    pub(in super::super) page: Page,
    pub(in super::super) sender: Option<String>,
    pub(in super::super) reason: Option<String>,
}

impl AlertsQuery {
    /// Parses all of it.
    pub(in super::super) fn read(self) -> Result<AskedAlerts, Problem> {
        check_reason("reason", self.reason.as_deref())?;
        check_text("sender", self.sender.as_deref(), limits::NAME)?;
        let within = self.within.as_deref().map(prefix).transpose()?;
        let query = AlertQuery {
            pool: self.pool,
            within: within.map(|net| net.trunc()),
        };
        Ok(AskedAlerts {
            query,
            page: page(self.after, self.wait.as_deref(), self.limit)?,
            sender: self.sender,
            reason: self.reason,
        })
    }
}
