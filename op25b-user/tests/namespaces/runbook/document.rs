//! The runbook as a text: its examples, each with the state of the router in which its command is run.

use std::{fs, path::PathBuf};

use op25b_testlab::paths;

/// Names the state of the router for the examples after it, in a comment that is not rendered.
const STATE: &str = "<!-- state: ";
const FENCE: &str = "```console";
const END: &str = "```";
const PROMPT: &str = "# ";

/// A document, in its order.
pub struct Document {
    path: PathBuf,
    pieces: Vec<Piece>,
}

/// A line of the text, or an example.
#[derive(Clone)]
enum Piece {
    Line(String),
    Example(Example),
}

/// A command, and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The state in which it is run, if it is another one than that of the example before.
    pub state: Option<String>,
    pub command: String,
    /// Lines, each with its end.
    pub output: String,
}

impl Document {
    /// Reads a document of the tree.
    pub fn read(name: &str) -> Self {
        let path = paths::workspace().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut pieces = Vec::new();
        let mut state = None;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            pieces.push(Piece::Line(line.to_owned()));
            if let Some(name) = line.strip_prefix(STATE) {
                state = Some(name.trim_end_matches(" -->").to_owned());
            }
            if line != FENCE {
                continue;
            }
            let command = lines.next().and_then(|line| line.strip_prefix(PROMPT));
            let command = command
                .unwrap_or_else(|| panic!("{name}: an example begins with `{PROMPT}` and its command"));
            let output = lines.by_ref().take_while(|line| *line != END);
            let output = output.flat_map(|line| [line, "\n"]);
            pieces.push(Piece::Example(Example {
                state: state.take(),
                command: command.to_owned(),
                output: output.collect(),
            }));
        }
        Self { path, pieces }
    }

    /// Its examples.
    pub fn examples(&self) -> Vec<Example> {
        let pieces = self.pieces.iter();
        let examples = pieces.filter_map(|piece| match piece {
            Piece::Example(example) => Some(example.clone()),
            Piece::Line(_) => None,
        });
        examples.collect()
    }

    /// Writes it with these outputs, in the order of its examples.
    pub fn write(&self, outputs: &[String]) {
        let mut outputs = outputs.iter();
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Line(line) => text.extend([line, "\n"]),
                Piece::Example(Example { command, .. }) => {
                    let output = outputs.next().unwrap();
                    text.extend([PROMPT, command, "\n", output, END, "\n"]);
                }
            }
        }
        fs::write(&self.path, text).unwrap();
    }
}
