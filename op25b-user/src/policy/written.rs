//! Exemptions in a file of their own, as they are written: read to be handed on, and judged by whoever gets them.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    diagnostics::{Code, Diagnostic, Report, Span},
    parse::{
        Context, Mapping, PREFIXES, duplicate_key, known_key,
        yaml::{self, Items, Located, Node, Reading},
    },
};

/// What is not said here is the store's to say: it gives ids, and knows when something was added.
const KEYS: &[&str] = &[
    "customer",
    "prefixes",
    "destinations",
    "ticket",
    "note",
    "expires",
];

/// An exemption as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The line on which it begins.
    pub(crate) line: u32,
    /// Who it is.
    pub(crate) customer: String,
    /// Their source prefixes.
    pub(crate) prefixes: Vec<String>,
    /// Where they may connect to.
    pub(crate) destinations: Vec<String>,
    /// The ticket that asked for it.
    pub(crate) ticket: Option<String>,
    /// Anything else worth knowing.
    pub(crate) note: Option<String>,
    /// When it ends.
    pub(crate) expires: Option<String>,
}

/// Reads a list of exemptions, or a policy's `exemptions:` alone; `seen` learns how many bytes were read.
pub(crate) fn read(file: &str, text: &str, seen: &dyn Fn(u64)) -> Result<Vec<Written>, Report> {
    let new = || List {
        // Nothing here has to do with time, as it is only handed on.
        context: Context::new(file, text, Timestamp::UNIX_EPOCH, TimeZone::UTC),
        exemptions: Vec::new(),
        first: None,
        seen,
    };
    let (list, wrong) = match yaml::read(text, new) {
        Ok(list) => (list, None),
        Err((list, diagnostic)) => (list, Some(diagnostic)),
    };
    let mut reporter = list.context.reporter;
    if let Some(diagnostic) = wrong {
        reporter.report_file(diagnostic);
    }
    if reporter.errors() == 0 {
        return Ok(list.exemptions);
    }
    Err(reporter.finish())
}

/// The list as far as it is read.
struct List<'t, 's> {
    context: Context<'t>,
    exemptions: Vec<Written>,
    /// Where the key is, if there was one.
    first: Option<Span>,
    seen: &'s dyn Fn(u64),
}

impl<'t> Items<'t> for List<'t, '_> {
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading {
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

    fn value(&mut self, _: Located<Node<'t>>) {}

    fn item(&mut self, item: Located<Node<'t>>) {
        (self.seen)(item.span.offset as u64);
        self.exemptions.extend(exemption(&mut self.context, item));
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
            // A file with nothing in it has no exemptions, which is what an empty list says as well.
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

/// A copy that holds its own texts.
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

fn exemption<'t>(context: &mut Context<'t>, item: Located<Node<'t>>) -> Option<Written> {
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
    Some(Written {
        line,
        customer: customer?.value.into_owned(),
        prefixes: prefixes?,
        destinations: destinations.unwrap_or_default(),
        ticket: ticket.map(|ticket| ticket.value.into_owned()),
        note: note.map(|note| note.value.into_owned()),
        expires: expires.map(|expires| expires.value.into_owned()),
    })
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

/// In JSON, which a machine writes, an empty list means everywhere.
fn prefixes_or_none<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Vec<String> {
    if matches!(&node.value, Node::List(items) if items.is_empty()) {
        return Vec::new();
    }
    prefixes(context, "destinations", node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Written>, Vec<(u32, String)>> {
        super::read("x.yaml", text, &|_| {}).map_err(|report| {
            let diagnostics = report.diagnostics().iter();
            diagnostics
                .map(|diagnostic| {
                    let line = diagnostic
                        .location
                        .as_ref()
                        .map_or(0, |location| location.position.line);
                    (line, diagnostic.message.clone())
                })
                .collect()
        })
    }

    #[test]
    fn a_list_and_a_policys_section_and_json_say_the_same() {
        let list = "- { customer: Example KK, prefixes: [198.51.100.8/29], ticket: 1042 }\n";
        let section = format!("exemptions:\n{list}");
        let json = r#"[{"customer": "Example KK", "prefixes": ["198.51.100.8/29"], "destinations": [], "ticket": "1042"}]"#;
        let mut read = [list, &section, json].map(|text| read(text).unwrap());
        assert_eq!(read[0][0].prefixes, ["198.51.100.8/29"]);
        assert_eq!(read[0][0].ticket.as_deref(), Some("1042"));
        assert_eq!(read.each_ref().map(|rows| rows[0].line), [1, 2, 1]);
        read[1][0].line = 1;
        assert_eq!(read[0], read[1]);
        assert_eq!(read[0], read[2]);
    }

    #[test]
    fn every_mistake_is_said_with_its_line() {
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
    fn nothing_at_all_has_no_exemptions() {
        for text in ["", "# nothing\n", "[]", "exemptions: []"] {
            assert_eq!(read(text), Ok(Vec::new()), "{text:?}");
        }
    }
}
