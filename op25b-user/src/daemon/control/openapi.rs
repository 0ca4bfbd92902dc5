//! The parts of the API's description that the routes do not bring: its head, the problems, the limits.

use std::{collections::BTreeMap, sync::Arc};

use utoipa::{
    IntoResponses, OpenApi, ToSchema as _,
    openapi::{
        self, Content, Ref, RefOr, Response, ResponseBuilder,
        schema::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type},
    },
};

use super::problem;
use crate::{
    api::{Problem, ProblemKind},
    exemption::limits,
};

/// The document's head; the routes bring the rest.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "op25b control socket",
        description = "The API of a running `op25b run`: HTTP/1.1 over the Unix socket `/run/op25b/control.sock`. \
                       The groups `op25b-view`, `op25b-desk` and `op25b` may use it, each for more than the one before; root and \
                       the daemon's own user may do everything. Errors are `application/problem+json` (RFC 9457). Input that is \
                       not HTTP is answered with a bare 400, and headers that are too long with a bare 431."
    ),
    components(schemas(Problem)),
    tags(
        (name = "daemon", description = "The daemon and its policy."),
        (name = "exemptions", description = "The exemptions of the policy file and of the store."),
        (name = "sessions", description = "Which customer had which address, and when."),
    )
)]
pub(super) struct Head;

/// The document as text, as `GET /v1/openapi.json` returns it and docs/openapi.json holds it.
#[derive(Clone)]
pub(super) struct Document(pub(super) Arc<str>);

/// The limits of properties of schemas. The attributes of the types take literals only.
const LIMITS: [(&str, &str, usize); 23] = [
    ("NewExemption", "customer", limits::NAME),
    ("NewExemption", "prefixes", limits::PREFIXES),
    ("NewExemption", "destinations", limits::PREFIXES),
    ("NewExemption", "ticket", limits::NAME),
    ("NewExemption", "note", limits::PROSE),
    ("NewExemption", "expires", limits::EXPIRY),
    ("ExtendExemption", "expires", limits::EXPIRY),
    ("ExtendExemption", "reason", limits::PROSE),
    ("RemoveExemptions", "reason", limits::PROSE),
    ("RestoreExemption", "expires", limits::EXPIRY),
    ("RestoreExemption", "reason", limits::PROSE),
    ("ImportExemptions", "exemptions", limits::ROWS),
    ("ForgetSubscribers", "older", limits::EXPIRY),
    ("ForgetSubscribers", "reason", limits::PROSE),
    ("NewRead", "pool", limits::NAME),
    ("NewRead", "reason", limits::PROSE),
    ("ForgetCustomer", "customer", limits::NAME),
    ("ForgetCustomer", "reason", limits::PROSE),
    ("PauseRequest", "for", limits::EXPIRY),
    ("PauseRequest", "reason", limits::PROSE),
    ("ResumeRequest", "reason", limits::PROSE),
    ("NewSession", "customer", limits::NAME),
    ("SessionEvent", "customer", limits::NAME),
];

impl Document {
    /// The text of a document, with the limits.
    pub(super) fn new(mut document: openapi::OpenApi) -> Self {
        if let Some(components) = &mut document.components {
            for (schema, property, limit) in LIMITS {
                if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(schema)
                    && let Some(property) = schema.properties.get_mut(property)
                {
                    set_limit(property, limit);
                }
            }
            if let Some(prefix) = components.schemas.get_mut("Prefix") {
                set_limit(prefix, limits::PREFIX);
            }
        }
        let mut text = document.to_pretty_json().unwrap_or_default();
        text.push('\n');
        Self(text.into())
    }
}

/// Sets the most characters of a text, or the most items of a list.
fn set_limit(schema: &mut RefOr<Schema>, limit: usize) {
    match schema {
        RefOr::T(Schema::Object(text)) => text.max_length = Some(limit),
        RefOr::T(Schema::Array(list)) => list.max_items = Some(limit),
        _ => {}
    }
}

/// The problems of a request that only reads.
pub(super) struct ReadProblems;

/// The problem of a request that only reads, and that not every role may make.
pub(super) struct Restricted;

/// The problem of a request for a resource that may not exist.
pub(super) struct Unknown;

/// The problems of a request that makes a change and has no body.
pub(super) struct ChangeProblems;

/// The problems of a request that makes a change and has a body.
pub(super) struct BodyProblems;

const READ: &[ProblemKind] = &[
    ProblemKind::BadRequest,
    ProblemKind::Invalid,
    ProblemKind::Internal,
    ProblemKind::Busy,
    ProblemKind::StoreUnavailable,
    ProblemKind::Timeout,
];
const CHANGE: &[ProblemKind] = &[
    ProblemKind::Forbidden,
    ProblemKind::Conflict,
    ProblemKind::ReadOnly,
    ProblemKind::KeyReused,
    ProblemKind::KernelRefused,
    ProblemKind::InsufficientStorage,
];
const BODY: &[ProblemKind] = &[
    ProblemKind::RequestTimeout,
    ProblemKind::TooLarge,
    ProblemKind::UnsupportedMediaType,
];

impl IntoResponses for ReadProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(&[READ])
    }
}

impl IntoResponses for Restricted {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(&[&[ProblemKind::Forbidden]])
    }
}

impl IntoResponses for Unknown {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(&[&[ProblemKind::NotFound]])
    }
}

impl IntoResponses for ChangeProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(&[READ, CHANGE])
    }
}

impl IntoResponses for BodyProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(&[READ, CHANGE, BODY])
    }
}

fn responses(kinds: &[&[ProblemKind]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for kind in kinds.iter().copied().flatten() {
        let line = format!("{} (`{}`).", kind.title(), kind.word());
        by_status.entry(kind.status()).or_default().push(line);
    }
    let responses = by_status.into_iter().map(|(status, lines)| {
        let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(Problem::name()))));
        let response = ResponseBuilder::new()
            .description(lines.join(" "))
            .content(problem::MEDIA_TYPE, content);
        (status.to_string(), response.build().into())
    });
    responses.collect()
}

/// An address of either family.
pub(super) struct Address;

impl utoipa::PartialSchema for Address {
    fn schema() -> RefOr<Schema> {
        let one = |format| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(format)))
        };
        let either = OneOfBuilder::new()
            .item(one(KnownFormat::Ipv4))
            .item(one(KnownFormat::Ipv6));
        Schema::OneOf(either.build()).into()
    }
}

impl utoipa::ToSchema for Address {}

/// The most characters of a text that is searched for: the policy file does not limit the name of a customer.
pub(super) const SEARCHED: usize = 1000;

/// A text that is searched for.
pub(super) struct SearchText;

/// The reason of a change.
pub(super) struct ReasonText;

impl utoipa::PartialSchema for SearchText {
    fn schema() -> RefOr<Schema> {
        text(SEARCHED)
    }
}

impl utoipa::ToSchema for SearchText {}

impl utoipa::PartialSchema for ReasonText {
    fn schema() -> RefOr<Schema> {
        text(limits::PROSE)
    }
}

impl utoipa::ToSchema for ReasonText {}

/// A text that is not empty.
fn text(limit: usize) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    Schema::Object(text.min_length(Some(1)).max_length(Some(limit)).build()).into()
}
