//! Forwarding events to a collector or to the journal, until a signal.
//!
//! The daemon's own 10,000 events are the queue: while the other side does not answer, the oldest of them give way, and are counted.

mod connection;
mod fields;
mod ipfix;
mod journal;
mod position;
mod syslog;

use std::{fs, process::ExitCode, time::Duration};

use anyhow::Context as _;
use nix::net::if_::if_nametoindex;
use tokio::time::sleep;

use self::{connection::Connection, ipfix::Session, position::Position};
use super::{Args, text};
use crate::{
    cli::{
        back_off::BackOff,
        daemon::block_on,
        ending::ended,
        pages::{Answer, MOST, Pages},
        problem, stderr,
        tls::Tls,
    },
    collector::{Address, Destination, Format, Transport},
    daemon::client::{Asked, Client, EventFilter},
    report::EventPage,
};

/// How long to wait at most before connecting again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How many events were forwarded, and how many were left out.
#[derive(Default)]
struct Tally {
    forwarded: usize,
    missed: u64,
}

/// Forwards events, from where the last start ended or from now on.
pub(super) fn forward(args: &Args, to: &Destination, filter: &EventFilter) -> anyhow::Result<ExitCode> {
    block_on(async {
        let mut tally = Tally::default();
        let refused = tokio::select! {
            refused = forward_all(args, to, filter, &mut tally) => Some(refused?),
            ended = ended() => {
                ended?;
                None
            }
        };
        stderr::line(format_args!(
            "op25b: {} forwarded to {to}, {} left out",
            text::events(tally.forwarded as u64),
            tally.missed
        ));
        Ok(refused.unwrap_or(ExitCode::SUCCESS))
    })?
}

/// Forwards until the daemon refuses to show events.
async fn forward_all(
    args: &Args,
    to: &Destination,
    filter: &EventFilter,
    tally: &mut Tally,
) -> anyhow::Result<ExitCode> {
    let position = Position::of(args.state.clone());
    let tls = Tls(&args.tls);
    if let Destination::Collector(Address {
        transport: Transport::Tls,
        ..
    }) = to
    {
        // A file that cannot be read is said at once, not at every connection.
        tls.config()?;
    }
    let client = Client::new(&args.paths.runtime_dir);
    let after = match position.read()? {
        Some(after) => after,
        None => client.events(filter, Asked::newest(1)).await?.next,
    };
    let mut pages = Pages::after(after, MOST, async |asked| client.events(filter, asked).await);
    let mut back_off = BackOff::up_to(LONGEST_PAUSE);
    loop {
        let mut collector = match Connection::open(to, &tls).await {
            Ok(connection) => {
                stderr::line(format_args!("op25b: connected to {to}"));
                Collector::new(args, to, connection)?
            }
            Err(error) => {
                let pause = back_off.failed();
                stderr::line(format_args!(
                    "op25b: cannot connect to {to}: {error:#}; trying again in {} s",
                    pause.as_secs()
                ));
                sleep(pause).await;
                continue;
            }
        };
        let error = loop {
            let page = tokio::select! {
                answer = pages.next() => match answer? {
                    Answer::Page(page) => page,
                    Answer::Refused(problem) => return problem::refused(&problem, false),
                },
                error = collector.connection.closed() => break error,
            };
            if let Err(error) = collector.send(&page).await {
                break error;
            }
            back_off.succeeded();
            tally.forwarded += page.events.len();
            if page.missed > 0 {
                tally.missed += page.missed;
                stderr::line(format_args!(
                    "op25b: {} left out: newer ones had taken their place before they could be forwarded",
                    text::events(page.missed)
                ));
            }
            pages.pass(page.next);
            position.write(page.next)?;
        };
        let pause = back_off.failed();
        stderr::line(format_args!(
            "op25b: the connection to {to} has ended ({error}); connecting again in {} s",
            pause.as_secs()
        ));
        sleep(pause).await;
    }
}

/// A collector that is connected.
struct Collector {
    connection: Connection,
    encoder: Encoder,
}

/// What makes messages of events.
enum Encoder {
    Journal,
    Syslog { host: String },
    Ipfix(Session),
}

impl Collector {
    fn new(args: &Args, to: &Destination, connection: Connection) -> anyhow::Result<Self> {
        let Destination::Collector(address) = to else {
            let encoder = Encoder::Journal;
            return Ok(Self { connection, encoder });
        };
        let encoder = match address.format {
            Format::Syslog => {
                let name = fs::read_to_string("/proc/sys/kernel/hostname").context("this host's name")?;
                Encoder::Syslog {
                    host: syslog::host_name(&name),
                }
            }
            Format::Ipfix => Encoder::Ipfix(Session::new(args.domain, address.transport == Transport::Udp)),
        };
        Ok(Self { connection, encoder })
    }

    /// Sends a page.
    async fn send(&mut self, page: &EventPage) -> std::io::Result<()> {
        let messages = match &mut self.encoder {
            Encoder::Journal => page.events.iter().map(journal::entry).collect(),
            Encoder::Syslog { host } => {
                let mut text = Vec::new();
                for event in &page.events {
                    syslog::write(event, host, &mut text);
                }
                vec![text]
            }
            // An interface that is gone has no index any more.
            Encoder::Ipfix(session) => {
                session.messages(page, |name| if_nametoindex(name).unwrap_or_default())
            }
        };
        self.connection.send(&messages).await
    }
}
