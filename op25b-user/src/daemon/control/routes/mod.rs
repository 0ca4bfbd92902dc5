//! What there is at which path.

mod changes;
mod daemon;
mod exemptions;
mod history;
mod parameters;

use axum::Router;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, openapi, problem};

/// All routes, with their description.
pub(super) fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(daemon::status))
        .routes(routes!(daemon::metrics))
        .routes(routes!(daemon::reload))
        .routes(routes!(daemon::explain))
        .routes(routes!(daemon::describe))
        .routes(routes!(exemptions::list, changes::add))
        .routes(routes!(exemptions::get, changes::extend, changes::remove))
        .routes(routes!(history::exemption_history))
        .routes(routes!(changes::import))
        .routes(routes!(history::history))
}

/// All routes, and answers where there is none.
pub(super) fn router(shared: Shared) -> Router {
    let (router, _) = documented().split_for_parts();
    router
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(shared)
}
