//! What a live view shows, and how keys and samples change it. Nothing in here waits, asks or draws.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::crossterm::event::KeyEvent;

use super::{
    details::{Details, Found},
    sample::{Look, Sample},
    series::History,
};
use crate::report::{RateQuery, RateSort, SubscriberRate};

/// The state of a live view.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) look: Look,
    pub(super) interval: Duration,
    pub(super) link: Link,
    /// What was seen last.
    pub(super) sample: Option<Sample>,
    pub(super) history: History,
    pub(super) screen: Screen,
    pub(super) is_frozen: bool,
    /// The subscriber that the cursor is on.
    pub(super) selected: Option<String>,
    /// The time of day.
    pub(super) now: Timestamp,
    /// Of a clock that is never set, since the view began.
    clock: Duration,
    /// When the daemon was asked last.
    asked: Option<Duration>,
    /// Whether it has not answered yet, and whether it is to be asked once more when it has.
    is_asking: bool,
    is_outdated: bool,
}

/// Whether the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It does, the last time then.
    Up(Timestamp),
    /// It does not, since then.
    Down { since: Timestamp, why: String },
}

/// What fills the screen.
#[derive(Clone, Debug)]
pub(super) enum Screen {
    /// Everything.
    Main,
    /// Everything, and the line in which a filter is typed.
    Filter(Prompt),
    /// One subscriber.
    Details(Box<Details>),
    /// The keys.
    Help,
}

/// A line that is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// What is wrong with it.
    pub(super) wrong: Option<String>,
}

/// What happens to a live view.
#[derive(Debug)]
pub(super) enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Time passes: the clock since the view began, and the time of day.
    Tick(Duration, Timestamp),
    /// The daemon has answered, or why it has not.
    Seen(Box<Result<Sample, String>>),
    /// The daemon has told what it knows of a subscriber.
    Found(String, Box<Found>),
    /// The screen is to be drawn, and that is all.
    Draw,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask the daemon for a sample.
    Look,
    /// Ask it about a subscriber.
    Find(String),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal back to the shell until it continues this process.
    Suspend,
    /// End.
    Quit,
}

impl State {
    pub(super) fn new(look: Look, interval: Duration, now: Timestamp) -> Self {
        Self {
            look,
            interval,
            link: Link::Up(now),
            sample: None,
            history: History::default(),
            screen: Screen::Main,
            is_frozen: false,
            selected: None,
            now,
            clock: Duration::ZERO,
            asked: Some(Duration::ZERO),
            is_asking: false,
            is_outdated: false,
        }
    }

    /// Changes the state by a message; returns what is to be done.
    pub(super) fn update(&mut self, message: Message) -> Option<Effect> {
        match message {
            Message::Key(key) => self.press(key),
            Message::Tick(clock, now) => {
                (self.clock, self.now) = (clock, now);
                let is_due = self.asked.is_none_or(|asked| asked + self.interval <= clock);
                (is_due && !self.is_frozen && !self.is_asking).then(|| self.ask())
            }
            Message::Seen(seen) => self.see(*seen),
            Message::Found(subscriber, found) => {
                if let Screen::Details(details) = &mut self.screen
                    && details.subscriber == subscriber
                {
                    details.found = Some(*found);
                }
                None
            }
            Message::Draw => None,
        }
    }

    /// Asks for a sample at once, or as soon as the answer that is awaited is there.
    pub(super) fn ask_now(&mut self) -> Option<Effect> {
        if self.is_asking {
            self.is_outdated = true;
            return None;
        }
        Some(self.ask())
    }

    fn ask(&mut self) -> Effect {
        self.is_asking = true;
        self.is_outdated = false;
        self.asked = Some(self.clock);
        Effect::Look
    }

    fn see(&mut self, seen: Result<Sample, String>) -> Option<Effect> {
        self.is_asking = false;
        let is_outdated = std::mem::take(&mut self.is_outdated);
        match seen {
            Ok(sample) => {
                self.link = Link::Up(self.now);
                if !self.is_frozen && !is_outdated {
                    self.show(sample);
                }
            }
            Err(why) => {
                let since = match self.link {
                    Link::Up(_) => self.now,
                    Link::Down { since, .. } => since,
                };
                self.link = Link::Down { since, why };
            }
        }
        (is_outdated && !self.is_frozen).then(|| self.ask())
    }

    fn show(&mut self, sample: Sample) {
        if let Some(rates) = &sample.rates {
            self.history.add(rates);
        }
        self.sample = Some(sample);
        if let Screen::Details(details) = &mut self.screen {
            let rows = rows_of(self.sample.as_ref());
            let row = rows
                .iter()
                .find(|row| row.record.subscriber == details.subscriber);
            details.is_listed = row.is_some();
            if let Some(row) = row {
                details.record = row.clone();
            }
        }
    }

    /// The subscribers that are shown.
    pub(super) fn rows(&self) -> &[SubscriberRate] {
        rows_of(self.sample.as_ref())
    }

    /// The place of the cursor among them.
    pub(super) fn cursor(&self) -> Option<usize> {
        let selected = self.selected.as_deref()?;
        self.rows()
            .iter()
            .position(|row| row.record.subscriber == selected)
    }

    /// Moves the cursor by so many rows; the first time, to the first one.
    pub(super) fn move_cursor(&mut self, by: isize) {
        let last = self.rows().len().saturating_sub(1);
        let place = match self.cursor() {
            Some(place) => place.saturating_add_signed(by).min(last),
            None if by >= 0 => 0,
            None => last,
        };
        self.selected = self.rows().get(place).map(|row| row.record.subscriber.clone());
    }

    /// The pools of the policy, by name.
    pub(super) fn pools(&self) -> Vec<&str> {
        let pools = self.sample.iter().flat_map(|sample| &sample.status.pools);
        pools.map(|pool| pool.name.as_str()).collect()
    }

    /// Looks at something else from now on.
    pub(super) fn look_at(&mut self, query: RateQuery) -> Option<Effect> {
        self.look.query = query;
        self.is_frozen = false;
        self.ask_now()
    }

    /// Sorts by the next order.
    pub(super) fn sort_by(&mut self, sort: RateSort) -> Option<Effect> {
        let query = RateQuery {
            sort,
            ..self.look.query.clone()
        };
        self.look_at(query)
    }
}

fn rows_of(sample: Option<&Sample>) -> &[SubscriberRate] {
    match sample.map(|sample| &sample.subscribers) {
        Some(Ok(listed)) => &listed.rows,
        _ => &[],
    }
}
