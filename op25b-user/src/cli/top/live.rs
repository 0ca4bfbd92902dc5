//! The live view: keys, time, signals and the daemon's answers go to the state, and the state to the screen.

use std::{io, process::ExitCode, thread, time::Duration};

use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use nix::sys::signal::{Signal, raise};
use ratatui::crossterm::event::{self, Event};
use tokio::{
    signal::unix::{Signal as Arrivals, SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    details::{self, Found},
    draw::{Look as Appearance, draw},
    keys::keys,
    sample::{Look, Sample},
    state::{Effect, Message, State},
    terminal::{LiveTerminal, give_back},
};
use crate::{cli::end_by::end_by, daemon::client::Client, end_signals::EndSignals};

/// How often the screen shows that time passes.
const TICK: Duration = Duration::from_millis(250);

/// The signals that concern a program that has the terminal.
struct Signals {
    ends: EndSignals,
    hangup: Arrivals,
    stop: Arrivals,
    go_on: Arrivals,
}

/// What a signal asks for.
enum Wanted {
    End(Signal),
    Stop,
    GoOn,
}

/// Shows what goes on until a key or a signal ends it. The first sample was taken.
pub(super) async fn run(
    client: Client,
    look: Look,
    interval: Duration,
    first: Sample,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::receive().context("cannot receive signals")?;
    let mut terminal = LiveTerminal::take().context("cannot use the terminal")?;
    let mut view = View::new(client, State::new(look, interval, Timestamp::now()));
    view.handle(Message::Seen(Box::new(Ok(first))));
    read_keys(view.sender.clone());
    let ended = loop {
        let appearance = &view.appearance;
        terminal.draw(|frame| draw(frame, &view.state, appearance))?;
        let effect = tokio::select! {
            wanted = signals.next() => match wanted {
                Wanted::End(signal) => break Some(signal),
                Wanted::Stop => Some(Effect::Suspend),
                Wanted::GoOn => {
                    terminal.take_again()?;
                    None
                }
            },
            message = view.next() => view.handle(message),
        };
        match effect {
            Some(Effect::Quit) => break None,
            Some(Effect::Redraw) => terminal.forget()?,
            Some(Effect::Suspend) => {
                give_back();
                // Until the shell continues the process, which sends a signal.
                raise(Signal::SIGSTOP).context("cannot stop")?;
                terminal.take_again()?;
            }
            _ => {}
        }
    };
    drop(terminal);
    if let Some(signal) = ended {
        end_by(signal);
    }
    Ok(ExitCode::SUCCESS)
}

/// The state, and what feeds it.
struct View {
    state: State,
    appearance: Appearance,
    client: Client,
    sender: UnboundedSender<Message>,
    messages: UnboundedReceiver<Message>,
    ticks: tokio::time::Interval,
    began: Instant,
}

impl View {
    fn new(client: Client, state: State) -> Self {
        let (sender, messages) = unbounded_channel();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            state,
            appearance: Appearance::of_environment(TimeZone::system()),
            client,
            sender,
            messages,
            ticks,
            began: Instant::now(),
        }
    }

    async fn next(&mut self) -> Message {
        tokio::select! {
            message = self.messages.recv() => message.unwrap_or(Message::Draw),
            _ = self.ticks.tick() => Message::Tick(self.began.elapsed(), Timestamp::now()),
        }
    }

    /// Changes the state, and begins what is to be asked of the daemon.
    fn handle(&mut self, message: Message) -> Option<Effect> {
        let effect = self.state.update(message);
        let (client, sender) = (self.client.clone(), self.sender.clone());
        match &effect {
            Some(Effect::Look) => {
                let look = self.state.look.clone();
                tokio::spawn(async move {
                    let seen = Sample::take(&client, &look).await.map_err(details::why);
                    // The view may have ended.
                    let _ = sender.send(Message::Seen(Box::new(seen)));
                });
            }
            Some(Effect::Find(subscriber)) => {
                let (subscriber, reason) = (subscriber.clone(), self.state.look.reason.clone());
                tokio::spawn(async move {
                    let found = Found::ask(&client, &subscriber, reason).await;
                    // As above.
                    let _ = sender.send(Message::Found(subscriber, Box::new(found)));
                });
            }
            _ => {}
        }
        effect
    }
}

/// Reads keys in a thread of its own, which ends with the process.
fn read_keys(sender: UnboundedSender<Message>) {
    thread::spawn(move || {
        loop {
            let messages = match event::read() {
                Ok(Event::Key(key)) => keys(key).map(Message::Key).collect(),
                Ok(_) => vec![Message::Draw],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The terminal is gone, and the system sends a signal.
                Err(_) => return,
            };
            for message in messages {
                if sender.send(message).is_err() {
                    return;
                }
            }
        }
    });
}

impl Signals {
    fn receive() -> io::Result<Self> {
        let raw = |number: Signal| signal(SignalKind::from_raw(number as i32));
        Ok(Self {
            ends: EndSignals::receive()?,
            hangup: raw(Signal::SIGHUP)?,
            stop: raw(Signal::SIGTSTP)?,
            go_on: raw(Signal::SIGCONT)?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            end = self.ends.next() => Wanted::End(end),
            _ = self.hangup.recv() => Wanted::End(Signal::SIGHUP),
            _ = self.stop.recv() => Wanted::Stop,
            _ = self.go_on.recv() => Wanted::GoOn,
        }
    }
}
