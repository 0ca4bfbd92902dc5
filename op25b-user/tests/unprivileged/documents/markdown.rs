//! A document of the tree, as far as the tests look into it.

use std::{fs, path::PathBuf};

use op25b_testlab::paths;

/// A document, by its path from the root of the tree.
pub struct Document {
    pub name: PathBuf,
    text: String,
}

/// A row of a table, or its head.
pub struct Row {
    pub text: String,
    pub columns: usize,
    /// What stands between backquotes.
    pub code: Vec<String>,
}

/// A line, and whether it is in a fenced block.
struct Line<'d> {
    text: &'d str,
    is_fenced: bool,
}

impl Document {
    pub fn read(name: PathBuf) -> Self {
        let path = paths::workspace().join(&name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", name.display()));
        Self { name, text }
    }

    /// The section below a heading of the second level, without those after it.
    pub fn section(&self, heading: &str) -> Self {
        let (_, section) = self.text.split_once(&format!("\n## {heading}\n")).unwrap();
        Self {
            name: self.name.clone(),
            text: section.split("\n## ").next().unwrap_or_default().to_owned(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut is_fenced = false;
        self.text.lines().map(move |text| {
            let is_fence = text.trim_start().starts_with("```");
            let line = Line {
                text,
                is_fenced: is_fenced || is_fence,
            };
            is_fenced ^= is_fence;
            line
        })
    }

    fn prose(&self) -> impl Iterator<Item = &str> {
        self.lines().filter(|line| !line.is_fenced).map(|line| line.text)
    }

    /// The lines of its fenced blocks, but for comments in examples of files, which are translated.
    pub fn fences(&self) -> Vec<String> {
        let mut language = "";
        let lines = self.lines().filter(|line| line.is_fenced);
        lines
            .map(|line| {
                if let Some(name) = line.text.trim_start().strip_prefix("```") {
                    language = name;
                }
                let has_comments = matches!(language, "yaml" | "csv" | "sh");
                let comment = line.text.find('#').filter(|_| has_comments);
                line.text[..comment.unwrap_or(line.text.len())]
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    /// The level of each heading.
    pub fn levels(&self) -> Vec<usize> {
        self.headings().map(|(level, _)| level).collect()
    }

    fn headings(&self) -> impl Iterator<Item = (usize, &str)> {
        self.prose().filter_map(|line| {
            let title = line.trim_start_matches('#');
            let level = line.len() - title.len();
            (level > 0 && title.starts_with(' ')).then_some((level, title.trim()))
        })
    }

    /// The rows of its tables, without the lines below the heads.
    pub fn rows(&self) -> Vec<Row> {
        let rows = self
            .prose()
            .filter(|line| line.starts_with('|') && !line.starts_with("| ---"));
        rows.map(|text| Row {
            text: text.to_owned(),
            columns: text.replace("\\|", "").matches('|').count(),
            code: text
                .split('`')
                .skip(1)
                .step_by(2)
                .map(ToOwned::to_owned)
                .collect(),
        })
        .collect()
    }

    /// The targets of its links, but for those on the web.
    pub fn links(&self) -> Vec<String> {
        let targets = self.prose().flat_map(|line| {
            let mut parts = line.split("](");
            parts.next();
            parts.filter_map(|part| Some(part.split_once(')')?.0))
        });
        let inside = targets.filter(|target| !target.contains("://"));
        inside.map(ToOwned::to_owned).collect()
    }

    /// Whether a target of a link here exists.
    pub fn reaches(&self, link: &str) -> bool {
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let folder = self.name.parent().unwrap();
        let target = if file.is_empty() {
            self.name.clone()
        } else {
            folder.join(file)
        };
        if heading.is_empty() {
            return paths::workspace().join(target).exists();
        }
        let target = Self::read(target);
        target.headings().any(|(_, title)| anchor(title) == heading)
    }
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(title: &str) -> String {
    let title = title.to_lowercase();
    let kept = title
        .chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, '-' | '_' | ' '));
    kept.collect::<String>().replace(' ', "-")
}
