//! How much is blocked now: by pool, and by subscriber.

use axum::{Json, extract::State};

use super::{
    super::{
        openapi::{ReadProblems, Restricted},
        shared::Shared,
    },
    parameters::{Query, RatesQuery},
    reads::{Read, note_once_an_hour},
};
use crate::{
    api::Problem,
    daemon::request::Caller,
    report::{RateQuery, RateSort, Rates, SubscriberRates},
};

/// Reports what the filter has counted, and what the pools do now.
#[utoipa::path(
    get, path = "/v1/rates", tag = "daemon",
    responses((status = 200, description = "The counters, and the pools.", body = Rates), ReadProblems)
)]
pub(super) async fn rates(State(shared): State<Shared>) -> Result<Json<Rates>, Problem> {
    let pools_only = RateQuery {
        pool: None,
        within: None,
        sort: RateSort::Rate,
        top: 0,
    };
    let (rates, _) = shared.rates(pools_only).await?;
    Ok(Json(rates))
}

/// Reports what the filter has counted, what the pools do now, and the subscribers who do most. That somebody watches the same ones,
/// by asking again and again, is recorded once an hour.
#[utoipa::path(
    get, path = "/v1/subscribers/rates", tag = "daemon",
    params(RatesQuery),
    responses(
        (status = 200, description = "The counters, the pools and the first subscribers of the order.", body = SubscriberRates),
        ReadProblems, Restricted
    )
)]
pub(super) async fn subscriber_rates(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<RatesQuery>,
) -> Result<Json<SubscriberRates>, Problem> {
    let (query, reason) = query.read()?;
    let read = Read {
        what: "live view of subscribers",
        pool: query.pool.clone(),
        within: query.within,
        customer: None,
        reason,
    };
    note_once_an_hour(&shared, caller, "reason", read).await?;
    let (rates, measured) = shared.rates(query).await?;
    Ok(Json(SubscriberRates {
        rates,
        remembered: measured.remembered,
        matching: measured.matching,
        active: measured.active,
        subscribers: measured.subscribers,
    }))
}
