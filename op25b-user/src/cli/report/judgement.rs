//! `op25b report --judgement`: what support staff need to tell whether a customer is affected, from the policy.

use clap::ValueEnum;
use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    cli::policy_source::Source,
    policy::{Handling, Inbound, Pool, characters::printable, pool_addresses::PoolAddresses},
    report::activity::{Mode, Rules},
    time::show,
};

/// The ports by which mail is handed in with a password.
const SUBMISSION: [u16; 2] = [587, 465];

/// The languages of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

/// What a language has.
struct Words {
    template: &'static str,
    headings: [&'static str; 3],
    blocked: &'static str,
    watched: &'static str,
    watched_until: fn(&str) -> String,
    /// The same where some destinations come before the others.
    watched_until_in_part: fn(&str) -> String,
    in_part: &'static str,
    in_part_until: fn(&str) -> String,
    passes: &'static str,
    elsewhere: &'static str,
    or: &'static str,
}

const ENGLISH: Words = Words {
    template: include_str!("judgement_en.txt"),
    headings: [
        "ADDRESS OF THE CUSTOMER",
        "POOL",
        "CONNECTIONS TO OTHER MAIL SERVERS",
    ],
    blocked: "blocked",
    watched: "not blocked: only counted",
    watched_until: |date| format!("blocked from {date} on; until then only counted"),
    watched_until_in_part: |date| {
        format!("blocked towards some destinations from {date} on; until then only counted")
    },
    in_part: "blocked towards some destinations; otherwise only counted",
    in_part_until: |date| format!("blocked towards some destinations, and towards all from {date} on"),
    passes: "not blocked",
    elsewhere: "any other",
    or: " or ",
};

const JAPANESE: Words = Words {
    template: include_str!("judgement_ja.txt"),
    headings: ["お客様のアドレス", "プール", "他社メールサーバーへの接続"],
    blocked: "遮断",
    watched: "遮断しない（計数のみ）",
    watched_until: |date| format!("{date} から遮断（それまでは計数のみ）"),
    watched_until_in_part: |date| format!("{date} から一部の宛先のみ遮断（それまでは計数のみ）"),
    in_part: "一部の宛先のみ遮断（ほかは計数のみ）",
    in_part_until: |date| format!("一部の宛先のみ遮断（{date} からすべての宛先）"),
    passes: "遮断しない",
    elsewhere: "その他",
    or: "・",
};

/// What the templates show.
#[derive(Serialize)]
struct Judgement {
    policy_file: String,
    read_at: String,
    ports: String,
    /// Empty if these are blocked, too.
    submission: String,
    table: Vec<String>,
    relays: Vec<Relay>,
    exemptions: usize,
    inbound: bool,
}

#[derive(Serialize)]
struct Relay {
    name: String,
    prefixes: String,
}

/// The text in a language; times are those of a time zone.
pub(super) fn text(
    source: &Source,
    language: Language,
    now: Timestamp,
    time_zone: &TimeZone,
) -> Result<String, minijinja::Error> {
    let words = match language {
        Language::En => &ENGLISH,
        Language::Ja => &JAPANESE,
    };
    let block = &source.policy.block;
    let list = |ports: &[u16]| {
        let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
        ports.join(words.or)
    };
    let free: Vec<u16> = SUBMISSION
        .into_iter()
        .filter(|port| !block.ports.contains(port))
        .collect();
    let held = source
        .exemptions
        .iter()
        .filter(|exempt| !exempt.terms.have_expired(now));
    let judgement = Judgement {
        policy_file: source.file.display().to_string(),
        read_at: show::minute(now, time_zone),
        ports: list(&block.ports),
        submission: list(&free),
        table: aligned(&rows(source, words, now, time_zone)),
        relays: source
            .policy
            .relays
            .iter()
            .map(|relay| Relay {
                name: printable(&relay.name).into_owned(),
                prefixes: nets(relay.prefixes.iter().map(|prefix| prefix.net)).join(", "),
            })
            .collect(),
        exemptions: held.count(),
        inbound: block.inbound == Inbound::Block,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut text = environment.render_str(words.template, Serde(judgement))?;
    // Jinja takes the newline at the end of a template away.
    text.push('\n');
    Ok(text)
}

/// The rows of the table: which addresses, of which pool, and what is done with their connections.
fn rows(source: &Source, words: &Words, now: Timestamp, time_zone: &TimeZone) -> Vec<[String; 3]> {
    let rules = Rules::new(&source.policy, &source.exemptions, now);
    let done = |pool: &Pool| match rules.mode(pool) {
        (Mode::Enforce, _) => words.blocked.to_owned(),
        (Mode::Partial, None) => words.in_part.to_owned(),
        (Mode::Monitor, None) => words.watched.to_owned(),
        (mode, Some(from)) => {
            let from = show::minute(from, time_zone);
            match mode {
                Mode::Partial => (words.in_part_until)(&from),
                _ if pool.is_phased() => (words.watched_until_in_part)(&from),
                _ => (words.watched_until)(&from),
            }
        }
    };
    let mut rows = vec![words.headings.map(str::to_owned)];
    let addresses = PoolAddresses::of_each(&source.policy, std::iter::empty(), now);
    for (pool, addresses) in source.policy.pools.iter().zip(addresses) {
        for net in nets(addresses.all.prefixes()) {
            rows.push([net, printable(&pool.name).into_owned(), done(pool)]);
        }
    }
    let elsewhere = match source.policy.block.unlisted {
        Handling::Pass => words.passes,
        Handling::Drop => words.blocked,
    };
    rows.push([words.elsewhere, "-", elsewhere].map(str::to_owned));
    rows
}

/// Prefixes as people write them: an address alone without its length.
fn nets(nets: impl Iterator<Item = IpNet>) -> Vec<String> {
    nets.map(|net| {
        if net.prefix_len() == net.max_prefix_len() {
            net.addr().to_string()
        } else {
            net.to_string()
        }
    })
    .collect()
}

/// Rows with columns below one another, in scripts of any width.
fn aligned(rows: &[[String; 3]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].width())
            .max()
            .unwrap_or_default()
    };
    let (first, second) = (width(0), width(1));
    let padded = |text: &str, to: usize| format!("{text}{}", " ".repeat(to - text.width()));
    rows.iter()
        .map(|[net, pool, done]| format!("{}  {}  {done}", padded(net, first), padded(pool, second)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    fn shown(language: Language) -> String {
        let text = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
block: { inbound: block }
pools:
  - { name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: 法人, prefixes: [198.51.100.128/26], mode: monitor }
  - { name: mobile, prefixes: [203.0.113.0/24], enforce_from: 2027-01-01T00:00:00+09:00 }
  - { name: phased, prefixes: [192.0.2.64/26], phases: [{ only_to: [192.0.2.25] }, { from: 2027-01-01T00:00:00+09:00 }] }
  - { name: some, prefixes: [192.0.2.128/26], only_to: [192.0.2.25] }
  - { name: planned, prefixes: [192.0.2.192/26], phases: [{ from: 2027-01-01T00:00:00+09:00, only_to: [192.0.2.25] }] }
relays: [{ name: post1, prefixes: [192.0.2.25, '2001:db8:25::/64'] }]
";
        let source = Source {
            file: "/etc/op25b/policy.yaml".into(),
            policy: parse("policy.yaml", text).unwrap().policy,
            exemptions: Vec::new(),
        };
        let now = "2026-11-29T00:00:00Z".parse().unwrap();
        super::text(&source, language, now, &TimeZone::fixed(jiff::tz::offset(9))).unwrap()
    }

    #[test]
    fn the_table_has_every_address_once_with_what_is_done_in_both_languages() {
        insta::assert_snapshot!("judgement_en", shown(Language::En));
        insta::assert_snapshot!("judgement_ja", shown(Language::Ja));
    }

    #[test]
    fn both_languages_show_the_same_values() {
        let values = |template: &str| {
            let mut environment = Environment::new();
            environment.add_template("judgement", template).unwrap();
            environment
                .get_template("judgement")
                .unwrap()
                .undeclared_variables(true)
        };
        assert_eq!(values(ENGLISH.template), values(JAPANESE.template));
    }
}
