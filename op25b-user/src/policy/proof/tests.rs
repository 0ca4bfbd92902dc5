//! The proof holds for what the compiler makes, and finds every single change of it.

use jiff::{Timestamp, tz::TimeZone};
use op25b_common::{
    lpm::{Entry, Target},
    values::{NO_CLASS, NO_PHASES, RecordPlace},
};

use super::{Difference, Proof, prove};
use crate::policy::{
    Compiled, Handling, Pause, PauseEnd, Pauses, Policy, compile, compile_without_expired, parse_at,
};

const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
nat64: ['64:ff9b::/96']
subscribers: { remember: [homes, phones, wide] }
pools:
- { name: homes, prefixes: [198.51.100.0/22, '2001:db8:100::/40'] }
- { name: flats, prefixes: [198.51.102.0/24], mode: monitor }
- { name: phones, prefixes: [10.0.0.0/16, '2001:db8:180::/41'], enforce_from: '2090-01-01' }
- { name: wide, prefixes: ['2001:dc0::/28', '2001:dc0:1::/60'] }
- name: cafes
  prefixes: [10.1.0.0/16, '2001:db8:280::/41']
  phases:
  - { from: '2070-01-01', only_to: [203.0.113.0/25, '2001:db8:6::/48'] }
  - { from: '2075-01-01', only_to: [203.0.113.0/24, 203.0.113.16/28] }
  - { from: '2080-01-01' }
relays:
- { name: own, prefixes: [192.0.2.25, '2001:db8::25'] }
- { name: other, prefixes: [192.0.2.0/24] }
exemptions:
- { customer: A, prefixes: [198.51.100.8/29, '2001:db8:100:1::/64'] }
- { customer: B, prefixes: [198.51.100.8/30], expires: '2080-01-01' }
- { customer: C, prefixes: [198.51.100.0/24], destinations: [203.0.113.0/24, '2001:db8:5::/48'], expires: '2085-01-01' }
- { customer: D, prefixes: [198.51.100.128/25], destinations: [203.0.113.128/25], expires: '2086-01-01' }
- { customer: E, prefixes: [198.51.101.0/24], expires: '2026-06-01' }
- { customer: F, prefixes: [203.0.113.77] }
";

/// A change of a policy.
type Change = fn(&mut Policy);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn policy() -> Policy {
    parse_at("policy.yaml", POLICY, at("2026-01-01T00:00:00Z"), &TimeZone::UTC)
        .unwrap()
        .policy
}

fn proof(policy: &Policy, compiled: &Compiled) -> Result<Proof, Difference> {
    prove(policy, compiled, at("2026-07-01T00:00:00Z"))
}

#[test]
fn what_is_compiled_is_proven_with_the_expired_and_without_them() {
    let policy = policy();
    let all = proof(&policy, &compile(&policy).unwrap()).unwrap();
    let without = compile_without_expired(&policy, at("2026-07-01T00:00:00Z")).unwrap();
    assert!(proof(&policy, &without).unwrap().sources >= 20, "{all:?}");
    // Before that end, what was left out is missing.
    let early = prove(&policy, &without, at("2026-05-01T00:00:00Z")).unwrap_err();
    assert_eq!(
        early.to_string(),
        "the compiled tables differ from the policy for the sources 198.51.101.0 to 198.51.101.255: by the tables pool homes, \
         enforced, no exemption for every destination, by the policy pool homes, enforced, exempt until 2026-06-02T00:00:00Z by \
         exemption 4 of E; this is a defect of op25b, please report it with the policy"
    );
}

#[test]
fn a_policy_that_has_changed_is_not_what_was_compiled() {
    let before = policy();
    let compiled = compile(&before).unwrap();
    let changes: [Change; 7] = [
        |policy| policy.pools[1].prefixes.clear(),
        |policy| policy.pools[1].mode = crate::policy::PoolMode::Enforce,
        |policy| policy.relays[1].prefixes.clear(),
        |policy| policy.relays.swap(0, 1),
        |policy| policy.exemptions[0].terms.prefixes = vec!["198.51.100.8/28".parse().unwrap()].into(),
        |policy| policy.exemptions[3].terms.destinations = ["203.0.113.128/26".parse().unwrap()].into(),
        |policy| policy.exemptions[5].terms.expires_at = Some(at("2030-01-01T00:00:00Z")),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut policy = before.clone();
        change(&mut policy);
        proof(&policy, &compiled).expect_err(&format!("change {number}"));
    }
}

#[test]
fn every_changed_class_is_found() {
    let policy = policy();
    let compiled = compile(&policy).unwrap();
    for number in 0..compiled.classes.len() {
        for field in 0..8 {
            let mut changed = compiled.clone();
            let class = &mut changed.classes[number];
            // What has ended is told apart from nothing by nobody.
            let has_ended = (1..=1_782_864_000).contains(&class.until);
            match field {
                0 => class.pool = class.pool.wrapping_add(1),
                1 => class.enforce_from ^= 1,
                2 => class.until = class.until.wrapping_sub(1),
                3 if class.until > 1_782_864_000 => class.exemption = class.exemption.wrapping_add(1),
                4 => class.record_place ^= 1,
                5 if class.record_place == RecordPlace::Array as u32 => class.subscribers += 1,
                6 => class.phases ^= 1,
                7 => class.record_place ^= 2,
                _ => continue,
            }
            let is_expected = !(field == 2 && has_ended);
            assert_eq!(
                proof(&policy, &changed).is_err(),
                is_expected,
                "field {field} of class {number}: {:?}",
                compiled.classes[number]
            );
        }
    }
}

#[test]
fn every_change_of_a_pools_phases_is_found_and_a_pause_is_one() {
    let mut policy = policy();
    let compiled = compile(&policy).unwrap();
    assert_eq!(compiled.phases.len(), 2);
    for field in 0..2 {
        let mut changed = compiled.clone();
        let phases = &mut changed.phases[1];
        match field {
            0 => phases.from += 1,
            _ => phases.destinations += 1,
        }
        proof(&policy, &changed).expect_err(&format!("field {field}"));
    }
    let cafes = policy.pools.len() - 1;
    policy.pools[cafes].paused_until = Some(PauseEnd::At(at("2072-01-01T00:00:00Z")));
    proof(&policy, &compiled).expect_err("it is paused");
    let paused = compile(&policy).unwrap();
    proof(&policy, &paused).unwrap();
    assert_eq!(
        paused.destinations_v4, compiled.destinations_v4,
        "the phases are as before"
    );
    policy.pools[cafes].phases[1].only_to.truncate(1);
    proof(&policy, &paused).unwrap();
    policy.pools[cafes].phases[0].only_to.truncate(1);
    proof(&policy, &paused).expect_err("one destination less");
}

#[test]
fn the_dates_of_what_has_no_class_are_proven() {
    for unlisted in [Handling::Pass, Handling::Drop] {
        let mut policy = policy();
        policy.block.unlisted = unlisted;
        let compiled = compile(&policy).unwrap();
        proof(&policy, &compiled).unwrap();
        let changes: [&dyn Fn(&mut Compiled); 3] = [
            &|changed| changed.classes[NO_CLASS as usize].enforce_from ^= 1,
            &|changed| changed.phases[NO_PHASES as usize].from ^= 1,
            &|changed| {
                changed.unlisted = match changed.unlisted {
                    Handling::Pass => Handling::Drop,
                    Handling::Drop => Handling::Pass,
                }
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = compiled.clone();
            change(&mut other);
            proof(&policy, &other).expect_err(&format!("change {number}"));
        }
        let everything = Pause {
            until: None,
            ..Pause::fake(None)
        };
        policy.pause(&Pauses::from(vec![everything]));
        proof(&policy, &compiled).expect_err("it is paused");
        proof(&policy, &compile(&policy).unwrap()).unwrap();
    }
}

#[test]
fn every_changed_destination_is_found() {
    let policy = policy();
    let compiled = compile(&policy).unwrap();
    assert!(compiled.destinations_v4.len() > 2 && compiled.destinations_v6.len() > 2);
    for number in 0..compiled.destinations_v4.len() {
        for field in 0..4 {
            let mut changed = compiled.clone();
            let entry = &mut changed.destinations_v4[number];
            match field {
                0 => entry.prefix_len -= 1,
                1 => entry.value.until += 1,
                2 => entry.value.rule += 1,
                _ => entry.prefix_len = 31,
            }
            proof(&policy, &changed).expect_err(&format!("field {field} of entry {number}"));
        }
    }
    for number in 0..compiled.destinations_v6.len() {
        let mut changed = compiled.clone();
        changed.destinations_v6.remove(number);
        proof(&policy, &changed).expect_err(&format!("entry {number}"));
    }
}

#[test]
fn every_changed_entry_of_a_table_is_found() {
    let policy = policy();
    let compiled = compile(&policy).unwrap();
    let others = |entry: Entry| {
        let nowhere = Entry::new(Target::Path(0x3f_ffff));
        let other = match entry.target() {
            Target::Class(class) => Entry::new(Target::Class(class ^ 1)),
            _ => Entry::new(Target::Class(0)),
        };
        [nowhere, other]
    };
    let tried = std::cell::Cell::new(0);
    let find = |what: &str, change: &dyn Fn(&mut Compiled)| {
        let mut changed = compiled.clone();
        change(&mut changed);
        proof(&policy, &changed).expect_err(what);
        tried.set(tried.get() + 1);
    };
    for root in (0..compiled.tables.roots.len()).filter(|root| *root % 8191 == 0) {
        find("a root", &|changed| {
            changed.tables.roots[root] = others(changed.tables.roots[root])[0];
        });
    }
    for root in 0..compiled.tables.roots.len() {
        if !matches!(compiled.tables.roots[root].target(), Target::Class(0)) && tried.get() < 60 {
            find("a root with an entry", &|changed| {
                changed.tables.roots[root] = others(changed.tables.roots[root])[1];
            });
        }
    }
    for path in 0..compiled.tables.paths.len() {
        find("the next entry of a path", &|changed| {
            changed.tables.paths[path].next = others(changed.tables.paths[path].next)[1];
        });
        find("the default entry of a path", &|changed| {
            changed.tables.paths[path].default = others(changed.tables.paths[path].default)[0];
        });
        find("the value of a path", &|changed| {
            let path = &mut changed.tables.paths[path];
            path.value ^= 1 << (u64::BITS - path.bits);
        });
    }
    for node in 0..compiled.tables.bitmap_nodes.len() {
        for other in 0..2 {
            find("the default entry of a node", &|changed| {
                let node = &mut changed.tables.bitmap_nodes[node];
                node.default = others(node.default)[other];
            });
        }
        find("a bit of a node", &|changed| {
            let bits = &mut changed.tables.bitmap_nodes[node].bits;
            let word = bits.iter_mut().find(|word| **word != 0).unwrap();
            *word &= *word - 1;
        });
    }
    assert!(tried.get() > 50, "{tried:?}");
}
