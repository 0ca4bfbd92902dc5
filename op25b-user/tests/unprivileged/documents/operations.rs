//! docs/operations.md has what op25b logs, and each alert of the rules for Prometheus.

use std::{fs, path::Path};

use op25b_testlab::paths;
use serde::Deserialize;

use super::markdown::Document;

const DOCUMENT: &str = "docs/operations.md";

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    /// None of a recording rule.
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    severity: String,
}

fn read(name: &str) -> String {
    fs::read_to_string(paths::workspace().join(name)).unwrap()
}

/// The rows of the section with this heading, without the table's head.
fn rows(heading: &str) -> Vec<super::markdown::Row> {
    let document = Document::read(DOCUMENT.into());
    let rows = document.section(heading).rows();
    assert!(rows.len() > 10, "{heading}: {}", rows.len());
    rows.into_iter().skip(1).collect()
}

/// The text of the sources in a folder, with the parts of a literal that goes on in the next line joined.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    let mut parts = text.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |joined, part| joined + part.trim_start())
}

#[test]
fn each_log_line_of_the_document_is_one_of_the_program() {
    let sources = sources(&paths::workspace().join("op25b-user/src"));
    for row in rows("Log lines") {
        let line = &row.code[0];
        assert!(
            sources.contains(line.as_str()),
            "no log line begins with `{line}`"
        );
    }
}

#[test]
fn the_document_has_each_alert_with_its_severity() {
    let rules: Rules = serde_yaml::from_str(&read("deploy/prometheus/op25b.rules.yaml")).unwrap();
    let rules: Vec<_> = rules.groups.into_iter().flat_map(|group| group.rules).collect();
    let alerts = rules
        .iter()
        .filter_map(|rule| Some((rule.alert.as_ref()?, &rule.labels.severity)));
    let written: Vec<_> = alerts
        .map(|(alert, severity)| format!("| `{alert}` | {severity} |"))
        .collect();
    let rows = rows("Alerts");
    assert_eq!(rows.len(), written.len());
    for (row, written) in rows.iter().zip(&written) {
        assert!(row.text.starts_with(written), "{written}: {}", row.text);
    }
}

#[test]
fn each_rule_asks_for_metrics_that_the_program_has() {
    let rules: Rules = serde_yaml::from_str(&read("deploy/prometheus/op25b.rules.yaml")).unwrap();
    let commands = read("docs/cli.md");
    for rule in rules.groups.into_iter().flat_map(|group| group.rules) {
        // What a recording rule has made has a colon in its name.
        let is_part = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
        let words = rule.expr.split(|character| !is_part(character));
        let metrics: Vec<_> = words.filter(|word| word.contains("op25b_")).collect();
        assert!(!metrics.is_empty(), "{}", rule.expr);
        for metric in metrics.into_iter().filter(|metric| !metric.contains(':')) {
            assert!(
                commands.contains(&format!("`{metric}`")),
                "{}: {metric}",
                rule.expr
            );
        }
    }
}
