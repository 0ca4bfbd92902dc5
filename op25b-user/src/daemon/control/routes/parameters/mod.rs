//! The parameters of requests: paths, queries and headers.

mod alerts;
mod events;
mod exemptions;
mod explain;
mod operations;
mod reload;
mod subscribers;
mod values;

use axum::extract::FromRequestParts;
use utoipa::IntoParams;

pub(super) use self::{
    alerts::{AlertsQuery, AskedAlerts},
    events::{AskedEvents, EventsQuery},
    exemptions::{HistoryQuery, ListQuery, RemoveQuery},
    explain::ExplainQuery,
    operations::{OperationsQuery, ReadsQuery},
    reload::ReloadQuery,
    subscribers::{RatesQuery, SubscribersQuery},
    values::{check_reason, number, pattern, prefix, read_time},
};
use crate::api::Problem;

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
