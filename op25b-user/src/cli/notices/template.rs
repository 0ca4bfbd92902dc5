//! The template of notices, and what it can show.
//!
//! Customers' names come from a log, and are chosen by whomever: in what a template shows, no character breaks a line, so that
//! none begins a header of a mail.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use jiff::{Timestamp, tz::TimeZone};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use super::address::Letter;
use crate::{
    policy::{self, Policy, characters::printable},
    report::activity::{Class, Tally, subscriber},
    time::show,
};

/// The endings of templates that are text; in all others, names are escaped.
const TEXT: [&str; 3] = ["txt", "eml", "md"];
/// What ends the name of a template before its own ending is known.
const JINJA: [&str; 3] = ["j2", "jinja", "jinja2"];
/// The longest part of a customer's name in the name of a file.
const LONGEST_NAME: usize = 40;

/// A template.
pub(super) struct Template {
    environment: Environment<'static>,
    name: String,
    ending: String,
    digest: String,
}

/// What a template can show of a notice.
#[derive(Serialize)]
struct Shown {
    customer: String,
    today: String,
    /// The beginning of the period.
    since: String,
    ports: Vec<u16>,
    class: Option<&'static str>,
    is_blocked: bool,
    enforce_from: Option<String>,
    enforce_from_date: Option<String>,
    #[serde(flatten)]
    sum: Sum,
    addresses: Vec<ShownAddress>,
}

#[derive(Serialize)]
struct ShownAddress {
    address: String,
    pool: Option<String>,
    #[serde(flatten)]
    sum: Sum,
}

/// What was done in the period, of all addresses or of one.
#[derive(Serialize)]
struct Sum {
    packets: u64,
    blocked: u64,
    monitored: u64,
    syns: u64,
    days: u32,
    destinations: u32,
    first_seen: String,
    last_seen: String,
}

impl Template {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let source = String::from_utf8(bytes).map_err(|error| {
            anyhow!(
                "{}: the file is not UTF-8: {}",
                path.display(),
                error.utf8_error()
            )
        })?;
        Self::new(&path.display().to_string(), source)
    }

    fn new(name: &str, source: String) -> anyhow::Result<Self> {
        let digest = policy::digest(source.as_bytes());
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if TEXT.contains(&ending(name).as_str()) {
                AutoEscape::None
            } else {
                AutoEscape::Html
            }
        });
        environment
            .add_template_owned(name.to_owned(), source)
            .map_err(|error| told(name, &error))?;
        Ok(Self {
            environment,
            name: name.to_owned(),
            ending: ending(name),
            digest,
        })
    }

    /// The SHA-256 of the template, in hexadecimal.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The name of a customer's file: what of the customer's name every file system and shell takes, and a digest, by which
    /// no two customers have the same.
    pub(super) fn file_name(&self, customer: &str) -> String {
        let mut name = String::new();
        for char in customer.chars() {
            if char.is_ascii_alphanumeric() {
                name.push(char);
            } else if !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
        }
        name.truncate(LONGEST_NAME);
        let name = name.trim_end_matches('-');
        let digest = &policy::digest(customer.as_bytes())[..16];
        let separator = if name.is_empty() { "" } else { "-" };
        format!("{name}{separator}{digest}.{}", self.ending)
    }

    /// The notice to a customer.
    pub(super) fn render(
        &self,
        letter: &Letter<'_>,
        policy: &Policy,
        (since, now): (Timestamp, Timestamp),
        time_zone: &TimeZone,
    ) -> anyhow::Result<String> {
        let date = |at: Timestamp| at.to_zoned_datetime(time_zone.clone()).date().to_string();
        let shown = Shown {
            customer: printable(letter.customer).into_owned(),
            today: date(now),
            since: date(since),
            ports: policy.block.ports.clone(),
            class: letter.class.map(Class::word),
            is_blocked: letter.is_blocked,
            enforce_from: letter.enforce_from.map(|from| show::minute(from, time_zone)),
            enforce_from_date: letter.enforce_from.map(date),
            sum: Sum::of(letter.tally, time_zone),
            addresses: letter
                .addresses
                .iter()
                .map(|(address, pool)| ShownAddress {
                    address: subscriber(&address.subscriber),
                    pool: pool.map(|pool| printable(&pool.name).into_owned()),
                    sum: Sum::of(&address.tally, time_zone),
                })
                .collect(),
        };
        let template = self.environment.get_template(&self.name);
        let text = template.and_then(|template| template.render(Serde(shown)));
        let mut text = text.map_err(|error| told(&self.name, &error))?;
        // Jinja takes the newline at the end of a template away.
        text.push('\n');
        Ok(text)
    }
}

impl Sum {
    fn of(tally: &Tally, time_zone: &TimeZone) -> Self {
        let counts = &tally.counts;
        Self {
            packets: counts.packets(),
            blocked: counts.blocked(),
            monitored: counts.monitored(),
            syns: counts.syns(),
            days: tally.days,
            destinations: tally.destinations(),
            first_seen: show::minute(tally.first(), time_zone),
            last_seen: show::minute(tally.last(), time_zone),
        }
    }
}

/// The ending of the file that a template makes: `txt` of `notice.txt` and of `notice.txt.j2`.
fn ending(name: &str) -> String {
    let path = Path::new(name);
    let extension = |path: &Path| {
        path.extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase())
    };
    let last = extension(path).unwrap_or_default();
    let ending = if JINJA.contains(&last.as_str()) {
        extension(&path.with_extension("")).unwrap_or_default()
    } else {
        last
    };
    if ending.is_empty() {
        "html".to_owned()
    } else {
        ending
    }
}

/// What is wrong with a template, and where.
fn told(name: &str, error: &minijinja::Error) -> anyhow::Error {
    let line = error
        .line()
        .map_or_else(String::new, |line| format!(" line {line}:"));
    let detail = error
        .detail()
        .map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    anyhow!("{name}:{line} {detail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: residential, prefixes: [198.51.100.0/24], enforce_from: 2027-01-01T00:00:00+09:00 }
";

    fn rendered(name: &str, source: &str, customer: &str) -> anyhow::Result<String> {
        let policy = parse("policy.yaml", POLICY).unwrap().policy;
        let tally = Tally::default();
        let letter = Letter {
            customer,
            class: None,
            tally: &tally,
            addresses: Vec::new(),
            is_blocked: false,
            enforce_from: Some("2026-12-31T15:00:00Z".parse()?),
        };
        let times = ("2026-10-30T00:00:00Z".parse()?, "2026-11-29T00:00:00Z".parse()?);
        let time_zone = TimeZone::fixed(jiff::tz::offset(9));
        Template::new(name, source.to_owned())?.render(&letter, &policy, times, &time_zone)
    }

    #[test]
    fn a_name_breaks_no_line_of_a_text_and_is_escaped_in_everything_else() {
        let customer = "A\r\nBcc: <x@example.net>\u{2028}";
        let source = "Subject: {{ customer }}, {{ enforce_from_date }}\n\n{{ ports }}";
        let text = rendered("notice.eml.j2", source, customer).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("Subject: A  Bcc: <x@example.net>"), "{text}");
        assert!(text.contains(", 2027-01-01\n\n[25]\n"), "{text}");
        for name in ["notice.html", "notice", "notice.xhtml.jinja"] {
            let text = rendered(name, source, customer).unwrap();
            assert!(text.contains("&lt;x@example.net&gt;"), "{name}: {text}");
        }
    }

    #[test]
    fn what_a_template_misspells_is_named_with_its_line() {
        for (source, line) in [
            ("\n{{ custommer }}", 2),
            ("{{ customer", 1),
            ("a\nb\n{% include 'x' %}", 3),
        ] {
            let error = rendered("notice.txt", source, "A").unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("notice.txt: line {line}: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_name_of_a_file_has_letters_and_digits_and_is_that_of_one_customer() {
        let template = Template::new("notice.ja.txt", String::new()).unwrap();
        let name = |customer: &str| template.file_name(customer);
        for customer in [
            "../../etc/passwd",
            "株式会社サンプル",
            "-rf *",
            "",
            ".",
            "a\0b",
            &"x".repeat(4000),
        ] {
            let name = name(customer);
            let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
            let stem = name.strip_suffix(".txt").unwrap();
            assert!(stem.chars().all(is_plain) && !stem.starts_with('-'), "{name}");
            assert!((16..64).contains(&stem.len()), "{name}");
        }
        assert!(name("../../etc/passwd").starts_with("etc-passwd-"));
        assert_ne!(name("A B"), name("A-B"));
    }
}
