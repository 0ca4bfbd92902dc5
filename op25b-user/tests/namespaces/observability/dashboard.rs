//! The dashboard: its panels, and the queries of each.

use std::fs;

use op25b_testlab::paths;
use serde_json::Value;

/// What Grafana puts in the place of a dashboard's variables.
const VARIABLES: [(&str, &str); 2] = [("$instance", ".+"), ("$__rate_interval", "10s")];

/// A panel as the dashboard describes it.
#[derive(Debug)]
pub struct Panel {
    pub title: String,
    /// All of it.
    pub described: Value,
    pub queries: Vec<Query>,
}

/// A query of a panel, and how its series are called.
#[derive(Debug)]
pub struct Query {
    pub text: String,
    pub legend: String,
}

/// The rows of the dashboard by their titles, each with its panels.
pub fn rows() -> Vec<(String, Vec<Panel>)> {
    let path = paths::workspace().join("deploy/grafana/op25b.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut rows: Vec<(String, Vec<Panel>)> = Vec::new();
    for described in dashboard["panels"].as_array().unwrap() {
        let title = described["title"].as_str().unwrap().to_owned();
        if described["type"] == "row" {
            rows.push((title, Vec::new()));
            continue;
        }
        let targets = described["targets"].as_array().unwrap().iter();
        let queries = targets.map(|target| Query {
            text: query(target["expr"].as_str().unwrap()),
            legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
        });
        let panel = Panel {
            title,
            queries: queries.collect(),
            described: described.clone(),
        };
        let (_, panels) = rows.last_mut().expect("the first panel is a row");
        panels.push(panel);
    }
    rows
}

fn query(expression: &str) -> String {
    let mut query = expression.to_owned();
    for (variable, value) in VARIABLES {
        query = query.replace(variable, value);
    }
    query
}
