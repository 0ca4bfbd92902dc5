//! That a change which is given up leaves the set as it was, and that a clock that is set back is noticed.

use super::*;
use crate::{policy::parse, store::fake::record};

const TEXT: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools: [{ name: homes, prefixes: [198.51.100.0/22] }]
exemptions: [{ customer: Filed, prefixes: [198.51.103.0/29] }]
";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The set of a policy that was compiled at an instant with these records.
fn set(records: &[Record], left_out: &[Record], compiled_at: Timestamp) -> ActiveSet {
    let mut policy = parse("policy.yaml", TEXT).unwrap().policy;
    policy.exemptions.extend(records.iter().map(exemption));
    ActiveSet::new(Arc::new(policy), records.to_vec(), left_out.to_vec(), compiled_at)
}

#[test]
fn a_change_that_is_given_up_leaves_the_set_as_it_was() {
    let known = record(1, "Known", "198.51.100.8/29");
    let left_out = record(2, "Left out", "198.51.100.16/29");
    let new = record(3, "New", "198.51.100.24/29");
    let mut set = set(
        std::slice::from_ref(&known),
        std::slice::from_ref(&left_out),
        at(0),
    );
    let mut extended = known.clone();
    extended.terms.expires_at = Some(at(100));
    let removed = |record: &Record| Record {
        removed_at: Some(at(1)),
        ..record.clone()
    };
    let everything = [
        extended.clone(),
        new.clone(),
        removed(&extended),
        removed(&left_out),
    ];
    let staged = set.stage(&everything).unwrap();
    assert_eq!(set.record(known.id), None);
    assert_eq!(set.record(new.id), Some(&new));
    assert_eq!((set.stored(), set.left_out().count()), (1, 0));
    // An addition, the removal of what it replaces, another addition, a removal.
    assert_eq!(staged.changes().count(), 4);

    set.unstage(staged);
    assert_eq!(set.record(known.id), Some(&known));
    assert_eq!(set.record(left_out.id), Some(&left_out));
    assert_eq!(set.record(new.id), None);
    assert_eq!(set.stored(), 2);
    let overlapping = |set: &mut ActiveSet, net: &str| -> Vec<Option<Ulid>> {
        let others = set.overlapping(net.parse().unwrap(), at(0)).unwrap();
        others.into_iter().map(|other| other.id).collect()
    };
    assert_eq!(overlapping(&mut set, "198.51.100.8/29"), [Some(known.id)]);
    assert_eq!(overlapping(&mut set, "198.51.100.16/29"), [Some(left_out.id)]);
    assert_eq!(overlapping(&mut set, "198.51.100.24/29"), []);
    // The same change again is one of the same set.
    let staged = set.stage(&everything).unwrap();
    assert_eq!(staged.changes().count(), 4);
}

#[test]
fn a_clock_that_is_set_back_before_an_expiry_is_noticed() {
    let mut expired = record(1, "Expired", "198.51.100.8/29");
    expired.terms.expires_at = Some(at(100));
    let later = record(2, "Later", "198.51.100.16/29");
    let mut set = set(&[expired.clone(), later], &[], at(200));
    assert!(!set.lacks_an_exemption_at(at(200)));
    assert!(!set.lacks_an_exemption_at(at(100)));
    assert!(set.lacks_an_exemption_at(at(99)));
    // It is not in the tables, and can be extended.
    assert!(
        set.rules()
            .unwrap()
            .overlapping(expired.terms.prefixes[0])
            .is_empty()
    );
    let mut extended = expired.clone();
    extended.terms.expires_at = Some(at(1000));
    assert_eq!(set.stage(&[extended]).unwrap().changes().count(), 1);
}
