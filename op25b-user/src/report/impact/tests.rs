//! The impact of a policy is that which the reference finds.

use std::convert::Infallible;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::{Impact, impact};
use crate::policy::{Pause, Pauses, Policy, parse};

const BASE: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: homes, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: flats, prefixes: [203.0.113.0/24], mode: monitor }
relays: [{ name: mx, prefixes: [192.0.2.25] }]
exemptions:
  - { id: a, customer: Example KK, prefixes: [198.51.100.8/29] }
  - { id: b, customer: Sample GK, prefixes: [198.51.100.64/29], destinations: [192.0.2.128/25] }
";

fn policy(text: &str) -> Policy {
    parse("policy.yaml", text).unwrap().policy
}

/// The impact of a change, with an attempt of each of these subscribers a minute ago.
fn of(before: &str, after: &str, subscribers: &[&str]) -> Impact {
    let now = Timestamp::now();
    let seen = now - SignedDuration::from_mins(1);
    let subscribers: Vec<IpNet> = subscribers
        .iter()
        .map(|text| {
            text.parse()
                .unwrap_or_else(|_| IpNet::from(text.parse::<std::net::IpAddr>().unwrap()))
        })
        .collect();
    let since = now - SignedDuration::from_hours(24);
    impact(&policy(before), &policy(after), since, |visit| {
        for net in subscribers {
            visit(net, seen);
        }
        // Too old.
        visit(
            "198.51.100.250/32".parse().unwrap(),
            since - SignedDuration::from_mins(1),
        );
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn names(affected: &[super::Affected]) -> Vec<String> {
    let names = affected.iter().map(|one| {
        let customer = one.customer.as_deref().unwrap_or_default();
        format!("{customer} {} {} -> {}", one.who.join(" "), one.was, one.becomes)
    });
    names.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn an_equal_policy_affects_nobody() {
    let found = of(
        BASE,
        BASE,
        &["198.51.100.77", "203.0.113.7", "2001:db8:100:8::/64"],
    );
    assert_eq!((found.blocked(), found.free(), found.examined), (0, 0, 3));
    assert!(
        found
            .to_string()
            .starts_with("impact: nobody known becomes blocked or free (3 subscribers")
    );
}

#[test]
fn a_monitored_pool_that_is_enforced_blocks_its_subscribers_with_attempts() {
    let after = BASE.replace(", mode: monitor", "");
    let found = of(BASE, &after, &["203.0.113.7", "198.51.100.77"]);
    assert_eq!(
        names(&found.becomes_blocked),
        ["203.0.113.7 monitored -> blocked"]
    );
    assert_eq!(found.becomes_blocked[0].pool.as_deref(), Some("flats"));
    assert_eq!((found.blocked(), found.free()), (1, 0));
    let back = of(&after, BASE, &["203.0.113.7"]);
    assert_eq!(names(&back.becomes_free), ["203.0.113.7 blocked -> monitored"]);
}

#[test]
fn a_pool_that_is_paused_before_and_after_blocks_nobody() {
    let now = Timestamp::now();
    let mut pauses = Pauses::default();
    pauses.begin(Pause {
        pool: None,
        except: Vec::new(),
        at: now,
        until: Some(now + SignedDuration::from_hours(1)),
        uid: 0,
        user: "root".to_owned(),
        reason: "corporate mail fails".to_owned(),
    });
    let (mut before, mut after) = (policy(BASE), policy(&BASE.replace(", mode: monitor", "")));
    let impact_of = |before: &Policy, after: &Policy| {
        let found = impact(before, after, now - SignedDuration::from_hours(24), |visit| {
            visit("203.0.113.7/32".parse().unwrap(), now);
            Ok::<_, Infallible>(())
        });
        found.unwrap().blocked()
    };
    assert_eq!(impact_of(&before, &after), 1);
    before.pause(&pauses);
    after.pause(&pauses);
    assert_eq!(impact_of(&before, &after), 0);
}

#[test]
fn a_customer_whose_exemption_ends_is_named_though_no_attempt_of_theirs_is_recorded() {
    let after = BASE.replace(
        "  - { id: a, customer: Example KK, prefixes: [198.51.100.8/29] }\n",
        "",
    );
    let found = of(BASE, &after, &[]);
    assert_eq!(
        names(&found.becomes_blocked),
        ["Example KK 198.51.100.8/29 exempt -> blocked"]
    );
    assert_eq!(found.becomes_blocked[0].exemption.as_deref(), Some("a"));
    // One who had an attempt, before the exemption, is the same customer.
    let found = of(BASE, &after, &["198.51.100.9"]);
    assert_eq!(found.blocked(), 1);
    assert!(found.becomes_blocked[0].last_seen.is_some());
    let back = of(&after, BASE, &["198.51.100.9", "198.51.100.10"]);
    assert_eq!(
        names(&back.becomes_free),
        ["Example KK 198.51.100.8/29 blocked -> exempt"]
    );
    assert_eq!(back.free(), 1);
}

#[test]
fn an_exemption_for_some_destinations_that_ends_blocks_the_way_to_these() {
    let after = BASE.replace(
        ", destinations: [192.0.2.128/25]",
        ", destinations: [192.0.2.128/26]",
    );
    let moved = BASE.replace("192.0.2.128/25", "192.0.2.64/26");
    let found = of(BASE, &moved, &[]);
    assert_eq!(
        names(&found.becomes_blocked),
        ["Sample GK 198.51.100.64/29 exempt -> blocked"]
    );
    assert_eq!(
        found.becomes_blocked[0].destination.unwrap().to_string(),
        "192.0.2.128"
    );
    assert_eq!(
        names(&found.becomes_free),
        ["Sample GK 198.51.100.64/29 blocked -> exempt"]
    );
    let narrower = of(BASE, &after, &[]);
    assert_eq!((narrower.blocked(), narrower.free()), (1, 0));
    assert_eq!(
        narrower.becomes_blocked[0].destination.unwrap().to_string(),
        "192.0.2.255"
    );
}

#[test]
fn the_addresses_of_a_delegated_prefix_are_told_apart() {
    let after = format!("{BASE}  - {{ id: c, customer: Inside, prefixes: ['2001:db8:100:8:0:0:0:25'] }}\n");
    let found = of(BASE, &after, &["2001:db8:100:8::/64"]);
    assert_eq!(
        names(&found.becomes_free),
        ["Inside 2001:db8:100:8::25 blocked -> exempt"]
    );
    assert_eq!(found.blocked(), 0);
}

#[test]
fn a_pool_that_goes_sets_its_subscribers_free_and_another_port_is_named() {
    let after = BASE.replace(
        "  - { name: flats, prefixes: [203.0.113.0/24], mode: monitor }\n",
        "",
    );
    let after = after.replace("198.51.100.0/24, ", "");
    let found = of(BASE, &after, &["198.51.100.77", "203.0.113.7"]);
    assert_eq!(
        names(&found.becomes_free),
        ["198.51.100.77 blocked -> not_pooled"]
    );
    let port = BASE.replace("pools:", "block: { ports: [25, 2525] }\npools:");
    let found = of(BASE, &port, &["198.51.100.77"]);
    assert_eq!(
        names(&found.becomes_blocked),
        ["198.51.100.77 other_port -> blocked"]
    );
    assert_eq!(found.becomes_blocked[0].port, 2525);
    assert!(found.to_string().contains(", port 2525"), "{found}");
}

#[test]
fn of_very_many_the_latest_are_listed_and_all_are_counted() {
    let after = BASE.replace(", mode: monitor", "");
    let now = Timestamp::now();
    let found = impact(
        &policy(BASE),
        &policy(&after),
        now - SignedDuration::from_hours(24),
        |visit| {
            for last in 0..=255 {
                let net = IpNet::from(std::net::IpAddr::from([203, 0, 113, last]));
                visit(net, now - SignedDuration::from_secs(i64::from(last)));
            }
            Ok::<_, Infallible>(())
        },
    )
    .unwrap();
    assert_eq!((found.blocked(), found.becomes_blocked.len()), (256, 200));
    assert_eq!(found.becomes_blocked[0].who, ["203.0.113.0"]);
    let text = found.to_string();
    assert!(text.contains("256 become blocked (by pool: flats 256)"), "{text}");
    assert!(text.ends_with("    … and 236 more\n"), "{text}");
}
