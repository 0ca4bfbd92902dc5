//! Runs of the benchmark as its `--history` and `--json` keep them: a line of JSON for each result.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, bail};
use op25b_host::sample::Sample;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Which run: a file, and what it was built from; the file's last one without that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    file: PathBuf,
    commit: Option<String>,
}

impl FromStr for Which {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (file, commit) = match text.rsplit_once('@') {
            Some((file, commit)) if !Path::new(text).exists() => (file, Some(commit.to_owned())),
            _ => (text, None),
        };
        Ok(Self {
            file: file.into(),
            commit,
        })
    }
}

/// A run.
#[derive(Debug)]
pub struct Run {
    pub head: Head,
    /// What was measured.
    pub figures: BTreeMap<Figure, Sample>,
    /// By part: how much a program that does nothing varied.
    pub noise: BTreeMap<String, f64>,
}

/// One figure of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    pub part: String,
    /// What else names the row.
    pub row: String,
    pub name: String,
}

impl Figure {
    /// Whether it is a ratio within the run, which means the same on another machine.
    pub fn is_ratio(&self) -> bool {
        self.name.starts_with("share_")
    }
}

/// The first line of a run.
#[derive(Debug, Deserialize)]
pub struct Head {
    pub started: String,
    pub version: String,
    pub commit: Option<String>,
    pub machine: Map<String, Value>,
}

impl Head {
    /// What was built.
    pub fn name(&self) -> &str {
        self.commit.as_deref().unwrap_or(&self.version)
    }

    /// Whether that is a commit, or a tag, by its beginning; with the number of commits since a tag as git describes it.
    fn is_of(&self, commit: &str) -> bool {
        let name = self.name();
        name.starts_with(commit) || name.contains(&format!("-g{commit}"))
    }
}

/// Reads a run.
pub fn read(which: &Which) -> anyhow::Result<Run> {
    let shown = which.file.display();
    let text = fs::read_to_string(&which.file).with_context(|| format!("cannot read {shown}"))?;
    let runs = runs(&text).with_context(|| format!("{shown} holds no results of `cargo xtask bench`"))?;
    let names: Vec<_> = runs.iter().map(|run| run.head.name().to_owned()).collect();
    let commit = which.commit.as_deref().unwrap_or_default();
    let found = runs.into_iter().rfind(|run| run.head.is_of(commit));
    found.with_context(|| format!("{shown} has no run of {commit}, but of {}", names.join(", ")))
}

/// All runs of a text.
fn runs(text: &str) -> anyhow::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
        let line: Map<String, Value> =
            serde_json::from_str(line).with_context(|| format!("line {number} is not a JSON object"))?;
        let part = line
            .get("part")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        match (part.as_str(), runs.last_mut()) {
            ("run", _) => runs.push(Run {
                head: serde_json::from_value(Value::Object(line))
                    .with_context(|| format!("line {number} does not begin a run"))?,
                figures: BTreeMap::new(),
                noise: BTreeMap::new(),
            }),
            (_, None) => bail!("line {number} belongs to no run"),
            ("noise", Some(run)) => {
                let of = line.get("of").and_then(Value::as_str);
                let spread = line.get("spread").and_then(Value::as_f64);
                let (of, spread) = of
                    .zip(spread)
                    .with_context(|| format!("line {number} has no noise"))?;
                run.noise.insert(of.to_owned(), spread);
            }
            (part, Some(run)) => add(run, part, &line),
        }
    }
    anyhow::ensure!(!runs.is_empty(), "there is no run");
    Ok(runs)
}

/// Adds the figures of a row. Its texts and whole numbers name it.
fn add(run: &mut Run, part: &str, row: &Map<String, Value>) {
    let names = row.iter().filter_map(|(name, value)| match value {
        Value::String(text) if name != "part" => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(format!("{name} {number}")),
        _ => None,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    for (name, value) in row {
        add_figures(run, (part, &names), name, value);
    }
}

fn add_figures(run: &mut Run, (part, row): (&str, &str), name: &str, value: &Value) {
    if let Ok(sample) = serde_json::from_value(value.clone()) {
        let (part, row, name) = (part.into(), row.into(), name.into());
        run.figures.insert(Figure { part, row, name }, sample);
    } else if let Value::Object(members) = value {
        for (member, value) in members {
            add_figures(run, (part, row), &format!("{name}.{member}"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = r#"{"part":"run","started":"2026-01-01T00:00:00Z","version":"0.2.0","commit":"v0.2.0","machine":{"cpu":"A"}}
{"part":"live","family":"IPv4","exemptions":10,"filter":"op25b","ns":{"median":175.0,"low":170.0,"high":180.0,"min":1.0,"max":999.0,"repetitions":9},"lost":0.0,"is_disturbed":false}
{"part":"live","family":"IPv4","exemptions":10,"filter":"ipset","left_out":"not installed: ipset"}
{"part":"noise","of":"live","program":"drop","spread":0.04}

{"part":"run","started":"2026-02-01T00:00:00Z","version":"0.2.0","commit":"v0.2.0-7-gabc1234","machine":{"cpu":"A"}}
{"part":"start","exemptions":10,"check":{"seconds":{"median":1.0,"low":1.0,"high":1.0,"min":1.0,"max":1.0,"repetitions":1},"peak_kib":7}}
"#;

    #[test]
    fn the_rows_of_a_run_are_named_by_their_texts_and_whole_numbers() {
        let runs = runs(RUNS).unwrap();
        let figures = |run: &Run| -> Vec<_> {
            let figures = run.figures.keys();
            figures
                .map(|figure| format!("{}: {}: {}", figure.part, figure.row, figure.name))
                .collect()
        };
        assert_eq!(figures(&runs[0]), ["live: exemptions 10, IPv4, op25b: ns"]);
        assert_eq!(figures(&runs[1]), ["start: exemptions 10: check.seconds"]);
        assert_eq!(runs[0].noise["live"].to_string(), "0.04");
    }

    #[test]
    fn a_run_is_the_last_one_of_a_file_or_of_a_commit() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("results.jsonl");
        fs::write(&file, RUNS).unwrap();
        let run = |commit: &str| {
            let which = format!("{}{commit}", file.display()).parse().unwrap();
            read(&which).map(|run| run.head.name().to_owned())
        };
        assert_eq!(run("").unwrap(), "v0.2.0-7-gabc1234");
        assert_eq!(run("@abc1").unwrap(), "v0.2.0-7-gabc1234");
        let error = format!("{:#}", run("@v0.3").unwrap_err());
        assert!(
            error.ends_with("has no run of v0.3, but of v0.2.0, v0.2.0-7-gabc1234"),
            "{error}"
        );
    }

    #[test]
    fn a_line_that_is_no_result_is_named() {
        let error = format!("{:#}", runs("{\"part\":\"live\"}").unwrap_err());
        assert_eq!(error, "line 1 belongs to no run");
        assert!(
            runs("op25b 0.2.0 on 2 CPUs")
                .unwrap_err()
                .to_string()
                .starts_with("line 1 is not")
        );
    }
}
