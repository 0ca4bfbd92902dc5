//! What each role may do: the table in docs/api.md says what the socket does.

use std::{fs, path::Path};

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::{super::routes, DESK, Fixture, OPERATOR, VIEWER, request};

/// The heading of the table in docs/api.md.
const HEADING: &str = "| route | `op25b-view` | `op25b-desk` | `op25b` |\n| --- | --- | --- | --- |\n";

/// The row of a route: which of the roles are not refused it.
async fn row(fixture: &Fixture, method: &Method, path: &str) -> String {
    let uri = path.replace("{id}", "a7");
    let mut row = format!("| `{method} {path}` |");
    for user in [VIEWER, DESK, OPERATOR] {
        let answer = fixture.send(user, request(method.clone(), &uri, "")).await;
        let may = answer.status != StatusCode::FORBIDDEN;
        row.push_str(if may { " yes |" } else { " no |" });
    }
    row
}

#[tokio::test]
async fn the_table_of_roles_in_the_documentation_is_what_the_socket_does() {
    let fixture = Fixture::new();
    let document: Value = serde_json::from_str(&routes::document().0).unwrap();
    let mut expected = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            expected.push(row(&fixture, &method, path).await);
        }
    }
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let api = fs::read_to_string(api).unwrap();
    let (_, table) = api
        .split_once(HEADING)
        .expect("docs/api.md has the table of roles");
    let mut written: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    written.sort_unstable();
    expected.sort_unstable();
    assert_eq!(
        written,
        expected,
        "docs/api.md, by the routes:\n{}",
        expected.join("\n")
    );
}

#[tokio::test]
async fn who_may_not_do_something_changes_nothing_and_learns_which_group_may() {
    let mut fixture = Fixture::new();
    for (user, method, uri, body, groups) in [
        (
            VIEWER,
            Method::GET,
            "/v1/subscribers",
            "",
            "op25b-desk or op25b (`usermod -aG op25b-desk ",
        ),
        (VIEWER, Method::HEAD, "/v1/subscribers", "", ""),
        (
            VIEWER,
            Method::GET,
            "/v1/exemptions/a7",
            "",
            "op25b-desk or op25b (",
        ),
        (
            VIEWER,
            Method::DELETE,
            "/v1/exemptions/a7?reason=none",
            "",
            "op25b-desk or op25b (",
        ),
        // Not even what is wrong with it.
        (
            VIEWER,
            Method::POST,
            "/v1/exemptions",
            "{",
            "op25b-desk or op25b (",
        ),
        (
            VIEWER,
            Method::POST,
            "/v1/reload",
            "",
            "the group op25b (`usermod -aG op25b ",
        ),
        (
            DESK,
            Method::POST,
            "/v1/reload",
            "",
            "the group op25b (`usermod -aG op25b ",
        ),
        (
            DESK,
            Method::POST,
            "/v1/pause",
            r#"{"reason": "none"}"#,
            "the group op25b (",
        ),
        (
            DESK,
            Method::POST,
            "/v1/exemptions/import",
            r#"{"exemptions": []}"#,
            "the group op25b (",
        ),
    ] {
        let answer = fixture.send(user, request(method.clone(), uri, body)).await;
        if method == Method::HEAD {
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            continue;
        }
        let detail = answer.problem(403, "forbidden");
        assert!(
            detail.starts_with(&format!("user {} may not do this", user.uid)),
            "{detail}"
        );
        assert!(detail.contains(groups), "{uri}: {detail}");
    }
    assert_eq!(fixture.asked(), None);
    let exemption = r#"{"customer": "C", "prefixes": ["198.51.100.8/29"]}"#;
    let added = fixture
        .send(DESK, request(Method::POST, "/v1/exemptions", exemption))
        .await;
    assert_eq!(added.status, StatusCode::CREATED);
    // A path that does not exist, and a method that a path does not have, are no secrets.
    let unknown = fixture.send(VIEWER, request(Method::GET, "/v2/status", "")).await;
    unknown.problem(404, "not-found");
    let method = fixture.send(VIEWER, request(Method::PUT, "/v1/reload", "")).await;
    method.problem(405, "method-not-allowed");
}
