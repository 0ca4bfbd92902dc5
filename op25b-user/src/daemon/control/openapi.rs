//! The description of what the control socket answers, made of the routes themselves.

use std::{collections::BTreeMap, sync::LazyLock};

use utoipa::{
    IntoResponses, OpenApi, ToSchema as _,
    openapi::{
        Content, Ref, RefOr, Response, ResponseBuilder,
        schema::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type},
    },
};

use super::{problem, routes};
use crate::api::{Problem, ProblemKind};

/// The document's head; the routes bring the rest.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "op25b control socket",
        description = "The API of a running `op25b run`, in HTTP/1.1 over the Unix socket `/run/op25b/control.sock`. \
                       Whoever may open the socket may read; root, the daemon's own user and the members of the group \
                       `op25b` may change things. Whatever is refused is answered with `application/problem+json` \
                       (RFC 9457); what is not HTTP, or has too long headers, with a bare 400 or 431."
    ),
    components(schemas(Problem)),
    tags(
        (name = "daemon", description = "The daemon and its policy."),
        (name = "exemptions", description = "Exemptions of the policy file and of the store."),
    )
)]
pub(super) struct Head;

/// The document, as it is answered and as it is in docs/openapi.json.
pub(super) static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = routes::documented().into_openapi();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

/// The problems of a request that only reads.
pub(super) struct ReadProblems;

/// The problem of a request that names something.
pub(super) struct Unknown;

/// The problems of a request that may change something, and has no body.
pub(super) struct ChangeProblems;

/// The problems of a request that may change something, and has a body.
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
    let mut said: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for kind in kinds.iter().copied().flatten() {
        let line = format!("{} (`{}`).", kind.title(), kind.word());
        said.entry(kind.status()).or_default().push(line);
    }
    let responses = said.into_iter().map(|(status, lines)| {
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
