//! The rules for Prometheus and the dashboard: each alert has cases, nothing asks for a metric that there is not, and each panel is in a
//! picture.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use op25b_testlab::paths;
use regex_lite::Regex;
use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(paths::workspace().join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&read(path)).unwrap()
}

/// The items of a list in a document.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn promtool(words: &[&str]) -> String {
    let package: PathBuf = paths::unpacked("prometheus").unwrap();
    let output = Command::new(package.join("usr/bin/promtool"))
        .args(words)
        .current_dir(paths::workspace().join("deploy/prometheus"))
        .output()
        .expect("`cargo xtask setup --tests` unpacks promtool");
    let said = [output.stdout, output.stderr]
        .map(|text| String::from_utf8(text).unwrap())
        .concat();
    assert!(output.status.success(), "{said}");
    said
}

const CASES: [&str; 2] = ["op25b.rules.test.yaml", "op25b.days.test.yaml"];

#[test]
fn the_cases_of_the_alerts_hold() {
    promtool(&["check", "rules", "op25b.rules.yaml"]);
    promtool(&["test", "rules", CASES[0], CASES[1]]);
}

#[test]
fn each_alert_has_a_case_that_fires_and_one_that_does_not() {
    let rules = yaml("deploy/prometheus/op25b.rules.yaml");
    let alerts = items(&rules["groups"]).flat_map(|group| items(&group["rules"]));
    let alerts: BTreeSet<_> = alerts.filter_map(|rule| rule["alert"].as_str()).collect();
    let mut cases: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for file in CASES {
        let file = yaml(&format!("deploy/prometheus/{file}"));
        for case in items(&file["tests"]).flat_map(|test| items(&test["alert_rule_test"])) {
            let alert = case["alertname"].as_str().unwrap().to_owned();
            let fires = items(&case["exp_alerts"]).count() > 0;
            cases.entry(alert).or_default().insert(fires);
        }
    }
    let both = BTreeSet::from([false, true]);
    let complete: BTreeSet<_> = cases
        .iter()
        .filter(|(_, found)| **found == both)
        .map(|(alert, _)| alert.as_str())
        .collect();
    assert_eq!(complete, alerts);
}

#[test]
fn the_dashboard_asks_for_metrics_that_the_program_has() {
    let commands = read("docs/cli.md");
    let metric = Regex::new("op25b_[a-z0-9_]+").unwrap();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/op25b.json")).unwrap();
    let mut ids = BTreeSet::new();
    for panel in items(&dashboard["panels"]) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        for target in items(&panel["targets"]) {
            let query = target["expr"].as_str().unwrap();
            for found in metric.find_iter(query) {
                assert!(commands.contains(&format!("`{}`", found.as_str())), "{query}");
            }
        }
    }
    assert!(ids.len() > 20);
}

#[test]
fn each_panel_of_the_dashboard_is_in_the_picture_of_its_row_or_named_below_it() {
    let document = read("docs/observability.md").replace('\n', " ");
    let picture = Regex::new(r"!\[(\w+): ([^\]]+)\]\((pictures/[a-z-]+\.png)\)").unwrap();
    let pictures: BTreeMap<_, _> = picture
        .captures_iter(&document)
        .map(|found| (found[1].to_owned(), (found[2].to_owned(), found[3].to_owned())))
        .collect();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/op25b.json")).unwrap();
    let (mut row, mut panels) = (String::new(), BTreeMap::<String, Vec<String>>::new());
    for panel in items(&dashboard["panels"]) {
        let title = panel["title"].as_str().unwrap().to_owned();
        if panel["type"] == "row" {
            row = title;
        } else {
            panels.entry(row.clone()).or_default().push(title);
        }
    }
    assert_eq!(
        pictures.keys().collect::<Vec<_>>(),
        panels.keys().collect::<Vec<_>>()
    );
    for (row, titles) in panels {
        let (named, file) = &pictures[&row];
        // Some titles have commas themselves.
        let separator = if named.contains("; ") { "; " } else { ", " };
        let drawn: Vec<_> = named.split(separator).collect();
        let is_named = |title: &String| {
            let below = format!("\"{title}\"");
            drawn.contains(&title.as_str()) || document.contains(&below)
        };
        let missing: Vec<_> = titles.iter().filter(|title| !is_named(title)).collect();
        assert!(missing.is_empty(), "{row}: {missing:?}");
        assert!(
            drawn.iter().all(|title| titles.contains(&(*title).to_owned())),
            "{row}"
        );
        assert!(paths::workspace().join("docs").join(file).is_file(), "{file}");
    }
}
