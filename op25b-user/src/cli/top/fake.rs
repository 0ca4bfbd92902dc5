//! A daemon's answers for tests.

use std::time::Duration;

use jiff::{Timestamp, tz};
use serde_json::{Value, json};

use super::{
    details::Found,
    draw::Look as Appearance,
    sample::{Listed, Look, Sample},
    state::{Message, State},
};
use crate::{
    api::Explained,
    cli::status::tests::{example, interface},
    report::{Event, InterfaceState, PoolState, PoolWord, RateQuery, RateSort},
    session::Session,
};

pub(super) const NOW: &str = "2026-11-28T18:00:00Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// What a view begins with.
pub(super) fn look() -> Look {
    Look {
        query: RateQuery {
            pool: None,
            within: None,
            sort: RateSort::Rate,
            top: 200,
        },
        reason: None,
        with_events: true,
    }
}

/// A terminal in Japan.
pub(super) fn appearance(has_colours: bool) -> Appearance {
    Appearance {
        has_colours,
        has_unicode: has_colours,
        zone: tz::TimeZone::fixed(tz::offset(9)),
    }
}

fn subscriber(name: &str, pool: &str, packets: u64, recent: u64, destinations: u32) -> Value {
    json!({
        "subscriber": name, "pool": pool, "packets": packets, "blocked_syns": packets, "blocked_others": 0,
        "monitored_syns": 0, "monitored_others": 0, "hidden": 3, "destinations": destinations,
        "first_seen": "2026-11-20T01:02:03Z", "last_seen": NOW,
        "recent": { "blocked": recent, "monitored": 0, "hidden": 0 },
    })
}

/// A sample of a flood, at a second of it.
pub(super) fn sample(second: u64) -> Sample {
    let mut status = example(vec![
        interface("eth1", InterfaceState::Enforced),
        interface("eth2", InterfaceState::Enforced),
    ]);
    let mut monitored = status.pools[0].clone();
    monitored.name = "家庭用".to_owned();
    monitored.mode = "monitor".to_owned();
    for state in [&mut monitored.wanted, &mut monitored.actual]
        .into_iter()
        .flatten()
    {
        state.mode = PoolWord::Monitor;
    }
    status.pools.push(monitored);
    let blocked = 8123 + second * second * 1000;
    let rates = json!({
        "at": NOW, "clock_ms": 10_000 + second * 1000, "measured_ms": 1000,
        "counters": { "blocked": blocked, "monitored": 96 + second, "relay": 1_234_567, "other_port": second * 30_000 },
        "uplink_counters": null,
        "pools": [
            {
                "pool": "residential", "remembered": true, "subscribers": 65_536, "active": 12,
                "recent": { "blocked": 2000 * second, "monitored": 0, "hidden": 0 },
            },
            {
                "pool": "家庭用", "remembered": true, "subscribers": 4, "active": 1,
                "recent": { "blocked": 0, "monitored": 1, "hidden": 0 },
            },
        ],
    });
    let rows = json!([
        subscriber("198.51.100.20", "residential", blocked, 1900 * second, 300),
        subscriber("2001:db8:100:7::/64", "residential", 4811, 12, 9),
        subscriber("192.0.2.77", "家庭用", 96, 1, 1),
    ]);
    Sample {
        status,
        rates: Some(serde_json::from_value(rates).unwrap()),
        subscribers: Ok(Listed {
            remembered: 65_540,
            matching: 65_540,
            active: Some(13),
            rows: serde_json::from_value(rows).unwrap(),
        }),
        events: None,
    }
}

/// The pools of an ISP, by region and access.
const POOLS: [&str; 12] = [
    "residential-hokkaido-ftth-10g",
    "residential-tohoku-ftth-10g",
    "residential-kanto-ftth-10g",
    "residential-kanto-ftth-1g",
    "residential-chubu-ftth-10g",
    "residential-kinki-ftth-10g",
    "residential-kyushu-ftth-10g",
    "mobile-lte-nationwide",
    "mobile-5g-nationwide",
    "wholesale-partner-a-dynamic",
    "wholesale-partner-b-dynamic",
    "hotspot",
];

/// The same flood at such an ISP, from many subscribers.
pub(super) fn outbreak(second: u64) -> Sample {
    let mut sample = sample(second);
    let pool = sample.status.pools[0].clone();
    let numbers = || (0_u64..).zip(POOLS);
    sample.status.pools = numbers()
        .map(|(number, name)| {
            let mut pool = pool.clone();
            pool.name = name.to_owned();
            if number == 9 {
                let paused = PoolState {
                    mode: PoolWord::Monitor,
                    until: Some("2026-11-28T19:00:00Z".parse().unwrap()),
                };
                (pool.wanted, pool.actual) = (Some(paused), Some(paused));
            }
            pool
        })
        .collect();
    let pools = numbers().map(|(number, name)| {
        json!({
            "pool": name, "remembered": true, "subscribers": 65_536, "active": 500 * number,
            "recent": { "blocked": 2500 * number, "monitored": 0, "hidden": 0 },
        })
    });
    let rates = sample.rates.as_mut().unwrap();
    rates.pools = pools.map(|pool| serde_json::from_value(pool).unwrap()).collect();
    let rows = (1_u64..=60).map(|number| {
        let name = match number % 3 {
            0 => format!("2001:db8:fe{number:02}:12{number:02}::/64"),
            1 => format!("fd12:3456:78{number:02}:1200::/56"),
            _ => format!("198.51.100.{}", 100 + number),
        };
        let pool = POOLS[usize::try_from(number).unwrap() % POOLS.len()];
        subscriber(&name, pool, 4_000_000_000 + number, 60_000 / number, 300)
    });
    let interface = |number: usize| interface(&format!("enp65s0f0np0.{number}"), InterfaceState::Enforced);
    sample.status.interfaces = (101..=116).map(interface).collect();
    sample.subscribers = Ok(Listed {
        remembered: 1_048_576,
        matching: 1_048_576,
        active: Some(33_000),
        rows: serde_json::from_value(rows.collect()).unwrap(),
    });
    sample
}

/// The newest events of a flood.
pub(super) fn events() -> Vec<Event> {
    let event = |sequence: u64, time: &str, source: &str, reason: &str| {
        json!({
            "sequence": sequence, "time": time, "interface": "eth1", "role": "subscriber", "verdict": "drop",
            "reason": reason, "pool": "residential", "source": source, "source_port": 40_000,
            "destination": "203.0.113.0/24", "destination_port": 25, "flags": ["syn"], "length": 54, "first": sequence == 2,
        })
    };
    let events = json!([
        event(1, "2026-11-28T17:59:58.25Z", "198.51.100.20", "blocked"),
        event(2, "2026-11-28T17:59:59.5Z", "198.51.100.77", "blocked"),
        event(3, "2026-11-28T17:59:59.75Z", "198.51.100.20", "uninspectable"),
    ]);
    serde_json::from_value(events).unwrap()
}

/// What the daemon knows of a subscriber.
pub(super) fn found() -> Found {
    let [start, end] = ["2026-11-27T16:00:00Z", "2026-11-28T16:00:00Z"].map(|at| at.parse().unwrap());
    Found {
        verdict: Ok(Explained::fake("198.51.100.20", "drop", "blocked")),
        exemptions: Err("user 1000 may not do this".to_owned()),
        sessions: Ok(vec![Session::ended(
            "alice",
            "198.51.100.20/32".parse().unwrap(),
            start,
            end,
        )]),
    }
}

/// A view that has seen a flood for some seconds.
pub(super) fn state(seconds: u64) -> State {
    let mut state = State::new(look(), Duration::from_secs(1), now());
    for second in 0..seconds {
        state.update(Message::Tick(Duration::from_secs(second), now()));
        state.update(Message::Seen(Box::new(Ok(sample(second)))));
    }
    state
}
