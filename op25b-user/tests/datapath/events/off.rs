//! Without events the program has nothing of them.

use op25b::{datapath::LoadOptions, policy::Role};
use op25b_common::names::{ALLOWANCES, EVENT_COUNTS, EVENT_SENDERS, EVENT_TURN, EVENTS};

use super::{loaded, read};
use crate::support::{
    filter,
    kernel::{instructions_used, maps_used},
    world::{V4, bare, policy},
};

const MAPS: [&str; 5] = [EVENTS, EVENT_COUNTS, EVENT_TURN, ALLOWANCES, EVENT_SENDERS];

#[test]
fn without_events_the_loaded_program_has_no_trace_of_them() {
    for role in [Role::Subscriber, Role::Uplink] {
        let sizes = ["", "events: {}\n"].map(|events| {
            let mut filter = filter(&policy(events), LoadOptions::default());
            let info = filter.program_info(role).unwrap();
            let maps = maps_used(&info);
            for map in MAPS {
                assert_eq!(maps.contains(map), !events.is_empty(), "{map}: {maps:?}");
            }
            assert_eq!(filter.take_events().unwrap().is_some(), !events.is_empty());
            instructions_used(&info).len()
        });
        println!("{role:?}: {sizes:?} instructions");
        assert!(sizes[0] < sizes[1], "{sizes:?}");
    }
}

#[test]
fn a_program_for_questions_has_no_events() {
    let options = LoadOptions {
        trace: true,
        ..LoadOptions::default()
    };
    let mut filter = filter(&policy("events: { exempt: true }\n"), options);
    let maps = maps_used(&filter.program_info(Role::Subscriber).unwrap());
    assert!(MAPS.iter().all(|map| !maps.contains(*map)), "{maps:?}");
}

#[test]
fn what_a_filter_has_written_is_read_after_it_is_gone() {
    let (mut filter, mut reader) = loaded(&policy("events: {}\n"));
    filter
        .run(Role::Subscriber, &bare(&V4.outbound().syn(25)))
        .unwrap();
    assert!(filter.take_events().unwrap().is_none(), "it is taken once");
    drop(filter);
    assert_eq!(read(&mut reader).len(), 1);
}
