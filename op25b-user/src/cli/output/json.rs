//! Prints JSON documents, each with its schema as the first member.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::schema::{Document, Schema};

/// Prints one document to stdout; the body serializes as an object.
pub(in crate::cli) fn print(schema: Schema, body: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &Document::new(schema, body))?;
    writeln!(out)?;
    out.flush()
}

/// Writes one document as a line; the body serializes as an object.
pub(in crate::cli) fn write_line(
    out: &mut impl Write,
    schema: Schema,
    body: &impl Serialize,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Document::new(schema, body))?;
    writeln!(out)
}
