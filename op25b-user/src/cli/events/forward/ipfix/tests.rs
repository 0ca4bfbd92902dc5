//! Messages as a collector reads them.

use super::*;
use crate::report::EventCount;

fn page(events: Vec<Event>) -> EventPage {
    EventPage {
        events,
        counts: vec![EventCount {
            reason: "blocked".to_owned(),
            shown: 3,
            sampled_out: 90,
            lost: 7,
        }],
        ..EventPage::default()
    }
}

fn v6(sequence: u64) -> Event {
    Event {
        source: Some("2001:db8::7/128".parse().unwrap()),
        destination: Some("2001:db8:ffff::/48".parse().unwrap()),
        ..Event::fake(sequence, "homes")
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The sets of a message, by id, after its header was read.
fn sets(message: &[u8]) -> Vec<(usize, &[u8])> {
    assert_eq!(number(&message[..2]), 10);
    assert_eq!(number(&message[2..4]), message.len());
    assert_eq!(number(&message[12..16]), 9);
    let mut rest = &message[MESSAGE_HEADER..];
    let mut sets = Vec::new();
    while !rest.is_empty() {
        let (set, others) = rest.split_at(number(&rest[2..4]));
        sets.push((number(&set[..2]), &set[SET_HEADER..]));
        rest = others;
    }
    sets
}

fn sequence(message: &[u8]) -> usize {
    number(&message[8..12])
}

#[test]
fn a_session_begins_with_templates_whose_lengths_are_those_of_the_records() {
    let mut session = Session::new(9, false);
    let messages = session.messages(&page(vec![Event::fake(1, "homes"), v6(2)]), |_| 3);
    let [templates, sampling, ipv4, ipv6] = &messages[..] else {
        panic!("{messages:?}");
    };
    let ids: Vec<_> = sets(templates).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [2, 2, 3]);
    for (set, template) in sets(templates).iter().zip([&IPV4, &IPV6, &SAMPLING]) {
        let defined = set.1;
        assert_eq!(number(&defined[..2]), usize::from(template.id));
        let scopes = if template.set_id() == 3 { 2 } else { 0 };
        let elements = defined[4 + scopes..].chunks(4);
        assert_eq!(elements.len(), number(&defined[2..4]));
        let length: usize = elements.map(|element| number(&element[2..])).sum();
        assert_eq!(length, template.record_length());
    }
    for (message, id) in [(sampling, 258), (ipv4, 256), (ipv6, 257)] {
        assert_eq!(sets(message)[0].0, id);
    }
    assert_eq!(sets(ipv4)[0].1.len(), IPV4.record_length());
    assert_eq!(sets(ipv6)[0].1.len(), IPV6.record_length());
    // The scope, how many there were, and how many of them were shown.
    let counts: Vec<_> = sets(sampling)[0].1.chunks(8).map(number).collect();
    assert_eq!(counts, [1, 100, 3]);
    // The number of a message is that of the data records before it.
    let numbers: Vec<_> = messages.iter().map(|message| sequence(message)).collect();
    assert_eq!(numbers, [0, 0, 1, 2]);
}

#[test]
fn a_connection_gets_templates_once_and_datagrams_get_them_again() {
    for (is_datagrams, expected) in [(false, 1), (true, 2)] {
        let mut session = Session::new(9, is_datagrams);
        session.messages(&page(Vec::new()), |_| 3);
        assert_eq!(session.messages(&page(Vec::new()), |_| 3), Vec::<Vec<u8>>::new());
        session.templates_sent = session.templates_sent.and_then(|sent| sent.checked_sub(AGAIN));
        assert_eq!(session.messages(&page(Vec::new()), |_| 3).len(), expected);
    }
}

#[test]
fn a_message_fits_into_a_frame_however_many_events_there_are() {
    let mut session = Session::new(9, true);
    let events = (0..500).map(|n| {
        if n % 2 == 0 {
            Event::fake(n, "homes")
        } else {
            v6(n)
        }
    });
    let messages = session.messages(&page(events.collect()), |_| 3);
    let longest = messages.iter().map(Vec::len).max().unwrap();
    assert!(longest <= LONGEST, "{longest}");
    let data = messages.iter().flat_map(|message| sets(message));
    let bytes = |id| -> usize {
        let of_id = data.clone().filter(|(of, _)| *of == id);
        of_id.map(|(_, records)| records.len()).sum()
    };
    assert_eq!(bytes(256), 250 * IPV4.record_length());
    assert_eq!(bytes(257), 250 * IPV6.record_length());
    assert_eq!(session.sequence, 501);
}

#[test]
fn an_event_without_addresses_has_no_record() {
    let mut session = Session::new(9, false);
    session.messages(&page(Vec::new()), |_| 3);
    let hidden = Event {
        source: None,
        ..Event::fake(1, "homes")
    };
    assert_eq!(
        session.messages(&page(vec![hidden]), |_| 3),
        Vec::<Vec<u8>>::new()
    );
}
