//! Exemptions by source, destination and time.

use std::{
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use op25b_common::Reason;

use crate::{
    policy::flows,
    support::{
        NOT_POOLED, NOT_POOLED_DROPPED, Row, blocked, check, exempt,
        packet::between,
        row, runner, uninspectable_dropped,
        world::{POOLS, V4, WORLDS, bare},
    },
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// This second's beginning plus `from_now`, as the policy writes it.
fn at(from_now: SignedDuration) -> String {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    format!("'{}'", now + from_now)
}

/// An exemption of the same width in both families: all of the pool's first /24 and /48, or one address of it.
const WIDE: &str = "prefixes: [198.51.100.0/24, '2001:db8:108::/48']";
const NARROW: &str = "prefixes: [198.51.100.9, '2001:db8:108::9']";

fn check_exemptions(exemptions: &str, rows: &[Row]) {
    let mut runner = runner(&format!("{POOLS}exemptions:\n{exemptions}"));
    check(&mut runner, rows);
}

#[test]
#[rustfmt::skip]
fn an_exemption_inside_a_pool_and_one_around_it_both_beat_it() {
    check_exemptions(
        "- { customer: Inside, prefixes: [198.51.100.8/29, '2001:db8:108::/48'] }\n",
        &flows(&[
            ("before the exemption", "198.51.100.7", "203.0.113.80", blocked(0)),
            ("its first", "198.51.100.8", "203.0.113.80", exempt(0)),
            ("its last", "198.51.100.15", "203.0.113.80", exempt(0)),
            ("after it", "198.51.100.16", "203.0.113.80", blocked(0)),
            ("its first", "2001:db8:108::", "2001:db8:feed::80", exempt(0)),
            ("after it", "2001:db8:109::", "2001:db8:feed::80", blocked(0)),
        ]),
    );
    check_exemptions(
        "- { customer: Around, prefixes: [198.51.0.0/16, '2001:db8::/32'] }\n",
        &flows(&[
            ("in both", "198.51.100.7", "203.0.113.80", exempt(0)),
            ("in the exemption only", "198.51.0.0", "203.0.113.80", exempt(0)),
            ("in the exemption only", "198.51.255.255", "203.0.113.80", exempt(0)),
            ("in neither", "198.52.0.0", "203.0.113.80", NOT_POOLED),
            ("in both", "2001:db8:100::", "2001:db8:feed::80", exempt(0)),
            ("in the exemption only", "2001:db8::1", "2001:db8:feed::80", exempt(0)),
            ("in neither", "2001:db9::", "2001:db8:feed::80", NOT_POOLED),
        ]),
    );
    check_exemptions(
        "- { customer: Same, prefixes: [198.51.100.0/22, '2001:db8:100::/40'] }\n",
        &flows(&[
            ("the pool's first", "198.51.100.0", "203.0.113.80", exempt(0)),
            ("the pool's last", "198.51.103.255", "203.0.113.80", exempt(0)),
            ("after the pool", "198.51.104.0", "203.0.113.80", NOT_POOLED),
            ("the pool's first", "2001:db8:100::", "2001:db8:feed::80", exempt(0)),
        ]),
    );
    check_exemptions(
        "- { customer: Everybody, prefixes: [0.0.0.0/0, '::/0'] }\n",
        &flows(&[
            ("in the pool", "198.51.100.0", "203.0.113.80", exempt(0)),
            ("not in the pool", "255.255.255.255", "203.0.113.80", exempt(0)),
            ("in the pool", "2001:db8:100::", "2001:db8:feed::80", exempt(0)),
            ("not in the pool", "::", "2001:db8:feed::80", exempt(0)),
        ]),
    );
}

#[test]
#[rustfmt::skip]
fn an_exemption_outside_the_pools_opens_default_deny() {
    let mut runner = runner(&format!(
        "block: {{ unlisted: drop }}\n{POOLS}exemptions:\n\
         - {{ customer: Static, prefixes: [192.0.2.200, '2001:db8:f00d::1'] }}\n"
    ));
    check(
        &mut runner,
        &flows(&[
            ("exempt", "192.0.2.200", "203.0.113.80", exempt(0)),
            ("its neighbour", "192.0.2.201", "203.0.113.80", NOT_POOLED_DROPPED),
            ("exempt", "2001:db8:f00d::1", "2001:db8:feed::80", exempt(0)),
            ("its neighbour", "2001:db8:f00d::2", "2001:db8:feed::80", NOT_POOLED_DROPPED),
        ]),
    );
}

#[test]
fn an_exemption_that_ended_a_second_ago_is_over_and_one_that_ends_in_an_hour_holds() {
    check_exemptions(
        &format!("- {{ customer: Over, {NARROW}, expires: {} }}\n", at(-SECOND)),
        &flows(&[
            ("ended", "198.51.100.9", "203.0.113.80", blocked(0)),
            ("ended", "2001:db8:108::9", "2001:db8:feed::80", blocked(0)),
        ]),
    );
    check_exemptions(
        &format!("- {{ customer: Holds, {NARROW}, expires: {} }}\n", at(HOUR)),
        &flows(&[
            ("holds", "198.51.100.9", "203.0.113.80", exempt(0)),
            ("its neighbour", "198.51.100.10", "203.0.113.80", blocked(0)),
            ("holds", "2001:db8:108::9", "2001:db8:feed::80", exempt(0)),
        ]),
    );
    check_exemptions(
        &format!(
            "- {{ customer: Over, prefixes: [192.0.2.200], expires: {} }}\n",
            at(-SECOND)
        ),
        &flows(&[("ended, in no pool", "192.0.2.200", "203.0.113.80", NOT_POOLED)]),
    );
    // Long past and very late, where 32 bits could go wrong.
    check_exemptions(
        &format!(
            "- {{ customer: Past, {NARROW}, expires: '1960-01-01T00:00:00Z' }}\n\
             - {{ customer: Late, prefixes: [198.51.100.10], expires: '2106-02-07T06:28:14Z' }}\n\
             - {{ customer: Later than 31 bits, prefixes: [198.51.100.11], expires: '2038-01-19T03:14:09Z' }}\n"
        ),
        &flows(&[
            ("before the epoch", "198.51.100.9", "203.0.113.80", blocked(0)),
            ("in 2106", "198.51.100.10", "203.0.113.80", exempt(1)),
            ("in 2038", "198.51.100.11", "203.0.113.80", exempt(2)),
        ]),
    );
}

#[test]
fn an_exemption_ends_by_itself_in_the_loaded_program() {
    /// The program's clock was compared with the system's when it was loaded; they may differ by less than this.
    const TOLERANCE: SignedDuration = SignedDuration::from_millis(10);
    let end = Timestamp::from_second(Timestamp::now().as_second() + 2).unwrap();
    let mut runner = runner(&format!(
        "{POOLS}exemptions:\n- {{ customer: Short, {NARROW}, expires: '{end}' }}\n"
    ));
    let frame = bare(&between(V4.exempt, V4.server).syn(25));
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let before = Timestamp::now();
        let reason = runner.run(&frame).unwrap().reason;
        let after = Timestamp::now();
        if after + TOLERANCE < end {
            assert_eq!(reason, Reason::Exempt, "decided between {before} and {after}");
        } else if before > end + TOLERANCE {
            assert_eq!(reason, Reason::Blocked, "decided between {before} and {after}");
            break;
        }
        assert!(Instant::now() < deadline, "the clock does not get to {end}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[rustfmt::skip]
fn nested_exemptions_add_up_whichever_ends_first() {
    let rows = |inner, outer| {
        flows(&[
            ("in the inner one", "198.51.100.9", "203.0.113.80", inner),
            ("in the outer one only", "198.51.100.10", "203.0.113.80", outer),
            ("in neither", "198.51.101.9", "203.0.113.80", blocked(0)),
            ("in the inner one", "2001:db8:108::9", "2001:db8:feed::80", inner),
            ("in the outer one only", "2001:db8:108::a", "2001:db8:feed::80", outer),
            ("in neither", "2001:db8:109::9", "2001:db8:feed::80", blocked(0)),
        ])
    };
    for (outer_end, inner_end, inner, outer) in [
        (-SECOND, -SECOND, blocked(0), blocked(0)),
        (-SECOND, HOUR, exempt(1), blocked(0)),
        (HOUR, -SECOND, exempt(0), exempt(0)),
        (HOUR, HOUR * 2, exempt(1), exempt(0)),
        (HOUR * 2, HOUR, exempt(0), exempt(0)),
    ] {
        check_exemptions(
            &format!(
                "- {{ customer: Outer, {WIDE}, expires: {} }}\n- {{ customer: Inner, {NARROW}, expires: {} }}\n",
                at(outer_end),
                at(inner_end)
            ),
            &rows(inner, outer),
        );
    }
    // Without an end it lasts longest.
    check_exemptions(
        &format!(
            "- {{ customer: Outer, {WIDE} }}\n- {{ customer: Inner, {NARROW}, expires: {} }}\n",
            at(HOUR)
        ),
        &rows(exempt(0), exempt(0)),
    );
    check_exemptions(
        &format!(
            "- {{ customer: Outer, {WIDE}, expires: {} }}\n- {{ customer: Inner, {NARROW} }}\n",
            at(HOUR)
        ),
        &rows(exempt(1), exempt(0)),
    );
}

#[test]
#[rustfmt::skip]
fn an_exemption_with_destinations_grants_those_and_no_others() {
    check_exemptions(
        &format!(
            "- {{ customer: Partner, {NARROW}, destinations: [203.0.113.64/26, 203.0.113.7, \
             '2001:db8:feed::/48', '2001:db8:beef::7'] }}\n"
        ),
        &flows(&[
            ("before the network", "198.51.100.9", "203.0.113.63", blocked(0)),
            ("its first", "198.51.100.9", "203.0.113.64", exempt(0)),
            ("its last", "198.51.100.9", "203.0.113.127", exempt(0)),
            ("after it", "198.51.100.9", "203.0.113.128", blocked(0)),
            ("the single address", "198.51.100.9", "203.0.113.7", exempt(0)),
            ("its neighbour", "198.51.100.9", "203.0.113.8", blocked(0)),
            ("another host", "198.51.100.10", "203.0.113.64", blocked(0)),
            ("the network's first", "2001:db8:108::9", "2001:db8:feed::", exempt(0)),
            ("its last", "2001:db8:108::9", "2001:db8:feed:ffff:ffff:ffff:ffff:ffff", exempt(0)),
            ("after it", "2001:db8:108::9", "2001:db8:feee::", blocked(0)),
            ("the single address", "2001:db8:108::9", "2001:db8:beef::7", exempt(0)),
            ("its neighbour", "2001:db8:108::9", "2001:db8:beef::6", blocked(0)),
            ("another host", "2001:db8:108::a", "2001:db8:feed::", blocked(0)),
        ]),
    );
}

#[test]
fn destinations_of_one_customer_are_not_those_of_another() {
    check_exemptions(
        "- { customer: A, prefixes: [198.51.100.9, '2001:db8:108::9'], destinations: [203.0.113.0/24, '2001:db8:feed::/48'] }\n\
         - { customer: B, prefixes: [198.51.100.10, '2001:db8:108::a'], destinations: [192.0.2.0/24, '2001:db8:beef::/48'] }\n",
        &flows(&[
            ("A to A's", "198.51.100.9", "203.0.113.1", exempt(0)),
            ("A to B's", "198.51.100.9", "192.0.2.1", blocked(0)),
            ("B to A's", "198.51.100.10", "203.0.113.1", blocked(0)),
            ("B to B's", "198.51.100.10", "192.0.2.1", exempt(1)),
            ("A to A's", "2001:db8:108::9", "2001:db8:feed::1", exempt(0)),
            ("A to B's", "2001:db8:108::9", "2001:db8:beef::1", blocked(0)),
            ("B to A's", "2001:db8:108::a", "2001:db8:feed::1", blocked(0)),
            ("B to B's", "2001:db8:108::a", "2001:db8:beef::1", exempt(1)),
        ]),
    );
}

#[test]
fn destinations_outside_the_pools_are_all_that_is_granted_there() {
    check_exemptions(
        "- { customer: Static, prefixes: [192.0.2.200, '2001:db8:f00d::1'], \
         destinations: [203.0.113.0/24, '2001:db8:feed::/48'] }\n",
        &flows(&[
            ("granted", "192.0.2.200", "203.0.113.255", exempt(0)),
            ("not granted", "192.0.2.200", "203.0.114.0", NOT_POOLED),
            ("granted", "2001:db8:f00d::1", "2001:db8:feed::1", exempt(0)),
            ("not granted", "2001:db8:f00d::1", "2001:db8:feee::1", NOT_POOLED),
        ]),
    );
}

#[test]
#[rustfmt::skip]
fn nested_exemptions_with_destinations_add_up_each_until_its_own_end() {
    let outer = "destinations: [203.0.113.0/24, '2001:db8:feed::/48']";
    let inner =
        "destinations: [203.0.113.128/25, 192.0.2.0/24, '2001:db8:feed:8000::/49', '2001:db8:beef::/48']";
    for (outer_end, inner_end, common, outer_only, inner_only) in [
        (HOUR, HOUR * 2, exempt(1), exempt(0), exempt(1)),
        (HOUR * 2, HOUR, exempt(0), exempt(0), exempt(1)),
        (-SECOND, HOUR, exempt(1), blocked(0), exempt(1)),
        (HOUR, -SECOND, exempt(0), exempt(0), blocked(0)),
        (-SECOND, -SECOND, blocked(0), blocked(0), blocked(0)),
    ] {
        let beside = if outer_end > SignedDuration::ZERO {
            exempt(0)
        } else {
            blocked(0)
        };
        check_exemptions(
            &format!(
                "- {{ customer: Outer, {WIDE}, {outer}, expires: {} }}\n\
                 - {{ customer: Inner, {NARROW}, {inner}, expires: {} }}\n",
                at(outer_end),
                at(inner_end)
            ),
            &flows(&[
                ("to what both grant", "198.51.100.9", "203.0.113.200", common),
                ("to what the outer grants", "198.51.100.9", "203.0.113.1", outer_only),
                ("to what the inner grants", "198.51.100.9", "192.0.2.1", inner_only),
                ("to what none grants", "198.51.100.9", "198.18.0.1", blocked(0)),
                ("beside, to what both grant", "198.51.100.10", "203.0.113.200", beside),
                ("beside, to the inner's", "198.51.100.10", "192.0.2.1", blocked(0)),
                ("to what both grant", "2001:db8:108::9", "2001:db8:feed:8000::1", common),
                ("to what the outer grants", "2001:db8:108::9", "2001:db8:feed::1", outer_only),
                ("to what the inner grants", "2001:db8:108::9", "2001:db8:beef::1", inner_only),
                ("beside, to what both grant", "2001:db8:108::a", "2001:db8:feed:8000::1", beside),
                ("beside, to the inner's", "2001:db8:108::a", "2001:db8:beef::1", blocked(0)),
            ]),
        );
    }
}

#[test]
fn an_exemption_without_destinations_that_ended_leaves_those_of_another() {
    check_exemptions(
        &format!(
            "- {{ customer: Everywhere, {NARROW}, expires: {} }}\n\
             - {{ customer: Partner, {WIDE}, destinations: [203.0.113.0/24, '2001:db8:feed::/48'] }}\n",
            at(-SECOND)
        ),
        &flows(&[
            ("the partner", "198.51.100.9", "203.0.113.1", exempt(1)),
            ("elsewhere", "198.51.100.9", "192.0.2.1", blocked(0)),
            ("the partner", "2001:db8:108::9", "2001:db8:feed::1", exempt(1)),
            ("elsewhere", "2001:db8:108::9", "2001:db8:beef::1", blocked(0)),
        ]),
    );
}

#[test]
fn an_exempt_customer_is_exempt_for_every_blocked_port_but_not_from_being_inspectable() {
    let mut runner = runner(&format!(
        "block: {{ ports: [25, 2525] }}\n{POOLS}exemptions:\n- {{ customer: A, {NARROW} }}\n"
    ));
    let mut rows = Vec::new();
    for world in WORLDS {
        let ends = between(world.exempt, world.server);
        for port in [25, 2525] {
            rows.push(row(
                format!("an exempt {} customer to port {port}", world.name),
                bare(&ends.syn(port)),
                exempt(0),
            ));
        }
        // Its destination cannot be read: the row comes before the exemptions.
        let cut = bare(&ends.syn(25).patched(|bytes| bytes.truncate(bytes.len() - 18)));
        rows.push(row(
            format!(
                "an exempt {} customer's segment without a destination port",
                world.name
            ),
            cut,
            uninspectable_dropped(0),
        ));
    }
    check(&mut runner, &rows);
}

#[test]
fn deadlines_follow_the_system_s_clock_when_it_is_set() {
    let hour = 3_600_000_000_000;
    let policy = format!(
        "{POOLS}exemptions:\n- {{ customer: A, {NARROW}, expires: {} }}\n",
        at(HOUR)
    );
    let mut runner = runner(&policy);
    let real = op25b::datapath::clock::boot_to_unix().unwrap();
    for (offset, expected) in [
        (real, exempt(0)),
        (real + 2 * hour, blocked(0)),
        (real - 30 * 24 * hour, exempt(0)),
        (real + hour + 2_000_000_000, blocked(0)),
        (real, exempt(0)),
    ] {
        runner.set_clock(offset).unwrap();
        check(
            &mut runner,
            &flows(&[
                ("from the exemption", "198.51.100.9", "203.0.113.80", expected),
                (
                    "from the exemption",
                    "2001:db8:108::9",
                    "2001:db8:feed::80",
                    expected,
                ),
            ]),
        );
    }
}
