//! What the screen shows, on terminals of several sizes.

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

use super::draw;
use crate::cli::{
    status::tests::interface,
    top::{
        fake::{appearance, events, found, outbreak, state},
        state::{Link, Message, State},
    },
};
use crate::report::InterfaceState;

/// The lines of a screen, and whether any of it has a colour.
fn screen(state: &State, width: u16, height: u16, has_colours: bool) -> (String, bool) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, state, &appearance(has_colours)))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let is_coloured = buffer
        .content
        .iter()
        .any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
    let text = terminal.backend().to_string();
    // Each line is in quotation marks, after which the cells are named that a wide character hides.
    let lines = text.lines().map(|line| {
        let line = line.split("\" Hidden by").next().unwrap_or_default();
        line.trim_matches('"').trim_end()
    });
    (lines.collect::<Vec<_>>().join("\n"), is_coloured)
}

fn press(state: &mut State, code: KeyCode) {
    state.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

#[test]
fn a_flood_on_the_smallest_terminal() {
    insta::assert_snapshot!(screen(&state(20), 80, 24, true).0);
}

#[test]
fn a_flood_on_a_larger_terminal() {
    insta::assert_snapshot!(screen(&state(40), 120, 40, true).0);
}

/// A view that has seen an outbreak at a large ISP.
fn after_an_outbreak() -> State {
    let mut state = state(20);
    for second in 20..30 {
        state.update(Message::Seen(Box::new(Ok(outbreak(second)))));
    }
    state
}

#[test]
fn an_outbreak_with_long_names_and_addresses_on_the_smallest_terminal() {
    let state = after_an_outbreak();
    insta::assert_snapshot!(screen(&state, 80, 24, true).0);
}

#[test]
fn an_outbreak_with_events_on_a_larger_terminal() {
    let mut state = after_an_outbreak();
    let mut events = events();
    for event in &mut events {
        event.pool = Some("residential-hokkaido-ftth-10g".to_owned());
        event.source = Some("2001:db8:fe01:1234:5678:9abc:def0:1101/128".parse().unwrap());
        event.destination = Some("2001:db8:ffff::/48".parse().unwrap());
    }
    state.sample.as_mut().unwrap().events = Some(Ok(events));
    insta::assert_snapshot!(screen(&state, 120, 40, true).0);
    insta::assert_snapshot!(screen(&state, 80, 34, false).0);
}

#[test]
fn each_width_of_the_terminal_has_the_columns_that_fit() {
    let mut state = after_an_outbreak();
    for width in 60..=160 {
        let (text, _) = screen(&state, width, 24, true);
        let headings = text
            .lines()
            .find(|line| line.starts_with("SUBSCRIBER  "))
            .unwrap();
        assert!(headings.contains("PKT/S*"), "{text}");
        assert!(
            !text.contains("LAST SEE\n") && !text.contains("LAST SE~"),
            "{text}"
        );
        let pool = text.lines().find(|line| line.contains("hotspot")).unwrap();
        assert!(pool.contains("27.5k"), "{text}");
    }
    press(&mut state, KeyCode::Char('l'));
    let (text, _) = screen(&state, 60, 24, true);
    assert!(
        text.contains("LAST SEEN*"),
        "what they are sorted by is shown: {text}"
    );
}

#[test]
fn what_somebody_has_to_know_is_shown_beside_a_long_filter() {
    let mut state = after_an_outbreak();
    state.look.query.pool = Some("wholesale-partner-b-dynamic".to_owned());
    state.look.query.within = Some("2001:db8:1234:5678::/64".parse().unwrap());
    press(&mut state, KeyCode::Char(' '));
    let (text, _) = screen(&state, 80, 24, true);
    assert_eq!(
        text.lines().nth(1).unwrap(),
        " every 1 s  FILTER pool wholesale-partner-b-dynamic, in ~  FROZEN: Space goes on"
    );
}

#[test]
fn without_colours_and_unicode_nothing_is_missing() {
    let mut state = state(20);
    press(&mut state, KeyCode::Down);
    let (text, is_coloured) = screen(&state, 80, 24, false);
    assert!(!is_coloured);
    assert!(screen(&state, 80, 24, true).1);
    let beyond = |character: &char| !character.is_ascii() && !"家庭用".contains(*character);
    assert_eq!(text.chars().find(beyond), None, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn an_interface_without_a_filter_comes_first_with_the_reason() {
    let mut state = state(3);
    let sample = state.sample.as_mut().unwrap();
    let status = &mut sample.status;
    status.interfaces[1] = interface("eth2", InterfaceState::Missing);
    status.state = crate::report::Enforcement::of(&status.interfaces);
    insta::assert_snapshot!(screen(&state, 80, 24, true).0);
}

#[test]
fn a_role_that_may_not_read_subscribers_sees_the_rest_and_is_told_why() {
    let mut state = state(3);
    let why = "user 1000 may not do this: it takes root or membership in the group op25b-desk or op25b \
               (`usermod -aG op25b-desk USER`, then log in again)";
    state.sample.as_mut().unwrap().subscribers = Err(why.to_owned());
    insta::assert_snapshot!(screen(&state, 80, 24, true).0);
}

#[test]
fn events_share_the_screen_with_the_subscribers_and_the_newest_comes_first() {
    let mut state = state(3);
    state.sample.as_mut().unwrap().events = Some(Ok(events()));
    insta::assert_snapshot!(screen(&state, 80, 24, true).0);
    let wide = screen(&state, 140, 30, true).0;
    assert!(wide.contains("INTERFACE") && wide.contains("VERDICT"), "{wide}");
}

#[test]
fn a_daemon_that_does_not_answer_is_said_to_be_away_and_the_last_answer_stays() {
    let mut state = state(3);
    let since = state.now - jiff::SignedDuration::from_secs(7);
    let why = "no daemon answers at /run/op25b/control.sock".to_owned();
    state.link = Link::Down { since, why };
    let (text, _) = screen(&state, 80, 24, true);
    let line = text.lines().nth(1).unwrap();
    assert_eq!(
        line,
        " NO ANSWER for 7 seconds, what is shown is older: no daemon answers at /run/op2~"
    );
    assert!(text.contains("198.51.100.20"));
}

#[test]
fn the_details_of_a_subscriber() {
    let mut state = state(20);
    press(&mut state, KeyCode::Enter);
    state.update(Message::Found("198.51.100.20".to_owned(), Box::new(found())));
    insta::assert_snapshot!(screen(&state, 80, 30, true).0);
}

#[test]
fn the_keys_and_a_filter_that_is_typed() {
    let mut state = state(3);
    press(&mut state, KeyCode::Char('?'));
    insta::assert_snapshot!(screen(&state, 80, 24, true).0);
    press(&mut state, KeyCode::Esc);
    for key in ['/', 'x'] {
        press(&mut state, KeyCode::Char(key));
    }
    press(&mut state, KeyCode::Enter);
    let (text, _) = screen(&state, 120, 24, true);
    insta::assert_snapshot!(text.lines().last().unwrap(), @"filter: x_  no pool, prefix or address: the pools are residential, 家庭用");
}

#[test]
fn no_size_of_the_terminal_is_too_small_to_be_drawn() {
    let mut state = state(3);
    for (width, height) in [(1, 1), (20, 3), (79, 5), (40, 10), (300, 100)] {
        screen(&state, width, height, true);
    }
    press(&mut state, KeyCode::Enter);
    screen(&state, 1, 1, true);
}
