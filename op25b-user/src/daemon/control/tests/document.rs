//! docs/openapi.json describes what the code does.

use std::{env, fs, path::Path};

use axum::http::Method;
use serde_json::{Value, json};

use super::{super::routes, Fixture};
use crate::{exemption::limits, fault::FaultKind, store::OperationKind};

/// If set, the file is written instead of compared.
const WRITE: &str = "OP25B_WRITE_OPENAPI";

/// The paths of the API.
const PATHS: [&str; 28] = [
    "/v1/alerts",
    "/v1/confirm",
    "/v1/events",
    "/v1/exemptions",
    "/v1/exemptions/import",
    "/v1/exemptions/remove",
    "/v1/exemptions/{id}",
    "/v1/exemptions/{id}/history",
    "/v1/exemptions/{id}/history/expiries",
    "/v1/exemptions/{id}/restore",
    "/v1/explain",
    "/v1/history",
    "/v1/history/expiries",
    "/v1/metrics",
    "/v1/openapi.json",
    "/v1/operations",
    "/v1/pause",
    "/v1/rates",
    "/v1/reads",
    "/v1/reload",
    "/v1/resume",
    "/v1/sessions",
    "/v1/sessions/forget",
    "/v1/sessions/import",
    "/v1/status",
    "/v1/subscribers",
    "/v1/subscribers/forget",
    "/v1/subscribers/rates",
];

fn text() -> String {
    routes::document().0.to_string()
}

fn document() -> Value {
    serde_json::from_str(&text()).unwrap()
}

#[test]
fn kinds_have_the_words_that_answers_have() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["OperationKind"]["enum"], json!(OperationKind::ALL));
    assert_eq!(schemas["FaultKind"]["enum"], json!(FaultKind::ALL));
}

#[test]
fn the_file_in_docs_is_what_the_code_says() {
    let text = text();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if env::var_os(WRITE).is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/openapi.json does not describe the code; regenerate it with\n    \
         {WRITE}=1 cargo test --package op25b --lib control::tests::document"
    );
}

#[tokio::test]
async fn every_route_that_is_described_is_there_and_no_other_method() {
    let fixture = Fixture::new();
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let there: Vec<_> = paths.keys().map(String::as_str).collect();
    assert_eq!(there, PATHS);
    for (path, item) in paths {
        let described: Vec<_> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|it| it.to_uppercase())
            .collect();
        let uri = path.replace("{id}", "a7");
        // No route has this method: the response lists those that there are.
        let answer = fixture.ask(Method::TRACE, &uri).await;
        assert_eq!(answer.status, 405, "{path}");
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(',').collect();
        // Every GET can be a HEAD.
        allowed.retain(|method| *method != "HEAD");
        allowed.sort_unstable();
        let mut described: Vec<_> = described.iter().map(String::as_str).collect();
        described.sort_unstable();
        assert_eq!(allowed, described, "{path}");
    }
}

#[test]
fn whatever_is_referred_to_is_described() {
    let (text, document) = (text(), document());
    let references = text.split("\"$ref\": \"#").skip(1);
    for reference in references.map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[test]
fn whatever_may_be_refused_is_described_as_a_problem() {
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            if path.ends_with("openapi.json") {
                continue;
            }
            for status in ["400", "422", "500", "503", "504"] {
                let content = &responses[status]["content"];
                assert!(
                    content["application/problem+json"].is_object(),
                    "{method} {path}: {status}"
                );
            }
            let for_everyone =
                ["/v1/status", "/v1/metrics", "/v1/operations", "/v1/rates"].contains(&path.as_str());
            assert_eq!(responses.contains_key("403"), !for_everyone, "{method} {path}");
            assert_eq!(
                responses.contains_key("404"),
                path.contains("{id}"),
                "{method} {path}"
            );
            assert_eq!(
                responses.contains_key("413"),
                !operation["requestBody"].is_null(),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn the_bounds_that_are_described_are_those_that_are_checked() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let new = &schemas["NewExemption"]["properties"];
    for (name, limit) in [
        ("customer", limits::NAME),
        ("ticket", limits::NAME),
        ("note", limits::PROSE),
        ("expires", limits::EXPIRY),
    ] {
        assert_eq!(new[name]["maxLength"], limit, "{name}");
        assert_eq!(new[name]["minLength"], 1, "{name}");
    }
    for name in ["prefixes", "destinations"] {
        assert_eq!(new[name]["maxItems"], limits::PREFIXES, "{name}");
        assert_eq!(
            new[name]["items"]["$ref"], "#/components/schemas/Prefix",
            "{name}"
        );
    }
    assert_eq!(schemas["Prefix"]["maxLength"], limits::PREFIX);
    assert_eq!(
        schemas["ImportExemptions"]["properties"]["exemptions"]["maxItems"],
        limits::ROWS
    );
    for (name, limit) in [("expires", limits::EXPIRY), ("reason", limits::PROSE)] {
        assert_eq!(
            schemas["ExtendExemption"]["properties"][name]["maxLength"], limit,
            "{name}"
        );
    }
    for name in ["NewExemption", "ExtendExemption", "ImportExemptions", "ImportRow"] {
        assert_eq!(schemas[name]["additionalProperties"], false, "{name}");
    }
    assert_eq!(schemas["ImportRow"]["properties"]["line"]["maximum"], u32::MAX);
    let parameters = document["paths"]["/v1/exemptions"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let explain = document["paths"]["/v1/explain"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let required = explain.iter().map(|parameter| &parameter["required"]);
    assert!(
        required.eq([true, false, false, false, false, false, false]),
        "{explain:?}"
    );
    let schema = |name: &str| {
        let parameter = parameters.iter().find(|it| it["name"] == name).unwrap();
        &parameter["schema"]
    };
    assert_eq!(schema("expiring")["maxLength"], limits::EXPIRY);
    assert_eq!(schema("after")["pattern"], crate::report::exemptions::CURSOR);
}
