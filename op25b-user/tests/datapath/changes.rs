//! A policy that is changed while its program is loaded gives the verdicts of one that was loaded so.

use std::net::IpAddr;

use op25b::{
    datapath::{Filter, LoadOptions},
    policy::{Exemption, Role, Rules},
};

use crate::support::{
    packet::between,
    parse, prepared,
    world::{EXEMPTIONS, POOLS, bare},
};

const PASS: u32 = 2;
const DROP: u32 = 1;

/// An exemption as YAML, and a connection that it allows.
#[rustfmt::skip]
const CHANGES: &[(&str, &str, &str)] = &[
    ("prefixes: [198.51.101.7]", "198.51.101.7", "203.0.113.80"),
    ("prefixes: [198.51.101.0/24]", "198.51.101.7", "203.0.113.80"),
    ("prefixes: [198.51.0.0/16]", "198.51.103.255", "203.0.113.80"),
    ("prefixes: [0.0.0.0/0]", "198.51.102.1", "203.0.113.80"),
    ("prefixes: [2001:db8:101::7, '2001:db8:1ff::/48']", "2001:db8:1ff::1", "2001:db8:feed::80"),
    ("prefixes: [2001:db8:101::/64]", "2001:db8:101::7", "2001:db8:feed::80"),
    ("prefixes: [198.51.101.7], destinations: [203.0.113.0/24]", "198.51.101.7", "203.0.113.80"),
    ("prefixes: [2001:db8:101::/48], destinations: [2001:db8:feed::/48]", "2001:db8:101::7", "2001:db8:feed::80"),
];

fn exemption(text: &str) -> Exemption {
    let sections = format!("{POOLS}exemptions: [{{ customer: A, {text} }}]\n");
    parse(&sections).exemptions.remove(0)
}

fn action(filter: &mut Filter, source: &str, destination: &str) -> u32 {
    let (source, destination): (IpAddr, IpAddr) = (source.parse().unwrap(), destination.parse().unwrap());
    let frame = bare(&between(source, destination).syn(25));
    filter.run(Role::Subscriber, &frame).unwrap().0
}

#[test]
fn exemptions_come_and_go_in_a_loaded_program() {
    let policy = parse(&[POOLS, EXEMPTIONS].concat());
    let (compiled, description) = prepared(&policy);
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let mut rules = Rules::new(&policy).unwrap();
    // What no change here is about.
    let others = |filter: &mut Filter, all_v4_is_exempt: bool| {
        let expected = if all_v4_is_exempt { PASS } else { DROP };
        assert_eq!(action(filter, "198.51.100.7", "203.0.113.80"), expected);
        assert_eq!(action(filter, "198.51.100.8", "203.0.113.80"), PASS);
        assert_eq!(action(filter, "2001:db8:102::7", "2001:db8:feed::80"), DROP);
        assert_eq!(action(filter, "2001:db8:108::7", "2001:db8:feed::80"), PASS);
        assert_eq!(action(filter, "192.0.2.200", "203.0.113.80"), PASS);
    };
    for (text, source, destination) in CHANGES {
        assert_eq!(action(&mut filter, source, destination), DROP, "before {text}");
        let (rule, added) = rules.add(exemption(text)).unwrap();
        filter.apply(&added).unwrap();
        assert_eq!(action(&mut filter, source, destination), PASS, "{text}");
        others(&mut filter, text.contains("/16") || text.contains("/0]"));
        if text.contains("destinations") {
            let elsewhere = if source.contains(':') {
                "2001:db8:beef::1"
            } else {
                "192.0.2.1"
            };
            assert_eq!(action(&mut filter, source, elsewhere), DROP, "{text}");
        }
        let removed = rules.remove(rule).unwrap().unwrap();
        filter.apply(&removed).unwrap();
        assert_eq!(action(&mut filter, source, destination), DROP, "after {text}");
        others(&mut filter, false);
    }
    assert!(rules.remove(1).unwrap().is_none(), "it is gone already");
}
