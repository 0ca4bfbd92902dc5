//! A store of a hundred thousand exemptions works as a small one does.

use ipnet::IpNet;
use op25b::store::{Query, Records as _, Store as _};
use tempfile::tempdir;

use crate::{add, now, of, open, record};

const MANY: u32 = 100_000;

#[test]
fn a_hundred_thousand_records_are_added_at_once_and_found_by_their_prefixes() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let changes: Vec<_> = (0..MANY).map(|number| add(record(number))).collect();
    assert_eq!(store.commit(&of(changes)).unwrap(), u64::from(MANY));
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.not_removed().unwrap().len(), usize::try_from(MANY).unwrap());
    for number in (0..MANY).step_by(100) {
        for prefix in record(number).terms.prefixes {
            let wider = IpNet::new(prefix.addr(), prefix.prefix_len() - 2)
                .unwrap()
                .trunc();
            let query = |net| Query {
                within: Some(net),
                limit: 10,
                ..Query::default()
            };
            let found = store.list(&query(prefix), now()).unwrap();
            assert_eq!(
                found.iter().map(|record| record.id).collect::<Vec<_>>(),
                [record(number).id]
            );
            let found = store.list(&query(wider), now()).unwrap();
            assert_eq!(found.len(), 4);
        }
    }
}
