//! Reads exemptions from YAML, of which JSON is a subset: a policy's `exemptions:`, or a list alone.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    Contents,
    columns::{COLUMNS, SOURCE},
    mistakes::Mistakes,
};
use crate::{
    exemption::{ImportRow, NewExemption},
    policy::{
        diagnostics::{Code, Diagnostic, Report, Span},
        parse::{
            Context, Mapping, PREFIXES, duplicate_key, known_key,
            yaml::{self, Items, Located, Node, Reading},
        },
    },
    schema::Schema,
};

/// The keys of an exemption. `id` and `created` are missing: the store assigns them.
const KEYS: &[&str] = &{
    let [customer, prefixes, destinations, ticket, note, expires, force] = COLUMNS;
    [
        customer,
        prefixes,
        destinations,
        ticket,
        note,
        expires,
        force,
        SOURCE,
    ]
};

/// Reads a file, and finds the mistakes in its form. `progress` is called with the number of bytes read so far.
pub(super) fn read(text: &str, progress: &dyn Fn(u64)) -> (Contents, Mistakes) {
    let (contents, report) = parse("", text, progress);
    let mistakes = if report.errors() == 0 {
        Mistakes::default()
    } else {
        mistakes(&report)
    };
    (contents, mistakes)
}

/// The errors of a report as mistakes.
fn mistakes(report: &Report) -> Mistakes {
    let mut mistakes = Mistakes::default();
    for diagnostic in report.diagnostics() {
        let location = diagnostic.location.as_ref();
        let line = location.map_or(0, |location| location.position.line);
        mistakes.add(line, || {
            let remarks = [&diagnostic.note, &diagnostic.hint];
            let texts = remarks.into_iter().flatten().map(String::as_str);
            std::iter::once(diagnostic.message.as_str())
                .chain(texts)
                .collect::<Vec<_>>()
                .join("; ")
        });
    }
    mistakes.add_unlisted(report.omitted());
    mistakes
}

fn parse(file: &str, text: &str, progress: &dyn Fn(u64)) -> (Contents, Report) {
    let mut list = List {
        // Times are validated by the daemon.
        context: Context::new(file, text, Timestamp::UNIX_EPOCH, TimeZone::UTC),
        contents: Contents::default(),
        first: None,
        progress,
    };
    let read = yaml::read(text, &mut list);
    let mut reporter = list.context.reporter;
    if let Err(diagnostic) = read {
        reporter.report_file(diagnostic);
    }
    (list.contents, reporter.finish())
}

/// The exemptions that have been read so far.
struct List<'t, 'p> {
    context: Context<'t>,
    contents: Contents,
    /// The span of the key `exemptions`, if there was one.
    first: Option<Span>,
    progress: &'p dyn Fn(u64),
}

impl<'t> Items<'t> for List<'t, '_> {
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading {
        if matches!(&key.value, Node::Text(name) if name == "schema") {
            return Reading::Whole;
        }
        if known_key(&mut self.context, "a file of exemptions", &["exemptions"], key).is_err() {
            return Reading::NotAtAll;
        }
        if self.first.is_some() {
            duplicate_key(&mut self.context, "exemptions", key.span);
            return Reading::NotAtAll;
        }
        self.first = Some(key.span);
        Reading::ItemByItem
    }

    /// The schema of a document that `export` wrote.
    fn value(&mut self, schema: Located<Node<'t>>) {
        let name = Schema::ExemptExport.name();
        if !matches!(&schema.value, Node::Text(text) if text == name) {
            self.context.reporter.report(schema.span, Code::Version, || {
                Diagnostic::new(
                    Code::Version,
                    "this is not a document of exemptions that this version reads",
                )
                .hint(format!("`op25b exempt export --json` writes `{name}`"))
            });
        }
    }

    fn item(&mut self, item: Located<Node<'t>>) {
        (self.progress)(item.span.offset as u64);
        let before = self.context.reporter.errors();
        if let Some((row, source)) = exemption(&mut self.context, item)
            && self.context.reporter.errors() == before
        {
            self.contents.add(row, &source);
        }
    }

    fn not_a_list(&mut self, found: &Node<'_>) {
        let span = self.first.unwrap_or_default();
        self.context
            .wrong_type(span, "exemptions", "a list of exemptions", found);
    }

    fn not_a_mapping(&mut self, found: &Node<'_>) {
        match found {
            Node::List(items) => {
                for item in items {
                    let value = owned(&item.value);
                    self.item(Located {
                        value,
                        span: item.span,
                    });
                }
            }
            // An empty file has no exemptions, as an empty list.
            Node::Null => {}
            found => {
                let kind = found.kind();
                self.context.reporter.report_file(
                    Diagnostic::new(
                        Code::WrongType,
                        format!("this must be a list of exemptions, not {kind}"),
                    )
                    .hint("write `- { customer: Example KK, prefixes: [198.51.100.8/29] }`"),
                );
            }
        }
    }
}

/// A copy with texts of its own.
fn owned<'t>(node: &Node<'_>) -> Node<'t> {
    let located = |node: &Located<Node<'_>>| Located {
        value: owned(&node.value),
        span: node.span,
    };
    match node {
        Node::Null => Node::Null,
        Node::Plain => Node::Plain,
        Node::Integer(value) => Node::Integer(*value),
        Node::Text(text) => Node::Text(Cow::Owned(text.clone().into_owned())),
        Node::List(items) => Node::List(items.iter().map(located).collect()),
        Node::Mapping(entries) => Node::Mapping(
            entries
                .iter()
                .map(|(key, value)| (located(key), located(value)))
                .collect(),
        ),
    }
}

/// An exemption, and where it is kept.
fn exemption<'t>(context: &mut Context<'t>, item: Located<Node<'t>>) -> Option<(ImportRow, Cow<'t, str>)> {
    let line = item.span.at.line;
    let mut mapping = Mapping::new(context, "an exemption", KEYS, item)?;
    let customer = mapping
        .required(context, "customer", "Example KK")
        .and_then(|value| context.text("customer", value));
    let prefixes = mapping
        .required(context, "prefixes", "[198.51.100.0/24]")
        .map(|value| prefixes(context, "prefixes", value));
    let destinations = mapping
        .optional("destinations")
        .map(|value| prefixes_or_none(context, value));
    let ticket = mapping
        .optional("ticket")
        .and_then(|value| context.text("ticket", value));
    let note = mapping
        .optional("note")
        .and_then(|value| context.prose("note", value));
    let expires = mapping
        .optional("expires")
        .and_then(|value| context.scalar("expires", "a date such as 2028-03-31", value));
    let force = mapping
        .optional("force")
        .is_some_and(|value| is_true(context, value));
    let source = mapping
        .optional(SOURCE)
        .and_then(|value| context.text(SOURCE, value));
    let row = ImportRow {
        line,
        exemption: NewExemption {
            customer: customer?.value.into_owned(),
            prefixes: prefixes?,
            destinations: destinations.unwrap_or_default(),
            ticket: ticket.map(|ticket| ticket.value.into_owned()),
            note: note.map(|note| note.value.into_owned()),
            expires: expires.map(|expires| expires.value.into_owned()),
            force,
        },
    };
    Some((row, source.map_or(Cow::Borrowed(""), |source| source.value)))
}

fn is_true<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> bool {
    let Some(Located { value, span }) = context.scalar("force", "true or false", node) else {
        return false;
    };
    if !matches!(&*value, "true" | "false") {
        let message = format!("`force` must be true or false, not `{value}`");
        context
            .reporter
            .error(span, Code::UnknownValue, message, "write true or false");
    }
    value == "true"
}

fn prefixes<'t>(context: &mut Context<'t>, key: &str, node: Located<Node<'t>>) -> Vec<String> {
    let items = context.list(key, PREFIXES, node);
    let mut prefixes = Vec::with_capacity(items.len());
    for item in items {
        prefixes.extend(
            context
                .scalar(key, "a prefix", item)
                .map(|text| text.value.into_owned()),
        );
    }
    prefixes
}

/// JSON from programs has an empty list for all destinations.
fn prefixes_or_none<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Vec<String> {
    if matches!(&node.value, Node::List(items) if items.is_empty()) {
        return Vec::new();
    }
    prefixes(context, "destinations", node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<ImportRow>, Vec<(u32, String)>> {
        let (contents, report) = parse("x.yaml", text, &|_| {});
        let diagnostics = report.diagnostics().iter();
        let mistakes: Vec<_> = diagnostics
            .map(|diagnostic| {
                let line = diagnostic
                    .location
                    .as_ref()
                    .map_or(0, |location| location.position.line);
                (line, diagnostic.message.clone())
            })
            .collect();
        if mistakes.is_empty() {
            Ok(contents.rows)
        } else {
            Err(mistakes)
        }
    }

    #[test]
    fn a_list_and_a_policys_section_and_json_mean_the_same() {
        let list = "- { customer: Example KK, prefixes: [198.51.100.8/29], ticket: 1042 }\n";
        let section = format!("exemptions:\n{list}");
        let json = r#"[{"customer": "Example KK", "prefixes": ["198.51.100.8/29"], "destinations": [], "ticket": "1042"}]"#;
        let mut read = [list, &section, json].map(|text| read(text).unwrap());
        assert_eq!(read[0][0].exemption.prefixes, ["198.51.100.8/29"]);
        assert_eq!(read[0][0].exemption.ticket.as_deref(), Some("1042"));
        assert_eq!(read.each_ref().map(|rows| rows[0].line), [1, 2, 1]);
        read[1][0].line = 1;
        assert_eq!(read[0], read[1]);
        assert_eq!(read[0], read[2]);
    }

    #[test]
    fn every_mistake_is_reported_with_its_line() {
        let text = "- customer: A\n  prefixes: [192.0.2.1]\n  expired: 2028-03-31\n- prefixes: []\n- customer: B\n- just text\n";
        assert_eq!(
            read(text).unwrap_err(),
            [
                (3, "unknown key `expired` in an exemption".into()),
                (4, "an exemption needs the key `customer`".into()),
                (4, "`prefixes` is an empty list".into()),
                (5, "an exemption needs the key `prefixes`".into()),
                (
                    6,
                    "an exemption must be a mapping of keys to values, not a string".into()
                ),
            ]
        );
        assert_eq!(
            read("exemptions: 5\n").unwrap_err(),
            [(
                1,
                "`exemptions` must be a list of exemptions, not a number".into()
            )]
        );
        assert_eq!(
            read("pools: []\nexemptions: []\n").unwrap_err(),
            [(1, "unknown key `pools` in a file of exemptions".into())]
        );
        assert_eq!(
            read("text").unwrap_err(),
            [(0, "this must be a list of exemptions, not a string".into())]
        );
        assert!(read("- {").unwrap_err()[0].1.starts_with("invalid YAML"));
    }

    #[test]
    fn an_empty_file_has_no_exemptions() {
        for text in ["", "# nothing\n", "[]", "exemptions: []"] {
            assert_eq!(read(text), Ok(Vec::new()), "{text:?}");
        }
    }
}
