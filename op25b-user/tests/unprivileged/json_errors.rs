//! Errors of commands with `--json`: one problem (RFC 9457) on stdout, nothing on stderr, and the exit code of the text.

use serde_json::Value;

use crate::exempt_command::{
    daemon::{Reply, problem},
    scene::{Answer, Scene},
};

/// Asserts that the answer is a problem of a kind, and returns its detail.
#[track_caller]
fn detail(answer: &Answer, code: i32, word: &str) -> String {
    assert_eq!(
        (answer.code, answer.stderr.as_str()),
        (Some(code), ""),
        "{answer:?}"
    );
    assert!(
        answer
            .stdout
            .starts_with("{\n  \"schema\": \"op25b.problem/1\",\n"),
        "{answer:?}"
    );
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:op25b:problem:{word}"), "{problem}");
    assert!(
        problem["title"].is_string() && problem["status"].is_u64(),
        "{problem}"
    );
    problem["detail"].as_str().unwrap().to_owned()
}

/// Asserts that a command without `--json` says the same on stderr, and has the same exit code.
#[track_caller]
fn same_in_text(scene: &Scene, words: &[&str], code: i32, detail: &str) {
    let words: Vec<_> = words.iter().copied().filter(|word| *word != "--json").collect();
    scene.op25b(&words).is(code, "", &format!("op25b: {detail}\n"));
}

#[test]
fn a_failure_is_a_problem_with_its_causes() {
    let scene = Scene::new();
    let missing = scene.path("missing.yaml");
    let words = ["check", "--json", missing.to_str().unwrap()];
    let said = detail(&scene.op25b(&words), 2, "failed");
    assert!(
        said.contains("missing.yaml") && said.contains("No such file"),
        "{said}"
    );
    same_in_text(&scene, &words, 2, &said);
}

#[test]
fn without_a_daemon_a_change_is_a_problem_that_says_that_nothing_was_changed() {
    let scene = Scene::new();
    for words in [
        &[
            "exempt",
            "add",
            "198.51.100.8",
            "--customer",
            "Example KK",
            "--json",
        ][..],
        &[
            "exempt",
            "remove",
            "01KAXQ3T5BH6Z8W2N4R7C9D1EF",
            "--reason",
            "x",
            "--json",
        ],
        &[
            "exempt",
            "extend",
            "01KAXQ3T5BH6Z8W2N4R7C9D1EF",
            "--expires",
            "90d",
            "--json",
        ],
        &["reload", "--json"],
    ] {
        let said = detail(&scene.op25b(words), 2, "no-daemon");
        assert!(said.contains("no daemon answers at "), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
        same_in_text(&scene, words, 2, &said);
    }
}

#[test]
fn what_there_is_not_is_a_problem() {
    let scene = Scene::new();
    let policy = scene.file(
        "policy.yaml",
        "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
         pools: [{ name: homes, prefixes: [198.51.100.0/24] }]\n",
    );
    let words = [
        "export", "prefixes", "--policy", &policy, "--pool", "home", "--json",
    ];
    let said = detail(&scene.op25b(&words), 1, "not-found");
    assert_eq!(said, "there is no pool home; the pools are homes");
    same_in_text(&scene, &words, 1, &said);
}

#[test]
fn a_refusal_of_the_daemon_keeps_its_members() {
    let scene = Scene::new();
    let _daemon = scene.daemon(|request| match request.line.split(' ').next() {
        Some("POST") => problem(422, "no row is valid", &[(2, "no prefix"), (4, "no customer")]),
        _ => problem(503, "the store is away", &[]),
    });
    let import = ["exempt", "import", "--format", "csv", "--json", "-"];
    let answer = scene.op25b_fed(&import, "customer,prefixes\nA,198.51.100.8\n");
    assert_eq!(detail(&answer, 1, "invalid"), "no row is valid");
    assert_eq!(answer.json()["rows"][1]["line"], 4);
    // A failure of the daemon is no refusal of what was asked.
    let words = ["exempt", "list", "--json"];
    let said = detail(&scene.op25b(&words), 2, "invalid");
    same_in_text(&scene, &words, 2, &said);
}

#[test]
fn a_wrong_command_line_is_a_problem_if_json_is_asked_for() {
    let scene = Scene::new();
    let daemon = scene.daemon(|_| Reply::HangUp);
    for (words, said) in [
        (
            &["exempt", "list", "--json", "--sort", "expiry"][..],
            "invalid value 'expiry' for '--sort <COLUMN,…>': there is no column \"expiry\"; the columns are ",
        ),
        (
            &["exempt", "show", "--json"],
            "the following required arguments were not provided:",
        ),
        (
            &["status", "--json", "--jso"],
            "unexpected argument '--jso' found",
        ),
        (&["statsu", "--json"], "unrecognized subcommand 'statsu'"),
    ] {
        let detail = detail(&scene.op25b(words), 2, "usage");
        assert!(detail.starts_with(said), "{detail}");
        assert!(
            !detail.contains("Usage:") && !detail.contains("For more information"),
            "{detail}"
        );
    }
    let text = scene.op25b(&["exempt", "show"]);
    assert_eq!((text.code, text.stdout.as_str()), (Some(2), ""));
    assert!(
        text.stderr.starts_with("error: ") && text.stderr.contains("Usage:"),
        "{text:?}"
    );
    let help = scene.op25b(&["exempt", "show", "--json", "--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(serde_json::from_str::<Value>(&help.stdout).is_err(), "{help:?}");
    assert!(daemon.requests().is_empty());
}

#[test]
fn an_export_is_read_again_and_no_document_of_another_kind() {
    let scene = Scene::new();
    let read = |schema: &str| {
        let text = format!(r#"{{"schema": {schema}, "exemptions": []}}"#);
        scene.op25b_fed(&["exempt", "import", "--format", "json", "-"], &text)
    };
    read(r#""op25b.exempt-export/1""#).is(0, "added 0; 0 existed already\n", "");
    for other in [r#""op25b.exempt-export/2""#, r#""op25b.exempt-list/1""#, "1"] {
        let answer = read(other);
        assert_eq!(answer.code, Some(1), "{answer:?}");
        assert!(
            answer.stderr.starts_with(
                "stdin:1: this is not a document of exemptions that this version reads; \
                 `op25b exempt export --json` writes `op25b.exempt-export/1`\n"
            ),
            "{answer:?}"
        );
    }
}
