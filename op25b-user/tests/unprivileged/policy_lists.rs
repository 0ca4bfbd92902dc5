//! Lists that a policy names: what is read from them, and each mistake in one with its place in that list.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use op25b::policy::{self, Code, Loaded, Report};

const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: homes, prefixes: [198.51.100.0/24], prefixes_from: [lists/homes.txt] }
  - { name: flats, prefixes_from: [flats.txt] }
exemptions: [{ customer: Inline, prefixes: [198.51.100.1] }]
exemptions_from: [customers.csv]
";
const FLATS: &str = "2001:db8:100::/40\n";
const CUSTOMERS: &str = "customer,prefixes,expires\nExample KK,198.51.100.8/29,2028-03-31\n";
const HOMES: &str = "203.0.113.0/25\n";

fn read(policy: &str, lists: &[(&str, &[u8])]) -> Result<Loaded, Report> {
    let mut lists: BTreeMap<String, Vec<u8>> = lists
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.to_vec()))
        .collect();
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    policy::parse_with_lists("policy.yaml", policy, &mut lists, now, &TimeZone::UTC)
}

/// The policy above with other texts of its lists.
fn with(homes: &str, flats: &str, customers: &str) -> Result<Loaded, Report> {
    read(
        POLICY,
        &[
            ("lists/homes.txt", homes.as_bytes()),
            ("flats.txt", flats.as_bytes()),
            ("customers.csv", customers.as_bytes()),
        ],
    )
}

/// The prefixes of the pool that names `lists/homes.txt`, without its own.
fn homes(text: &str) -> Vec<String> {
    let loaded = with(text, FLATS, CUSTOMERS).unwrap_or_else(|report| panic!("{report}"));
    let prefixes = loaded.policy.pools[0].prefixes.iter().skip(1);
    prefixes.map(ToString::to_string).collect()
}

fn codes(report: &Report) -> Vec<Code> {
    let diagnostics = report.diagnostics().iter();
    diagnostics.map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn a_list_has_a_prefix_in_each_line_and_comments() {
    let text =
        "\u{feff}# Tokyo\r\n192.0.2.0/25\r\n\r\n  192.0.2.128 # one address\r\n2001:db8:200::/40#x\r\n";
    assert_eq!(
        homes(text),
        ["192.0.2.0/25", "192.0.2.128/32", "2001:db8:200::/40"]
    );
    // The last line may have no end.
    assert_eq!(homes("192.0.2.0/25"), ["192.0.2.0/25"]);
}

#[test]
fn a_range_is_the_prefixes_that_make_it_up() {
    assert_eq!(homes("192.0.2.0-192.0.2.255"), ["192.0.2.0/24"]);
    assert_eq!(
        homes("192.0.2.1 - 192.0.2.8\n"),
        ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/30", "192.0.2.8/32"]
    );
    assert_eq!(homes("192.0.2.7-192.0.2.7"), ["192.0.2.7/32"]);
    assert_eq!(
        homes("2001:db8:200::-2001:db8:2ff:ffff:ffff:ffff:ffff:ffff"),
        ["2001:db8:200::/40"]
    );
    assert_eq!(homes("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
}

#[test]
fn the_statistics_of_a_registry_are_read_without_their_header_and_summaries() {
    let text = "\
2|apnic|20261128|75312|19830613|20261127|+1000
# A comment of the registry.
apnic|*|asn|*|11512|summary
apnic|*|ipv4|*|46823|summary
apnic|JP|asn|173|1|20020801|allocated
apnic|JP|ipv4|203.0.112.0|256|20110412|allocated
apnic|JP|ipv4|192.0.2.0|768|20110412|assigned|A9173591
apnic|JP|ipv6|2001:db8:200::|40|20110412|allocated
";
    assert_eq!(
        homes(text),
        [
            "203.0.112.0/24",
            "192.0.2.0/23",
            "192.0.4.0/24",
            "2001:db8:200::/40"
        ]
    );
    assert_eq!(
        homes("192.0.2.0|64\n2001:db8:200::|40\n"),
        ["192.0.2.0/26", "2001:db8:200::/40"]
    );
}

#[test]
fn a_prefix_that_its_pool_has_already_is_left_out_and_one_of_another_pool_is_an_error() {
    let twice = "198.51.100.0/24\n192.0.2.0/25\n192.0.2.0-192.0.2.127\n";
    assert_eq!(homes(twice), ["192.0.2.0/25"]);
    let report = with("192.0.2.0/25\n", "# x\n192.0.2.0/25\n", CUSTOMERS).unwrap_err();
    assert_eq!(codes(&report), [Code::Duplicate]);
    insta::assert_snapshot!(report);
}

#[test]
fn a_row_of_a_list_is_an_exemption_after_those_of_the_policy() {
    let customers = "prefixes,customer,destinations,ticket,note,expires,force\n\
        198.51.100.8/29;2001:db8:100::/48,\"Example, KK\",192.0.2.0/24 2001:db8:feed::/48,OPS-1,\"two\nlines\",never,true\n\
        \n\
        198.51.100.16,Sample GK,,,,2028-03-31,\n";
    let loaded = with(HOMES, FLATS, customers).unwrap();
    let [inline, first, second] = &loaded.policy.exemptions[..] else {
        panic!("{:?}", loaded.policy.exemptions)
    };
    assert_eq!(inline.terms.customer, "Inline");
    assert_eq!(first.terms.customer, "Example, KK");
    assert_eq!(
        (first.terms.prefixes.len(), first.terms.destinations.len()),
        (2, 2)
    );
    assert_eq!(first.terms.ticket.as_deref(), Some("OPS-1"));
    assert_eq!(first.terms.note.as_deref(), Some("two\nlines"));
    assert_eq!(first.terms.expires_at, None);
    assert_eq!(
        second.terms.expires_at,
        Some("2028-04-01T00:00:00Z".parse().unwrap())
    );
    let ids =
        (0..3).map(|index| policy::exemption_id(&loaded.policy.lists, &loaded.policy.exemptions, index));
    assert_eq!(
        ids.collect::<Vec<_>>(),
        ["line-6", "customers.csv:2", "customers.csv:5"]
    );
    let positions = first.positions().unwrap();
    assert_eq!(
        [0, 1]
            .map(|index| positions.prefix(index))
            .map(|at| (at.line, at.column)),
        [(2, 1), (2, 17)]
    );
    assert_eq!(second.positions().unwrap().prefix(0).line, 5);
    let counts: Vec<_> = loaded
        .policy
        .lists
        .iter()
        .map(|list| (&*list.name, list.prefixes, list.exemptions))
        .collect();
    assert_eq!(
        counts,
        [
            ("lists/homes.txt", 1, 0),
            ("flats.txt", 1, 0),
            ("customers.csv", 0, 2)
        ]
    );
}

#[test]
fn each_mistake_in_a_list_is_shown_in_its_line() {
    let homes = "192.0.2.0/24\n192.0.2.1/24 # host bits\n\
        192.0.3.0/24,Tokyo\n::ffff:192.0.2.0/120\n\
        192.0.2.9-192.0.2.1\n192.0.2.1-2001:db8::1\nhome-1\n\
        apnic|JP|ipv4|192.0.2.0|0|20110412|allocated\napnic|JP|ipv4|255.255.255.0|512|20110412|allocated\n\
        apnic|JP|ipv6|2001:db8::|129|20110412|allocated\napnic|JP\n   apnic|JP|dns|x|y\n";
    let customers = "customer,prefixes,destinations,expires\n\
        A,198.51.100.9/29,,\n\
        \"B, Ltd\",198.51.100.8/29 198.51.100.300,,\n\
        C,198.51.100.16,2001:db8::/129,31.03.2028\n\
        D,198.51.100.17\n\
        E,198.51.100.18;198.51.100.18,,90d\n\
        ,198.51.100.19,,\n";
    let report = with(homes, FLATS, customers).unwrap_err();
    insta::assert_snapshot!(report);
    for diagnostic in report.diagnostics() {
        let location = diagnostic.location.as_ref().unwrap();
        assert!(
            location.list.is_some() && !location.underlined().is_empty(),
            "{diagnostic:?}"
        );
        assert!(diagnostic.hint.is_some(), "{diagnostic:?}");
    }
}

#[test]
fn warnings_about_lists_are_shown_in_their_lines() {
    let customers = "customer,prefixes,destinations,expires\n\
        Old,198.51.100.8/29,,2026-12-31\n\
        Beside,192.0.2.8/29,,\n\
        \"Quoted, Ltd\",\"203.0.113.0/25\",,\n\
        Never,198.51.100.17,2001:db8::/32,\n\
        Covered,198.51.100.1,,\n";
    let report = with(HOMES, FLATS, customers).unwrap().warnings;
    insta::assert_snapshot!(report);
    let json = serde_json::to_value(report.to_json()).unwrap();
    let files: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["customers.csv"; 5]);
}

#[test]
fn what_is_wrong_with_a_list_as_a_whole_is_shown_where_it_is_named() {
    let report = read(
        POLICY,
        &[
            ("flats.txt", b"# nothing\n\n"),
            ("customers.csv", "\u{feff}customer,prefixes\n".as_bytes()),
        ],
    )
    .unwrap_err();
    assert_eq!(
        codes(&report),
        [Code::ListUnreadable, Code::EmptyList, Code::ListWithoutExemptions]
    );
    insta::assert_snapshot!(report);
}

#[test]
fn a_list_that_is_not_utf_8_is_an_error_with_its_place() {
    let lists: &[(&str, &[u8])] = &[
        ("lists/homes.txt", b"192.0.2.0/24\n# \x8f\x5a\n"),
        ("flats.txt", FLATS.as_bytes()),
        ("customers.csv", CUSTOMERS.as_bytes()),
    ];
    let report = read(POLICY, lists).unwrap_err();
    assert_eq!(codes(&report), [Code::NotUtf8]);
    assert!(report.to_string().contains("lists/homes.txt:2:3"), "{report}");
}

#[test]
fn a_list_of_exemptions_without_its_header_is_an_error() {
    for (customers, why) in [
        ("", "must begin with the line customer,prefixes"),
        ("Example KK,198.51.100.8/29\n", "there is no column `Example KK`"),
    ] {
        let report = with(HOMES, FLATS, customers).unwrap_err();
        assert!(
            codes(&report).iter().all(|code| *code == Code::ListRow),
            "{report}"
        );
        assert!(report.to_string().contains(why), "{report}");
    }
}

#[test]
fn a_policy_names_a_limited_number_of_lists_and_each_is_read_once() {
    let names = |count: usize| {
        (0..count)
            .map(|number| format!("{number}.txt"))
            .collect::<Vec<_>>()
    };
    let policy = |count| {
        let from = names(count).join(", ");
        format!(
            "version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\npools: [{{ name: a, prefixes_from: [{from}] }}]\n\
             relays: [{{ name: b, prefixes_from: [0.txt] }}]\n"
        )
    };
    let names = names(257);
    let lists: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (&**name, &b"192.0.2.0/24\n"[..]))
        .collect();
    let loaded = read(&policy(256), &lists).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.policy.lists.len(), 256);
    assert_eq!(loaded.policy.pools[0].prefixes.len(), 1);
    assert_eq!(loaded.policy.relays[0].prefixes.len(), 1);
    let report = read(&policy(257), &lists).unwrap_err();
    assert_eq!(codes(&report), [Code::ListSize]);
}

#[test]
fn a_pool_needs_prefixes_or_lists_of_them() {
    let policy = POLICY.replace("prefixes_from: [flats.txt]", "mode: enforce");
    let report = read(
        &policy,
        &[
            ("lists/homes.txt", HOMES.as_bytes()),
            ("customers.csv", CUSTOMERS.as_bytes()),
        ],
    )
    .unwrap_err();
    assert_eq!(codes(&report), [Code::MissingKey]);
    for wrong in ["[]", "flats.txt", "[[flats.txt]]", "['']"] {
        let policy = POLICY.replace("[flats.txt]", wrong);
        let report = read(
            &policy,
            &[
                ("lists/homes.txt", HOMES.as_bytes()),
                ("customers.csv", CUSTOMERS.as_bytes()),
            ],
        )
        .unwrap_err();
        assert_eq!(report.errors(), 1, "{wrong}\n{report}");
    }
}

#[test]
fn very_many_mistakes_in_a_list_are_counted_but_not_all_shown() {
    let report = with(&"198.51.100.1/24\n".repeat(100_000), FLATS, CUSTOMERS).unwrap_err();
    assert_eq!(report.errors(), 100_000);
    assert!(report.diagnostics().len() <= 200);
    let customers = format!("customer,prefixes\n{}", "x\n".repeat(50_000));
    let report = with(HOMES, FLATS, &customers).unwrap_err();
    assert_eq!(report.errors(), 50_000);
}
