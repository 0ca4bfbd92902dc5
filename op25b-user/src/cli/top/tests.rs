//! What keys, time and answers do to a live view.

use std::time::Duration;

use jiff::SignedDuration;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    fake::{found, look, now, sample, state},
    keys::keys,
    state::{Effect, Link, Message, Screen, State},
};
use crate::report::RateSort;

fn press(state: &mut State, code: KeyCode) -> Option<Effect> {
    state.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn type_text(state: &mut State, text: &str) -> Option<Effect> {
    let mut last = None;
    for character in text.chars() {
        last = press(state, KeyCode::Char(character));
    }
    last
}

fn tick(state: &mut State, milliseconds: u64) -> Option<Effect> {
    let clock = Duration::from_millis(milliseconds);
    let now = now() + SignedDuration::try_from(clock).unwrap();
    state.update(Message::Tick(clock, now))
}

fn see(state: &mut State, second: u64) -> Option<Effect> {
    state.update(Message::Seen(Box::new(Ok(sample(second)))))
}

#[test]
fn the_daemon_is_asked_once_in_an_interval_and_not_before_it_has_answered() {
    let mut state = State::new(look(), Duration::from_secs(1), now());
    assert_eq!(see(&mut state, 0), None);
    assert_eq!(tick(&mut state, 250), None);
    assert_eq!(tick(&mut state, 1000), Some(Effect::Look));
    assert_eq!(tick(&mut state, 2000), None, "it has not answered");
    assert_eq!(see(&mut state, 1), None);
    assert_eq!(tick(&mut state, 2250), Some(Effect::Look));
    see(&mut state, 2);
    press(&mut state, KeyCode::Char('-'));
    assert_eq!(tick(&mut state, 3500), None);
    assert_eq!(tick(&mut state, 4250), Some(Effect::Look));
    see(&mut state, 3);
    press(&mut state, KeyCode::Char('+'));
    press(&mut state, KeyCode::Char('+'));
    assert_eq!(state.interval, Duration::from_secs(1), "not more often");
}

#[test]
fn a_daemon_that_goes_away_is_said_to_be_away_since_then_until_it_is_back() {
    let mut state = state(3);
    for second in [3, 4] {
        assert_eq!(tick(&mut state, second * 1000), Some(Effect::Look));
        let refused = "no daemon answers".to_owned();
        state.update(Message::Seen(Box::new(Err(refused))));
        let Link::Down { since, why } = &state.link else {
            panic!("{:?}", state.link)
        };
        assert_eq!(
            (*since, why.as_str()),
            (now() + SignedDuration::from_secs(3), "no daemon answers")
        );
    }
    // What was seen before is still there.
    assert_eq!(state.rows().len(), 3);
    assert_eq!(tick(&mut state, 5000), Some(Effect::Look));
    see(&mut state, 5);
    assert!(matches!(state.link, Link::Up(_)));
}

#[test]
fn an_answer_to_what_was_asked_before_is_not_shown_and_the_daemon_is_asked_at_once() {
    let mut state = state(2);
    assert_eq!(press(&mut state, KeyCode::Char('d')), Some(Effect::Look));
    assert_eq!(state.look.query.sort, RateSort::Destinations);
    assert_eq!(press(&mut state, KeyCode::Char('p')), None);
    assert_eq!(state.look.query.pool.as_deref(), Some("residential"));
    let before = state.history.reasons[0].packets;
    assert_eq!(see(&mut state, 2), Some(Effect::Look));
    assert_eq!(state.history.reasons[0].packets, before);
    see(&mut state, 3);
    assert!(state.history.reasons[0].packets > before);
    press(&mut state, KeyCode::Char('p'));
    assert_eq!(state.look.query.pool.as_deref(), Some("家庭用"));
    see(&mut state, 4);
    press(&mut state, KeyCode::Char('p'));
    assert_eq!(state.look.query.pool, None);
}

#[test]
fn the_orders_follow_each_other() {
    let mut state = state(2);
    let mut sorts = Vec::new();
    for second in 2..6 {
        press(&mut state, KeyCode::Char('s'));
        sorts.push(state.look.query.sort);
        see(&mut state, second);
    }
    assert_eq!(
        sorts,
        [
            RateSort::Destinations,
            RateSort::Packets,
            RateSort::LastSeen,
            RateSort::Rate
        ]
    );
}

#[test]
fn a_filter_is_a_pool_a_prefix_or_both_and_what_is_neither_stays_in_the_line() {
    let mut state = state(2);
    press(&mut state, KeyCode::Char('/'));
    assert_eq!(type_text(&mut state, "residentialq"), None);
    assert_eq!(press(&mut state, KeyCode::Enter), None);
    let Screen::Filter(prompt) = &state.screen else {
        panic!("{:?}", state.screen)
    };
    let wrong = prompt.wrong.as_deref().unwrap();
    assert!(wrong.ends_with("the pools are residential, 家庭用"), "{wrong}");
    press(&mut state, KeyCode::Backspace);
    assert_eq!(press(&mut state, KeyCode::Enter), Some(Effect::Look));
    see(&mut state, 2);
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "198.51.100.20");
    press(&mut state, KeyCode::Enter);
    see(&mut state, 3);
    let query = &state.look.query;
    assert_eq!(
        (query.pool.as_deref(), query.within),
        (Some("residential"), "198.51.100.20/32".parse().ok())
    );
    // Esc leaves the line, and on the main screen the filter.
    press(&mut state, KeyCode::Char('/'));
    press(&mut state, KeyCode::Esc);
    assert!(state.look.query.pool.is_some());
    assert_eq!(press(&mut state, KeyCode::Esc), Some(Effect::Look));
    assert_eq!((&state.look.query.pool, state.look.query.within), (&None, None));
}

#[test]
fn a_frozen_view_asks_nothing_and_goes_on_when_it_is_told_to() {
    let mut state = state(2);
    tick(&mut state, 2000);
    press(&mut state, KeyCode::Char(' '));
    see(&mut state, 9);
    let blocked = |state: &State| state.history.reasons[0].packets;
    assert_eq!(
        blocked(&state),
        sample(1)
            .rates
            .unwrap()
            .counters
            .packets(op25b_common::Reason::Blocked)
    );
    assert_eq!(tick(&mut state, 9000), None);
    assert_eq!(press(&mut state, KeyCode::Char(' ')), Some(Effect::Look));
}

#[test]
fn the_cursor_stays_on_its_subscriber_when_the_order_changes() {
    let mut state = state(2);
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Down);
    assert_eq!(state.selected.as_deref(), Some("2001:db8:100:7::/64"));
    let mut later = sample(2);
    later.subscribers.as_mut().unwrap().rows.reverse();
    later.subscribers.as_mut().unwrap().rows.swap(0, 1);
    state.update(Message::Seen(Box::new(Ok(later))));
    assert_eq!(state.cursor(), Some(0));
    for (key, place) in [
        (KeyCode::Up, 0),
        (KeyCode::End, 2),
        (KeyCode::Down, 2),
        (KeyCode::Home, 0),
        (KeyCode::PageDown, 2),
    ] {
        press(&mut state, key);
        assert_eq!(state.cursor(), Some(place), "{key:?}");
    }
    assert_eq!(press(&mut state, KeyCode::Esc), None);
    assert_eq!(state.cursor(), None);
}

#[test]
fn details_are_asked_for_once_and_follow_the_record() {
    let mut state = state(2);
    let find = Effect::Find("198.51.100.20".to_owned());
    assert_eq!(press(&mut state, KeyCode::Enter), Some(find));
    // An answer about another one comes too late.
    state.update(Message::Found("192.0.2.77".to_owned(), Box::new(found())));
    let details = |state: &State| match &state.screen {
        Screen::Details(details) => details.clone(),
        other => panic!("{other:?}"),
    };
    assert!(details(&state).found.is_none());
    state.update(Message::Found("198.51.100.20".to_owned(), Box::new(found())));
    assert!(details(&state).found.is_some());
    assert_eq!(tick(&mut state, 2000), Some(Effect::Look));
    see(&mut state, 2);
    assert_eq!(details(&state).record.record.packets, 12_123);
    let mut without = sample(3);
    without.subscribers.as_mut().unwrap().rows.remove(0);
    state.update(Message::Seen(Box::new(Ok(without))));
    assert!(!details(&state).is_listed);
    assert_eq!(details(&state).record.record.packets, 12_123);
    press(&mut state, KeyCode::Esc);
    assert!(matches!(state.screen, Screen::Main));
    assert!(state.selected.is_some());
}

#[test]
fn escape_and_a_key_that_are_read_at_once_are_two_keys() {
    let mut state = state(2);
    press(&mut state, KeyCode::Char('/'));
    press(&mut state, KeyCode::Char('x'));
    for key in keys(KeyEvent::new(KeyCode::Char('p'), KeyModifiers::ALT)) {
        state.update(Message::Key(key));
    }
    assert!(matches!(state.screen, Screen::Main));
    assert!(state.look.query.pool.is_some());
    let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(keys(control).collect::<Vec<_>>(), [control]);
}

#[test]
fn every_key_of_the_help_ends_suspends_or_draws_as_it_says() {
    let mut state = state(2);
    let control = |state: &mut State, key| {
        let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
        state.update(Message::Key(key))
    };
    assert_eq!(control(&mut state, 'z'), Some(Effect::Suspend));
    assert_eq!(control(&mut state, 'l'), Some(Effect::Redraw));
    assert_eq!(control(&mut state, 'c'), Some(Effect::Quit));
    assert_eq!(control(&mut state, 'q'), None);
    for open in [KeyCode::Char('?'), KeyCode::Enter] {
        press(&mut state, open);
        assert!(!matches!(state.screen, Screen::Main));
        assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Effect::Quit));
        press(&mut state, KeyCode::Esc);
    }
    assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Effect::Quit));
    // In the line of the filter it is a letter.
    press(&mut state, KeyCode::Char('/'));
    assert_eq!(press(&mut state, KeyCode::Char('q')), None);
    assert_eq!(control(&mut state, 'c'), Some(Effect::Quit));
}
