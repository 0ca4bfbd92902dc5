//! Following events: asking for the next ones until a signal, or until nobody reads what is printed.

use std::{
    io::{self, Write as _},
    os::fd::{AsFd as _, BorrowedFd},
    process::ExitCode,
    time::Duration,
};

use jiff::tz::TimeZone;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::time::sleep;

use super::{Args, text};
use crate::{
    cli::{
        daemon::block_on,
        ending::ended,
        json,
        pages::{Answer, MOST, Pages},
        problem, stderr,
        table::{self, Growing},
    },
    daemon::client::{Client, EventFilter},
    report::{Event, EventCount, EventPage},
    schema::Schema,
};

/// How often it is looked whether anybody reads.
const PAUSE: Duration = Duration::from_secs(1);

/// Where events go.
struct Printer<'a> {
    args: &'a Args,
    table: Growing<'static, Event, TimeZone>,
    time_zone: TimeZone,
    /// The columns that were said to be left out.
    left_out: Vec<&'static str>,
}

/// Prints a page, and the events that follow.
pub(super) fn follow(args: &Args, filter: &EventFilter, first: EventPage) -> anyhow::Result<ExitCode> {
    block_on(async {
        let begun = first.counts.clone();
        let mut printer = Printer::new(args);
        let mut counts = first.counts.clone();
        let refused = tokio::select! {
            refused = print_all(&mut printer, filter, first, &mut counts) => Some(refused?),
            closed = stdout_closed() => return Err(closed.into()),
            ended = ended() => {
                ended?;
                None
            }
        };
        if let Some(refused) = refused {
            return Ok(refused);
        }
        stderr::line(text::counted_meanwhile(&begun, &counts, args.reason));
        Ok(ExitCode::SUCCESS)
    })?
}

/// Prints events until the daemon refuses them.
async fn print_all(
    printer: &mut Printer<'_>,
    filter: &EventFilter,
    first: EventPage,
    counts: &mut Vec<EventCount>,
) -> anyhow::Result<ExitCode> {
    let client = Client::new(&printer.args.paths.runtime_dir);
    let mut pages = Pages::after(first.next, MOST, async |asked| client.events(filter, asked).await);
    printer.print(&first)?;
    loop {
        match pages.next().await? {
            Answer::Page(page) => {
                if !page.counts.is_empty() {
                    counts.clone_from(&page.counts);
                }
                printer.print(&page)?;
                pages.pass(page.next);
            }
            Answer::Refused(problem) => return problem::refused(&problem, printer.args.json),
        }
    }
}

impl<'a> Printer<'a> {
    fn new(args: &'a Args) -> Self {
        Self {
            args,
            table: Growing::new(&text::COLUMNS),
            time_zone: TimeZone::system(),
            left_out: Vec::new(),
        }
    }

    /// Prints a page.
    fn print(&mut self, page: &EventPage) -> io::Result<()> {
        if page.missed > 0 {
            stderr::line(format_args!(
                "op25b: {} left out: newer ones had taken their place before they were read",
                text::events(page.missed)
            ));
        }
        if page.events.is_empty() {
            return Ok(());
        }
        if self.args.json {
            let mut out = io::BufWriter::new(io::stdout().lock());
            for event in &page.events {
                json::write_line(&mut out, Schema::Event, event)?;
            }
            return out.flush();
        }
        let look = self.args.table.look();
        let table = self.table.text(&page.events, &self.time_zone, look);
        table::write(&table)?;
        if table.left_out != self.left_out {
            self.left_out = table.left_out;
            if !self.left_out.is_empty() {
                stderr::line(table::left_out(&self.left_out));
            }
        }
        Ok(())
    }
}

/// Waits until nobody reads what is printed, which a write would show only with the next event.
async fn stdout_closed() -> io::Error {
    loop {
        if is_closed(io::stdout().as_fd()) {
            return io::ErrorKind::BrokenPipe.into();
        }
        sleep(PAUSE).await;
    }
}

/// Whether the other end of a pipe or a socket is closed. A file has none.
fn is_closed(fd: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(fd, PollFlags::empty())];
    let ended = PollFlags::POLLERR | PollFlags::POLLHUP;
    poll(&mut asked, PollTimeout::ZERO).is_ok()
        && asked[0].revents().is_some_and(|found| found.intersects(ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_closed_once_its_reader_is_gone() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!is_closed(writer.as_fd()));
        drop(reader);
        assert!(is_closed(writer.as_fd()));
        assert!(!is_closed(std::fs::File::open("/dev/null").unwrap().as_fd()));
    }
}
