//! The paths of the API and their handlers.

mod alerts;
mod changes;
mod daemon;
mod events;
mod exemptions;
mod forget;
mod history;
mod newest;
mod operations;
mod parameters;
mod pauses;
mod rates;
mod reads;
mod sessions;

use axum::{Extension, Router, middleware::from_fn_with_state};
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    openapi::{Document, Head},
    problem,
    roles::{self, Role},
    shared::Shared,
};

/// The routes, with their description and responses to everything else.
pub(super) fn router(shared: Shared) -> Router {
    let (router, document) = documented().split_for_parts();
    router
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::unknown_method)
        .layer(Extension(Document::new(document)))
        .with_state(shared)
}

/// The routes, with their description, each below the role that it takes.
fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(for_role(
            Role::View,
            OpenApiRouter::new()
                .routes(routes!(daemon::status))
                .routes(routes!(daemon::metrics))
                .routes(routes!(rates::rates))
                .routes(routes!(operations::operations))
                .routes(routes!(daemon::describe)),
        ))
        .merge(for_role(
            Role::Desk,
            OpenApiRouter::new()
                .routes(routes!(daemon::subscribers))
                .routes(routes!(events::events))
                .routes(routes!(alerts::alerts))
                .routes(routes!(rates::subscriber_rates))
                .routes(routes!(daemon::explain))
                .routes(routes!(exemptions::list, changes::add))
                .routes(routes!(exemptions::get, changes::extend, changes::remove))
                .routes(routes!(changes::restore))
                .routes(routes!(history::exemption_history))
                .routes(routes!(history::exemption_expiries))
                .routes(routes!(history::history))
                .routes(routes!(history::expiries))
                .routes(routes!(sessions::list, sessions::report)),
        ))
        .merge(for_role(
            Role::Everything,
            OpenApiRouter::new()
                .routes(routes!(daemon::reload))
                .routes(routes!(daemon::confirm))
                .routes(routes!(reads::reads, reads::note_read))
                .routes(routes!(forget::forget))
                .routes(routes!(forget::forget_customer))
                .routes(routes!(pauses::pause))
                .routes(routes!(pauses::resume))
                .routes(routes!(changes::remove_many))
                .routes(routes!(changes::import))
                .routes(routes!(sessions::import)),
        ))
}

/// Routes that take a role. A method that they do not have is answered without one.
fn for_role(role: Role, routes: OpenApiRouter<Shared>) -> OpenApiRouter<Shared> {
    routes.route_layer(from_fn_with_state(role, roles::permit))
}

/// The routes' description.
#[cfg(test)]
pub(super) fn document() -> Document {
    Document::new(documented().into_openapi())
}
