//! The examples in docs/json.md: one for each kind of document, below the heading with its schema.

use std::{env, fs, path::PathBuf};

use op25b::schema::Schema;

/// The environment variable with which examples are written instead of compared.
pub const WRITE: &str = "OP25B_WRITE_JSON_EXAMPLES";

const OPENING: &str = "```json\n";
const CLOSING: &str = "\n```\n";

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", "json.md"]
        .iter()
        .collect()
}

/// The place of a schema's example in the document: the text between the fences.
fn place(document: &str, schema: Schema) -> Option<(usize, usize)> {
    let heading = format!("\n### {}\n", schema.name());
    let section = document.find(&heading)? + heading.len();
    let end = document[section..]
        .find("\n### ")
        .map_or(document.len(), |end| section + end);
    let first = section + document[section..end].find(OPENING)? + OPENING.len();
    let last = first + document[first..end].find(CLOSING)?;
    Some((first, last))
}

/// The example of a schema as text; none if there is no section or no example.
pub fn example(schema: Schema) -> Option<String> {
    let document = fs::read_to_string(path()).unwrap();
    let (first, last) = place(&document, schema)?;
    Some(document[first..last].to_owned())
}

/// Writes an example, if this is asked for by the environment.
pub fn write_if_asked(schema: Schema, output: &str) {
    if env::var_os(WRITE).is_none() {
        return;
    }
    let mut document = fs::read_to_string(path()).unwrap();
    let (first, last) =
        place(&document, schema).unwrap_or_else(|| panic!("docs/json.md has no place for {schema}"));
    document.replace_range(first..last, output.trim_end());
    fs::write(path(), document).unwrap();
}
