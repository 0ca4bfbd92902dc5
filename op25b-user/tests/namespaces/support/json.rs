//! Compares the examples in docs/json.md with documents whose values differ from one run to the next.

#[path = "../../unprivileged/json_document/examples.rs"]
mod examples;

use std::collections::BTreeSet;

use op25b::schema::Schema;
use serde_json::Value;

use self::examples::{WRITE, example, write_if_asked};

/// Asserts that the example of a schema has all members of this output.
#[track_caller]
pub fn assert_documented(schema: Schema, output: &str) {
    write_if_asked(schema, output);
    let members = |text: &str| {
        let mut members = BTreeSet::new();
        collect("", &serde_json::from_str(text).unwrap(), &mut members);
        members
    };
    let (written, found) = (members(&example(schema).unwrap()), members(output));
    let missing: Vec<_> = found.difference(&written).collect();
    assert!(
        missing.is_empty(),
        "the example of {schema} in docs/json.md lacks {missing:?}; with {WRITE}=1 this test writes it:\n{output}"
    );
}

/// Collects the paths of members, such as `.filters[].interfaces[].name`. Those of a map of frames that are not IP are data.
fn collect(path: &str, value: &Value, members: &mut BTreeSet<String>) {
    match value {
        Value::Object(_) if path.ends_with(".not_ip") => {}
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{path}.{name}");
                collect(&path, value, members);
                members.insert(path);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(&format!("{path}[]"), item, members);
            }
        }
        _ => {}
    }
}
