//! What each key does.

use std::{iter, time::Duration};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    details::Details,
    state::{Effect, Prompt, Screen, State},
};
use crate::{
    cli::subscribers::prefix,
    report::{RateQuery, RateSort},
};

/// How often the daemon may be asked.
pub(super) const SHORTEST: Duration = Duration::from_secs(1);
pub(super) const LONGEST: Duration = Duration::from_mins(1);

/// The keys, with what they do: for the screen of help and the documents.
pub(super) const KEYS: [(&str, &str); 13] = [
    ("q, Ctrl-C", "quit"),
    (
        "s",
        "sort by the next order: rate, destinations, packets, last-seen",
    ),
    ("r d t l", "sort by rate, destinations, total packets, last seen"),
    (
        "/",
        "filter: type a pool, a prefix or an address; nothing for all",
    ),
    ("p", "filter by the next pool, and then by none"),
    (
        "Space",
        "freeze the screen, or go on; the daemon is not asked meanwhile",
    ),
    (
        "↑ ↓ PgUp PgDn",
        "move the cursor; Home and End: to the first and the last",
    ),
    (
        "Enter",
        "details of the subscriber: record, verdict, exemptions, sessions",
    ),
    ("Esc", "back; on the main screen: no cursor, no filter"),
    ("+ -", "ask more often, less often"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-Z", "suspend, as in any program"),
    ("?", "this help"),
];

/// The rows of a page.
const PAGE: isize = 10;

/// The keys that were pressed. A key with Alt is sent as Esc and the key, as are Esc and a key that are read at once, and no key has a
/// meaning with Alt: they are two.
pub(super) fn keys(key: KeyEvent) -> impl Iterator<Item = KeyEvent> {
    let escape = key
        .modifiers
        .contains(KeyModifiers::ALT)
        .then(|| KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    let key = KeyEvent {
        modifiers: key.modifiers - KeyModifiers::ALT,
        ..key
    };
    escape.into_iter().chain(iter::once(key))
}

impl State {
    /// Does what a key does.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Effect> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Some(Effect::Quit),
            KeyCode::Char('l') if is_control => return Some(Effect::Redraw),
            KeyCode::Char('z') if is_control => return Some(Effect::Suspend),
            KeyCode::Char(_) if is_control => return None,
            _ => {}
        }
        match &mut self.screen {
            Screen::Filter(_) => self.type_filter(key.code),
            Screen::Details(details) => match key.code {
                KeyCode::Char('q') => Some(Effect::Quit),
                KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Left => {
                    self.screen = Screen::Main;
                    None
                }
                KeyCode::Down | KeyCode::Char('j') => {
                    details.scroll += 1;
                    None
                }
                KeyCode::Up | KeyCode::Char('k') => {
                    details.scroll = details.scroll.saturating_sub(1);
                    None
                }
                _ => self.press_anywhere(key.code),
            },
            Screen::Help if key.code == KeyCode::Char('q') => Some(Effect::Quit),
            Screen::Help => {
                self.screen = Screen::Main;
                None
            }
            Screen::Main => self.press_on_main(key.code),
        }
    }

    /// Keys of the main screen and of the details.
    fn press_anywhere(&mut self, code: KeyCode) -> Option<Effect> {
        match code {
            KeyCode::Char(' ') => {
                self.is_frozen = !self.is_frozen;
                if self.is_frozen { None } else { self.ask_now() }
            }
            KeyCode::Char('+') => {
                self.interval = (self.interval / 2).max(SHORTEST);
                None
            }
            KeyCode::Char('-') => {
                self.interval = (self.interval * 2).min(LONGEST);
                None
            }
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => {
                self.screen = Screen::Help;
                None
            }
            _ => None,
        }
    }

    fn press_on_main(&mut self, code: KeyCode) -> Option<Effect> {
        match code {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Char('s') => return self.sort_by(self.next_sort()),
            KeyCode::Char('r') => return self.sort_by(RateSort::Rate),
            KeyCode::Char('d') => return self.sort_by(RateSort::Destinations),
            KeyCode::Char('t') => return self.sort_by(RateSort::Packets),
            KeyCode::Char('l') => return self.sort_by(RateSort::LastSeen),
            KeyCode::Char('p') => return self.next_pool(),
            KeyCode::Char('/' | 'f') => self.screen = Screen::Filter(Prompt::default()),
            KeyCode::Down | KeyCode::Char('j') => self.move_cursor(1),
            KeyCode::Up | KeyCode::Char('k') => self.move_cursor(-1),
            KeyCode::PageDown => self.move_cursor(PAGE),
            KeyCode::PageUp => self.move_cursor(-PAGE),
            KeyCode::Home => self.move_cursor(isize::MIN),
            KeyCode::End => self.move_cursor(isize::MAX),
            KeyCode::Enter | KeyCode::Right => return self.open_details(),
            KeyCode::Esc => {
                if self.selected.take().is_none() {
                    return self.filter_by("");
                }
            }
            code => return self.press_anywhere(code),
        }
        None
    }

    fn next_sort(&self) -> RateSort {
        let all = RateSort::ALL;
        let place = all.iter().position(|sort| *sort == self.look.query.sort);
        all[place.map_or(0, |place| (place + 1) % all.len())]
    }

    fn next_pool(&mut self) -> Option<Effect> {
        let pools = self.pools();
        let place = match &self.look.query.pool {
            None => 0,
            Some(pool) => pools
                .iter()
                .position(|name| name == pool)
                .map_or(0, |place| place + 1),
        };
        let pool = pools.get(place).map(ToString::to_string);
        let query = RateQuery {
            pool,
            ..self.look.query.clone()
        };
        self.look_at(query)
    }

    fn open_details(&mut self) -> Option<Effect> {
        if self.cursor().is_none() {
            self.move_cursor(0);
        }
        let record = self.rows().get(self.cursor()?)?.clone();
        let details = Details::new(record);
        let find = Effect::Find(details.subscriber.clone());
        self.screen = Screen::Details(Box::new(details));
        Some(find)
    }

    fn type_filter(&mut self, code: KeyCode) -> Option<Effect> {
        let Screen::Filter(prompt) = &mut self.screen else {
            return None;
        };
        match code {
            KeyCode::Char(character) => {
                prompt.text.push(character);
                prompt.wrong = None;
            }
            KeyCode::Backspace => {
                prompt.text.pop();
                prompt.wrong = None;
            }
            KeyCode::Esc => self.screen = Screen::Main,
            KeyCode::Enter => {
                let text = prompt.text.trim().to_owned();
                return self.filter_by(&text);
            }
            _ => {}
        }
        None
    }

    /// Filters by a pool, a prefix or an address; by nothing, if there is no text. Of a pool and a prefix the other one stays.
    fn filter_by(&mut self, text: &str) -> Option<Effect> {
        let query = self.look.query.clone();
        let query = if text.is_empty() {
            RateQuery {
                pool: None,
                within: None,
                ..query
            }
        } else if self.pools().contains(&text) {
            RateQuery {
                pool: Some(text.to_owned()),
                ..query
            }
        } else if let Ok(within) = prefix(text) {
            RateQuery {
                within: Some(within),
                ..query
            }
        } else {
            let wrong = format!(
                "no pool, prefix or address: the pools are {}",
                self.pools().join(", ")
            );
            self.screen = Screen::Filter(Prompt {
                text: text.to_owned(),
                wrong: Some(wrong),
            });
            return None;
        };
        self.screen = Screen::Main;
        self.look_at(query)
    }
}
