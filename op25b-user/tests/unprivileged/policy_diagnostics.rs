//! Each diagnostic has a location and a hint.

use std::{collections::HashSet, fmt::Write as _};

use jiff::{Timestamp, tz::TimeZone};
use op25b::policy::{self, Code, Loaded, Report, Severity};

/// The sections of a good policy, for those that a case does not write itself.
const GOOD: &[(&str, &str)] = &[
    ("version", "version: 1\n"),
    ("interfaces", "interfaces: [{ name: eth1, role: subscriber }]\n"),
    (
        "pools",
        "pools: [{ name: residential, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]\n",
    ),
];

fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn completed(case: &str) -> String {
    let mut text = case.to_owned();
    for (key, section) in GOOD {
        if !case.lines().any(|line| line.starts_with(&format!("{key}:"))) {
            text.push_str(section);
        }
    }
    text
}

fn parse(text: &str) -> Result<Loaded, Report> {
    policy::parse_at("policy.yaml", text, now(), &TimeZone::fixed(jiff::tz::offset(9)))
}

fn report_on(text: &str) -> Report {
    match parse(text) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    }
}

/// Each with the codes that it is about, in the order of its lines.
#[rustfmt::skip]
const CASES: &[(&str, &[Code])] = &[
    ("verison: 1\n", &[Code::UnknownKey]),
    ("version: 2\n", &[Code::Version]),
    ("version: '1'\n", &[Code::WrongType]),
    ("version: 1\nversion: 1\n", &[Code::DuplicateKey]),
    ("interfaces: []\n", &[Code::EmptyList]),
    ("interfaces:\n", &[Code::EmptyValue]),
    ("interfaces: eth1\n", &[Code::WrongType]),
    ("interfaces: { name: eth1, role: subscriber }\n", &[Code::WrongType]),
    ("interfaces: [eth1]\n", &[Code::WrongType]),
    ("interfaces: [{ name: eth1 }]\n", &[Code::MissingKey]),
    ("interfaces: [{ name: eth1, role: customer }]\n", &[Code::UnknownValue]),
    ("interfaces: [{ name: eth1, role: subscriber, xdp: nativ }]\n", &[Code::UnknownValue]),
    ("interfaces: [{ name: eth1, role: subscriber }, { name: eth1, role: subscriber }]\n", &[Code::Duplicate]),
    ("interfaces: [{ name: customers-of-the-eastern-ring-customers-of-the-eastern-ring-customers-of-the-eastern-ring-customers-of-the-eastern-ring-interfac, role: subscriber }]\n", &[Code::InterfaceName]),
    ("interfaces: [{ name: eth/1, role: subscriber }]\n", &[Code::InterfaceName]),
    ("interfaces: [{ name: 'eth 1', role: subscriber }]\n", &[Code::InterfaceName]),
    ("interfaces: [{ name: eth0, role: uplink }]\n", &[Code::NoSubscriber]),
    ("interfaces: [{ name: eth1, role: subscriber, tunnels: [] }]\n", &[Code::EmptyList]),
    ("interfaces: [{ name: eth1, role: subscriber, tunnels: [ipip, gre, gre] }]\n", &[Code::UnknownValue, Code::Duplicate]),
    ("interfaces: [{ name: eth1, role: subscriber }, { name: eth0, role: uplink, tunnels: [gre] }]\n", &[Code::Misplaced]),
    ("block: drop\n", &[Code::WrongType]),
    ("block: { port: [25] }\n", &[Code::UnknownKey]),
    ("block: { ports: [] }\n", &[Code::EmptyList]),
    ("block: { ports: 25 }\n", &[Code::WrongType]),
    ("block: { ports: [25, 25] }\n", &[Code::Duplicate]),
    ("block: { ports: [0, 65536, -25, smtp, 2.5, '25'] }\n",
        &[Code::BadPort, Code::BadPort, Code::BadPort, Code::BadPort, Code::BadPort, Code::WrongType]),
    ("block: { ports: [25, 465, 587] }\n", &[Code::SubmissionPort, Code::SubmissionPort]),
    ("block: { ports: [1, 2, 3, 4, 5, 6, 7, 8, 9] }\n", &[Code::TooManyPorts]),
    ("block: { match: new, action: reset, inbound: block }\n", &[Code::InboundWithoutUplink]),
    ("block: { action: prohibit }\n", &[Code::NoRouter, Code::NoRouter]),
    ("block: { action: prohibit, prohibit_from: [192.0.2.1] }\n", &[Code::NoRouter]),
    ("block: { action: prohibit, prohibit_from: [192.0.2.1, 192.0.2.2, '2001:db8::1'] }\n", &[Code::NoRouter]),
    ("block: { action: prohibit, prohibit_from: [192.0.2.0/24, 'ff02::1'] }\n", &[Code::NoRouter, Code::NoRouter]),
    ("block: { action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1'], prohibit_rate: 0 }\n", &[Code::BadRate]),
    ("block: { action: reset, prohibit_from: [192.0.2.1], prohibit_rate: 10 }\n", &[Code::Misplaced, Code::Misplaced]),
    ("block: { action: reset, reset_rate: 0 }\n", &[Code::BadRate]),
    ("block: { action: drop, reset_rate: 10 }\n", &[Code::Misplaced]),
    ("block: { vlan_tpids: [0x9200, 0x05ff, 0x10000, 1.5, '0x9200', 0x88a8, 0x8847, 0x0800] }\n", &[Code::BadTpid, Code::BadTpid, Code::BadTpid, Code::BadTpid, Code::BadTpid, Code::BadTpid, Code::BadTpid]),
    ("block: { vlan_tpids: [0x9200, 37376] }\n", &[Code::Duplicate]),
    ("block: { vlan_tpids: 0x9200 }\n", &[Code::WrongType]),
    ("block: { vlan_tpids: [0x9200, 0x9201, 0x9202, 0x9203, 0x9204] }\n", &[Code::TooManyTpids]),
    ("interfaces: [{ name: eth1, role: subscriber, mpls: yes }]\n", &[Code::UnknownValue]),
    ("subscribers: 56\n", &[Code::WrongType]),
    ("subscribers: { ipv6_prefix: 31 }\n", &[Code::BadLength]),
    ("subscribers: { ipv6_prefix: 65 }\n", &[Code::BadLength]),
    ("subscribers: { ipv6_prefix: /56 }\n", &[Code::BadLength]),
    ("subscribers: { ipv6_prefix: 320 }\n", &[Code::BadLength]),
    ("subscribers: { ipv6_prefix: 56, ipv4_prefix: 32 }\n", &[Code::UnknownKey]),
    ("subscribers: { remember: none }\n", &[Code::UnknownValue]),
    ("subscribers: { remember: }\n", &[Code::EmptyValue]),
    ("subscribers: { remember: { residential: true } }\n", &[Code::WrongType]),
    ("subscribers: { remember: [] }\n", &[Code::EmptyList]),
    ("subscribers: { remember: [residental, business, residential, residential] }\n",
        &[Code::UnknownPool, Code::UnknownPool, Code::Duplicate]),
    ("subscribers: { remember: false }\n", &[]),
    ("subscribers: { remember: [a] }\npools: [{ name: a, prefixes: [10.0.0.0/8] }, { name: b, prefixes: [10.1.0.0/16], mode: monitor }]\n",
        &[Code::MonitoredUnseen]),
    ("subscribers: { remember: false }\npools: [{ name: a, prefixes: [10.0.0.0/8], enforce_from: 2027-04-01 }]\n",
        &[Code::MonitoredUnseen]),
    ("subscribers: { remember: [a] }\npools: [{ nam: a, prefixes: [10.0.0.0/8] }]\n", &[Code::UnknownKey]),
    ("block: { uninspectable: no, unlisted: false }\n", &[Code::UnknownValue, Code::UnknownValue]),
    ("block: { unlisted: drop }\n", &[]),
    ("block: { unlisted: drop, uninspectable: pass }\n", &[Code::NotDefaultDeny]),
    ("pools: []\n", &[Code::EmptyList]),
    ("pools: [{ name: a, prefixes: [] }]\n", &[Code::EmptyList]),
    ("pools: [{ name: '', prefixes: [10.0.0.0/8] }]\n", &[Code::EmptyValue]),
    ("pools: [{ name: \"a\\e[31m\", prefixes: [10.0.0.0/8] }]\n", &[Code::ControlCharacter]),
    ("exemptions: [{ customer: \"A\\u202eB\", prefixes: [198.51.100.8/29] }]\n", &[Code::MisleadingCharacter]),
    ("pools: [{ name: a, prefixes: [198.51.100.9/29, 2001:db8::1/64] }]\n", &[Code::HostBits, Code::HostBits]),
    ("pools: [{ name: a, prefixes: [198.51.100/24, 198.51.100.0/33, 10, a.example] }]\n",
        &[Code::BadPrefix, Code::BadPrefix, Code::BadPrefix, Code::BadPrefix]),
    ("pools: [{ name: a, prefixes: [2001:db8::] }]\n", &[Code::BadPrefix]),
    ("pools: [{ name: a, prefixes: ['::ffff:192.0.2.0/120', '::ffff:0:0/96'] }]\n", &[Code::Ipv4Mapped, Code::Ipv4Mapped]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8] }, { name: a, prefixes: [10.0.0.0/8] }]\n",
        &[Code::Duplicate, Code::Duplicate]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], enforce_from: 2026-12-31 }]\n", &[Code::EnforceFromPast]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], only_to: [192.0.2.0/24, 192.0.2.0/24] }]\n", &[Code::Duplicate]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], only_to: [], phases: [] }]\n", &[Code::EmptyList, Code::Misplaced, Code::EmptyList]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], phases: [{ only_to: [192.0.2.1] }, { from: 2027-04-01, only_to: [192.0.2.0/24] }, { from: 2027-07-01 }] }]\n",
        &[]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], phases: [{ from: 2027-04-01 }, { from: 2027-03-01, only_to: [192.0.2.1] }, { only_to: [192.0.2.9] }] }]\n",
        &[Code::BadPhases, Code::BadPhases, Code::BadPhases]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], phases: [{ since: 2027-04-01, only_to: 192.0.2.1 }] }]\n",
        &[Code::UnknownKey, Code::WrongType]),
    ("pools: [{ name: a, prefixes: [10.0.0.0/8], phases: [{ from: 2026-11-01, only_to: [192.0.2.1] }, { from: 2026-12-01, only_to: [192.0.2.9] }, { from: 2026-12-02 }] }]\n",
        &[Code::EnforceFromPast, Code::EnforceFromPast, Code::EnforceFromPast]),
    ("subscribers: { remember: false }\npools: [{ name: a, prefixes: [10.0.0.0/8], only_to: [192.0.2.1] }]\n",
        &[Code::MonitoredUnseen]),
    ("nat64: []\n", &[Code::EmptyList]),
    ("nat64: '64:ff9b::/96'\n", &[Code::WrongType]),
    ("nat64: ['64:ff9b::/96', 192.0.2.0/24, '2001:db8::/33', '2001:db8:0:0:ff00::/96', '64:ff9b::1/96']\n",
        &[Code::BadNat64, Code::BadNat64, Code::BadNat64, Code::HostBits]),
    ("nat64: ['64:ff9b::/96', '64:ff9b::/96', '64:ff9b::/32']\n", &[Code::Duplicate, Code::BadNat64]),
    ("nat64: ['64:ff9b::/96']\nrelays: [{ name: a, prefixes: ['64:ff9b::/96', '64:ff9b::/103', '64:ff9b::/104', '64:ff9b:0:1::/64'] }]\n",
        &[Code::WideRelay, Code::WideRelay]),
    ("nat64: ['64:ff9b::/96']\nexemptions: [{ customer: A, prefixes: ['2001:db8:108::/48'], destinations: [192.0.2.25] }]\n", &[]),
    ("nat64: ['64:ff9b::/96']\nexemptions: [{ customer: A, prefixes: [198.51.100.8/29], destinations: ['2001:db8::/32'] }]\n",
        &[Code::ExemptionNeverMatches]),
    ("relays: [{ name: a, prefixes: [192.0.2.25] }, { name: b, prefixes: [192.0.2.25/32] }]\n", &[Code::Duplicate]),
    ("relays: [{ name: a, prefixes: [0.0.0.0/0, 2000::/3, 10.0.0.0/8, 2001::/16] }]\n", &[Code::WideRelay, Code::WideRelay]),
    ("exemptions: []\n", &[Code::EmptyList]),
    ("exemptions: [{ prefixes: [198.51.100.8/29] }]\n", &[Code::MissingKey]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29, 198.51.100.8/29] }]\n", &[Code::Duplicate]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29], expires: 90d }]\n", &[Code::BadTime]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29], expires: ２０２８-０３-３１ }]\n", &[Code::BadTime]),
    ("exemptions: [{ customer: A, prefixes: [１９８.51.100.8/29] }]\n", &[Code::BadPrefix]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/255.255.255.248] }]\n", &[Code::BadPrefix]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29], expires: 31.03.2028 }]\n", &[Code::BadTime]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29], expires: 2106-02-08 }]\n", &[Code::LateTime]),
    ("exemptions: [{ id: 1, customer: A, prefixes: [198.51.100.8] }, { id: 1, customer: B, prefixes: [198.51.100.9] }]\n",
        &[Code::Duplicate]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29], expires: 2026-12-31 }]\n", &[Code::ExemptionExpired]),
    ("exemptions: [{ customer: A, prefixes: [192.0.2.8/29] }]\n", &[Code::ExemptionInNoPool]),
    ("exemptions: [{ customer: A, prefixes: [198.51.0.0/16, 2001:db8:100::/40] }]\n",
        &[Code::ExemptionCoversPool, Code::ExemptionCoversPool]),
    ("exemptions: [{ customer: A, prefixes: [198.51.100.8/29], destinations: ['2001:db8::/32'] }]\n",
        &[Code::ExemptionNeverMatches]),
    ("exemptions:\n- { customer: A, prefixes: [198.51.100.0/28] }\n- { customer: B, prefixes: [198.51.100.8/29] }\n",
        &[Code::ExemptionCovered]),
    ("exemptions:\n- { customer: A, prefixes: [198.51.100.8/29] }\n- { customer: B, prefixes: [198.51.100.8/29] }\n",
        &[Code::ExemptionCovered]),
    ("exemptions:\n- { customer: A, prefixes: [198.51.100.0/28, 198.51.100.8] }\n", &[Code::ExemptionCovered]),
    ("exemption_max_age: 90d\nexemptions: [{ customer: A, prefixes: [198.51.100.8/29] }]\n", &[Code::ExemptionWithoutEnd]),
    ("exemption_max_age: 90\n", &[Code::BadTime]),
    ("exemption_max_age: 2M\n", &[Code::BadTime]),
    ("exemption_max_age: [90d]\n", &[Code::WrongType]),
    ("exemption_widest: { ipv4: 33, ipv6: /48 }\n", &[Code::BadPrefix, Code::BadPrefix]),
    ("exemption_widest: { v4: 24 }\n", &[Code::UnknownKey]),
    ("exemption_widest: 24\n", &[Code::WrongType]),
    ("privacy: { retain: 30m, monitor_retain: ever, require_reason: yes }\n", &[Code::BadTime, Code::BadTime, Code::UnknownValue]),
    ("privacy: { keep: 90d }\n", &[Code::UnknownKey]),
    ("privacy: true\n", &[Code::WrongType]),
    ("events: { destination: /24, exempt: yes }\n", &[Code::UnknownValue, Code::UnknownValue]),
    ("events: { sinks: [] }\n", &[Code::UnknownKey]),
    ("events: true\n", &[Code::WrongType]),
    ("alerts: { syns_per_minute: 600, destinations: 100 }\n", &[]),
    ("alerts: { exempt_syns_per_minute: 600 }\nhistory: off\nsubscribers: { remember: false }\n", &[]),
    ("alerts: { exempt_syns_per_minute: 1000001 }\n", &[Code::BadThreshold]),
    ("alerts: {}\n", &[Code::MissingKey]),
    ("alerts: { syns_per_minute: 0, destinations: 251 }\n", &[Code::BadThreshold, Code::BadThreshold]),
    ("alerts: { syns_per_minute: [600] }\n", &[Code::BadThreshold]),
    ("alerts: { syns_per_second: 10 }\n", &[Code::MissingKey, Code::UnknownKey]),
    ("alerts: 600\n", &[Code::WrongType]),
    ("alerts: { destinations: 100 }\nhistory: off\n", &[Code::Misplaced]),
    ("alerts: { syns_per_minute: 600 }\nsubscribers: { remember: false }\n", &[Code::Misplaced]),
    ("history: on\n", &[Code::UnknownValue]),
    ("history: [off]\n", &[Code::WrongType]),
    ("history: { bucket: 10s, keep: 90, max_size: 2GB }\n", &[Code::BadTime, Code::BadTime, Code::BadSize]),
    ("history: { bucket: 1h, keep: 10m, max_size: 1MiB }\n", &[Code::BadTime, Code::BadSize]),
    ("history: { size: 2GiB }\n", &[Code::UnknownKey]),
    ("metrics: { listen: [127.0.0.1:9625, '[::1]:9625'] }\n", &[]),
    ("metrics: { listen: [192.0.2.1:9625], allow: [192.0.2.10, '2001:db8:5::/64'] }\n", &[]),
    ("metrics: { listen: [192.0.2.1:9625], tls: { cert: a.crt, key: a.key, client_ca: ca.crt } }\n", &[]),
    ("metrics: { listen: [127.0.0.1, localhost:9625, 127.0.0.1:0, 9625, 127.0.0.1:9625, 127.0.0.1:9625] }\n",
        &[Code::BadListener, Code::BadListener, Code::BadListener, Code::BadListener, Code::Duplicate]),
    ("metrics: { listen: [0.0.0.0:9625, '[2001:db8::1]:9625'], tls: { cert: a.crt, key: a.key } }\n",
        &[Code::MetricsForAll, Code::MetricsForAll]),
    ("metrics: { allow: [], tls: { cert: a.crt } }\n", &[Code::MissingKey, Code::EmptyList, Code::MissingKey]),
    ("metrics: true\n", &[Code::WrongType]),
    ("metrics: { listen: 127.0.0.1:9625, port: 9625 }\n", &[Code::WrongType, Code::UnknownKey]),
    ("pools: [\n", &[Code::YamlSyntax]),
    ("pools:\n\t- name: a\n", &[Code::YamlSyntax]),
    ("pools: [{ name: *nobody }]\n", &[Code::YamlSyntax]),
    ("pools: [{ <<: { name: a } }]\n", &[Code::YamlSyntax]),
    ("version: 1\n---\nversion: 1\n", &[Code::MultipleDocuments]),
    ("pools: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", &[Code::YamlLimit]),
];

#[test]
fn each_mistake_is_reported_with_its_code() {
    for (case, codes) in CASES {
        let report = report_on(&completed(case));
        let found: Vec<Code> = report
            .diagnostics()
            .iter()
            .map(|diagnostic| diagnostic.code)
            .collect();
        assert_eq!(&found, codes, "{case}\n{report}");
    }
}

#[test]
fn each_error_has_its_location_and_what_to_write() {
    for (case, _) in CASES {
        for diagnostic in report_on(&completed(case)).diagnostics() {
            assert!(diagnostic.location.is_some(), "{case}: {diagnostic:?}");
            assert!(
                diagnostic.hint.is_some() || diagnostic.code == Code::YamlSyntax,
                "{case}: {diagnostic:?}"
            );
        }
    }
}

#[test]
fn each_code_has_a_case() {
    let mut known: HashSet<Code> = CASES
        .iter()
        .flat_map(|(_, codes)| codes.iter().copied())
        .collect();
    // Those that need a file of their own; see below.
    known.extend([Code::EmptyFile, Code::NotUtf8]);
    // Those of lists; see `policy_lists`.
    known.extend([
        Code::ListUnreadable,
        Code::ListSize,
        Code::ListRow,
        Code::ListWithoutExemptions,
    ]);
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !known.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_file_without_a_policy_is_an_error() {
    for text in ["", "\n", "# only a comment\n", "---\n", "~\n"] {
        let report = parse(text).unwrap_err();
        assert_eq!(
            report.diagnostics()[0].code,
            Code::EmptyFile,
            "{text:?}\n{report}"
        );
    }
    for text in ["25\n", "policy\n", "[1]\n", "true\n", "-1\n", "1.5\n"] {
        let report = parse(text).unwrap_err();
        assert_eq!(
            report.diagnostics()[0].code,
            Code::WrongType,
            "{text:?}\n{report}"
        );
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error_with_its_place() {
    let report =
        policy::parse_bytes("policy.yaml", b"version: 1\n# \x8f\x5a\n", &mut policy::NoLists).unwrap_err();
    let location = report.diagnostics()[0].location.as_ref().unwrap();
    assert_eq!(report.diagnostics()[0].code, Code::NotUtf8);
    let position = location.position;
    assert_eq!((position.line, position.column), (2, 3));
}

#[test]
fn a_misspelt_required_key_is_reported_once() {
    let report = report_on(
        "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\npool: [{ name: a, prefixes: [10.0.0.0/8] }]\n",
    );
    assert_eq!(report.errors(), 1, "{report}");
}

#[test]
fn missing_sections_are_reported_together() {
    let report = parse("block: {}\n").unwrap_err();
    assert_eq!(report.errors(), 3, "{report}");
    insta::assert_snapshot!(report);
}

#[test]
fn very_many_errors_are_counted_but_not_all_shown() {
    let prefixes = "198.51.100.1/24, ".repeat(100_000);
    let report = parse(&completed(&format!(
        "pools: [{{ name: a, prefixes: [{prefixes}] }}]\n"
    )))
    .unwrap_err();
    assert_eq!(report.errors(), 100_000);
    assert!(report.diagnostics().len() <= 200);
    assert!(report.to_string().ends_with("more like these\n\n"));
}

#[test]
fn aliases_are_followed_and_bounded() {
    let loaded = parse(&completed(
        "exemptions:\n- { customer: A, prefixes: &office [198.51.100.8/29] }\n- { customer: B, prefixes: [198.51.100.16/29], destinations: *office }\n",
    ))
    .unwrap();
    assert_eq!(loaded.policy.exemptions[1].terms.destinations.len(), 1);

    let mut bomb = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let report = parse(&bomb).unwrap_err();
    assert!(
        report
            .diagnostics()
            .iter()
            .any(|diagnostic| diagnostic.code == Code::YamlLimit),
        "{report}"
    );
}

#[test]
fn texts_may_look_like_numbers_and_booleans() {
    let loaded = parse(&completed(
        "exemptions: [{ id: 007, customer: No, prefixes: [198.51.100.8/29], ticket: 1042, note: true }]\n",
    ))
    .unwrap();
    let exemption = &loaded.policy.exemptions[0];
    assert_eq!(exemption.terms.customer, "No");
    assert_eq!(exemption.id(), Some("007"));
    assert_eq!(exemption.terms.ticket.as_deref(), Some("1042"));
    assert_eq!(exemption.terms.note.as_deref(), Some("true"));
}

#[test]
fn an_exemption_holds_until_the_end_of_its_last_day() {
    let case = |expires: &str| {
        let text = completed(&format!(
            "exemptions: [{{ customer: A, prefixes: [198.51.100.8/29], expires: {expires} }}]\n"
        ));
        parse(&text).unwrap()
    };
    // It is 2027-01-01T09:00+09:00.
    assert!(case("2027-01-01").warnings.is_empty());
    assert_eq!(case("2027-01-01").policy.exemptions[0].until(), 1_798_815_600);
    assert_eq!(case("2026-12-31").warnings.warnings(), 1);
    assert_eq!(case("2027-01-01T00:00:00Z").warnings.warnings(), 1);
    assert!(case("2027-01-01T00:00:01Z").warnings.is_empty());
}

#[test]
fn an_exemption_outside_the_pools_is_no_mistake_where_everything_else_is_dropped() {
    let report = report_on(&completed(
        "block: { unlisted: drop }\nexemptions: [{ customer: A, prefixes: [192.0.2.8/29] }]\n",
    ));
    assert!(report.is_empty(), "{report}");
}

#[test]
fn an_exemption_for_destinations_of_the_other_family_is_no_mistake_where_a_tunnel_carries_them() {
    let report = |tunnels| {
        report_on(&completed(&format!(
            "interfaces: [{{ name: eth1, role: subscriber, tunnels: [{tunnels}] }}]\n\
             exemptions: [{{ customer: A, prefixes: ['2001:db8:108::/48'], destinations: [192.0.2.80] }}]\n"
        )))
    };
    for tunnels in ["4in6", "6in4", "gre", "eogre", "l2tp"] {
        assert!(report(tunnels).is_empty(), "{}", report(tunnels));
    }
    let code = report("4in4, 6in6").diagnostics()[0].code;
    assert_eq!(code, Code::ExemptionNeverMatches);
}

#[test]
fn what_is_remembered_is_resolved_to_the_pools_that_the_policy_has() {
    let policy = |remember: &str| {
        let pools = "pools: [{ name: a, prefixes: [10.0.0.0/8] }, { name: b, prefixes: [10.1.0.0/16] }]\n";
        let text = completed(&format!("{remember}{pools}"));
        parse(&text).unwrap().policy.subscribers.remember
    };
    for (text, remembered) in [
        ("", [true, true]),
        ("subscribers: { ipv6_prefix: 56 }\n", [true, true]),
        ("subscribers: { remember: true }\n", [true, true]),
        ("subscribers: { remember: false }\n", [false, false]),
        ("subscribers: { remember: [b] }\n", [false, true]),
    ] {
        assert_eq!(
            ["a", "b"].map(|pool| policy(text).includes(pool)),
            remembered,
            "{text}"
        );
    }
}

#[test]
fn a_cover_that_ends_earlier_or_names_destinations_is_none() {
    for exemptions in [
        "- { customer: A, prefixes: [198.51.100.0/28], expires: 2028-01-01 }\n- { customer: B, prefixes: [198.51.100.8/29] }\n",
        "- { customer: A, prefixes: [198.51.100.0/28], destinations: [192.0.2.0/24] }\n- { customer: B, prefixes: [198.51.100.8/29] }\n",
    ] {
        let report = report_on(&completed(&format!("exemptions:\n{exemptions}")));
        assert!(report.is_empty(), "{report}");
    }
}

#[test]
fn warnings_come_with_the_policy_and_errors_instead_of_it() {
    for (case, codes) in CASES {
        let is_error = codes.iter().any(|code| code.severity() == Severity::Error);
        assert_eq!(parse(&completed(case)).is_err(), is_error, "{case}");
    }
}

#[test]
fn a_gallery_of_mistakes_reads_well() {
    let mut gallery = String::new();
    for (case, _) in CASES {
        gallery.push_str(&report_on(&completed(case)).to_string());
    }
    insta::assert_snapshot!(gallery);
}

#[test]
fn a_whole_file_of_mistakes_is_reported_in_the_order_of_its_lines() {
    let report = parse(include_str!("policy_diagnostics/mistakes.yaml")).unwrap_err();
    insta::assert_snapshot!(report);
    insta::assert_snapshot!(
        "in_json",
        serde_json::to_string_pretty(&report.to_json()[..2]).unwrap()
    );
}
