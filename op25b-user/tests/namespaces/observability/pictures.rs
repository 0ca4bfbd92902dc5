//! The pictures in docs/observability.md: written by a command, of what a real Prometheus has scraped and of what `op25b top` shows.

use std::{
    fs,
    ops::Range,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use op25b_testlab::{paths, tmux::Terminal};
use plotters::style::RGBColor;
use serde_json::Value;

use super::{
    POLICY, dashboard, filter,
    picture::{
        self,
        panel::{self, Content, Panel, Place, Series},
        screen,
        unit::Unit,
    },
    prometheus::Prometheus,
    sender,
    traffic::Traffic,
};
use crate::{
    support::scene::{OP25B, Scene},
    top::terminal,
};

/// Where they are.
const FOLDER: &str = "docs/pictures";
/// The time that they show.
const SPAN: Duration = Duration::from_secs(160);
/// The size of the terminal.
const TERMINAL: (u16, u16) = (110, 30);

const GREEN: RGBColor = RGBColor(0x37, 0x87, 0x2d);
const ORANGE: RGBColor = RGBColor(0xe0, 0x8b, 0x00);
const RED: RGBColor = RGBColor(0xc4, 0x16, 0x2a);

#[test]
#[ignore = "writes the pictures of the documents anew, of three minutes of traffic"]
fn the_pictures_of_the_documents_are_drawn() {
    let folder = paths::workspace().join(FOLDER);
    fs::create_dir_all(&folder).unwrap();
    let scene = Scene::new();
    let relay = "relays: [{ name: relay, prefixes: [192.0.2.25] }]\n";
    let _filter = filter(&scene, &format!("{POLICY}{relay}"));
    let prometheus = Prometheus::start(&scene);
    let _sender = sender(&scene);
    let (_traffic, begin) = (Traffic::start(&scene), Instant::now());
    thread::sleep(SPAN / 2);
    let terminal = terminal(&scene, TERMINAL, &[]);
    terminal.type_line(&format!("{OP25B} top")).unwrap();
    let part = SPAN * 3 / 4;
    thread::sleep(part.saturating_sub(begin.elapsed()));
    write_screen(&terminal, &folder.join("top.png"));
    thread::sleep(SPAN.saturating_sub(begin.elapsed()));
    let end = Timestamp::now().as_second();
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let times = (end - 150) as f64..end as f64;
    for (title, panels) in dashboard::rows() {
        let panels: Vec<_> = panels
            .iter()
            .map(|panel| drawn(panel, &prometheus, &times))
            .collect();
        let name = format!("dashboard-{}.png", title.to_lowercase());
        let background = RGBColor(0xf4, 0xf5, 0xf5);
        picture::write(&folder.join(name), panel::size(&panels), background, |area| {
            panel::draw(area, &panels, &times);
        });
    }
}

fn write_screen(terminal: &Terminal, path: &Path) {
    let text = terminal.coloured_screen().unwrap();
    picture::write(path, screen::size(TERMINAL), screen::BACKGROUND, |area| {
        screen::draw(area, &text);
    });
}

/// A panel with what its queries return.
fn drawn(panel: &dashboard::Panel, prometheus: &Prometheus<'_>, times: &Range<f64>) -> Panel {
    let grid = |name: &str| i32::try_from(panel.described["gridPos"][name].as_i64().unwrap()).unwrap();
    let defaults = &panel.described["fieldConfig"]["defaults"];
    let series = || series(panel, prometheus, times);
    let content = match panel.described["type"].as_str().unwrap() {
        "stat" => {
            let last = |series: Series| {
                let (_, value) = series.points.last().copied().unwrap();
                (series.name, value)
            };
            let values: Vec<_> = series().into_iter().map(last).collect();
            let colour = threshold(&defaults["thresholds"], values[0].1);
            Content::Values(values, colour)
        }
        "timeseries" => Content::Lines(series()),
        "state-timeline" => Content::States(series(), words(&defaults["mappings"])),
        "table" => Content::Table(table(panel, prometheus)),
        other => panic!("{}: the pictures have no panel of the type {other}", panel.title),
    };
    Panel {
        title: panel.title.clone(),
        place: Place {
            column: grid("x"),
            line: grid("y"),
            columns: grid("w"),
            lines: grid("h"),
        },
        unit: Unit::named(defaults["unit"].as_str().unwrap()),
        content,
    }
}

/// The series of all its queries, by their names.
fn series(panel: &dashboard::Panel, prometheus: &Prometheus<'_>, times: &Range<f64>) -> Vec<Series> {
    let (start, end) = (times.start.to_string(), times.end.to_string());
    let mut all = Vec::new();
    for query in &panel.queries {
        let parameters = [
            ("query", query.text.as_str()),
            ("start", &start),
            ("end", &end),
            ("step", "1"),
        ];
        let data = prometheus.ask("query_range", &parameters).unwrap();
        for series in data["result"].as_array().unwrap() {
            let points = series["values"].as_array().unwrap().iter();
            let points = points.map(|point| {
                let value = point[1].as_str().unwrap().parse().unwrap();
                (point[0].as_f64().unwrap(), value)
            });
            all.push(Series {
                name: named(&query.legend, &series["metric"]),
                points: points.collect(),
            });
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// The name of a series, of the format of its legend.
fn named(legend: &str, labels: &Value) -> String {
    let mut name = legend.to_owned();
    for (label, value) in labels.as_object().unwrap() {
        name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap());
    }
    // A label without a value has none in the answer.
    if name.contains("{{") {
        "none".to_owned()
    } else {
        name
    }
}

fn colour(name: &str) -> RGBColor {
    match name {
        "green" => GREEN,
        "orange" => ORANGE,
        "red" => RED,
        other => panic!("the pictures have no colour {other}"),
    }
}

/// The colour of a value.
fn threshold(thresholds: &Value, value: f64) -> RGBColor {
    let steps = thresholds["steps"].as_array().into_iter().flatten();
    let mut reached = steps.filter(|step| step["value"].as_f64().is_none_or(|from| value >= from));
    reached
        .next_back()
        .map_or(GREEN, |step| colour(step["color"].as_str().unwrap()))
}

/// The word and the colour of each value of a state.
fn words(mappings: &Value) -> Vec<(f64, String, RGBColor)> {
    let options = mappings.as_array().unwrap().iter();
    let options = options.flat_map(|mapping| mapping["options"].as_object().unwrap());
    let words = options.map(|(value, shown)| {
        let word = shown["text"].as_str().unwrap().to_owned();
        (
            value.parse().unwrap(),
            word,
            colour(shown["color"].as_str().unwrap()),
        )
    });
    words.collect()
}

/// The labels of what a table shows, without those that it leaves out.
fn table(panel: &dashboard::Panel, prometheus: &Prometheus<'_>) -> Vec<Vec<String>> {
    let hidden = &panel.described["transformations"][0]["options"]["excludeByName"];
    let data = prometheus
        .ask("query", &[("query", &panel.queries[0].text)])
        .unwrap();
    let mut rows = Vec::new();
    for series in data["result"].as_array().unwrap() {
        let labels = series["metric"].as_object().unwrap();
        let shown = || labels.iter().filter(|(label, _)| hidden[label.as_str()] != true);
        if rows.is_empty() {
            rows.push(shown().map(|(label, _)| label.clone()).collect());
        }
        let value = |value: &Value| {
            let value = value.as_str().unwrap();
            // The policy of the lab is in a folder of the moment.
            let is_policy = value.ends_with("/policy.yaml");
            if is_policy {
                "/etc/op25b/policy.yaml"
            } else {
                value
            }
            .to_owned()
        };
        rows.push(shown().map(|(_, shown)| value(shown)).collect());
    }
    rows
}
