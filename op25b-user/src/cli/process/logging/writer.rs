//! A writer of log lines that never makes the process wait, and that no error of stderr ends.
//!
//! Stderr may be a closed pipe, a file on a full disk, or the socket of a journal that has stopped reading, on which a write waits
//! for ever. A daemon logs through a thread of its own: a line that cannot be written is lost, and counted.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
    time::Duration,
};

use caps::CapSet;
use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait for stderr.
const QUEUE: usize = 4096;

/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_secs(1);

/// What goes to the thread.
enum Message {
    Line(Vec<u8>),
    /// Everything before this is written, or lost.
    Flush(SyncSender<()>),
}

/// The queue of lines for the thread that writes them.
#[derive(Clone)]
pub(super) struct Queue {
    messages: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// Starts the thread that writes lines to `output`.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (messages, queue) = mpsc::sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&queue, output, &counted))?;
        Ok(Self { messages, lost })
    }

    /// Waits until the lines so far are written, for a second at most.
    pub(super) fn flush(&self) {
        let (sender, done) = mpsc::sync_channel(1);
        if self.messages.try_send(Message::Flush(sender)).is_ok() {
            // After the deadline the lines are lost: stderr does not take them.
            let _ = done.recv_timeout(FLUSH);
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &Queue {
    /// Takes one line: the subscriber writes each with one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.messages.try_send(Message::Line(line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until every sender is gone.
fn write_lines(queue: &Receiver<Message>, mut output: impl Write, lost: &AtomicU64) {
    // Started before the process drops its privileges, of which writing to an open file needs none.
    for set in [
        CapSet::Ambient,
        CapSet::Effective,
        CapSet::Permitted,
        CapSet::Inheritable,
    ] {
        // Without capabilities there is nothing to drop.
        let _ = caps::clear(None, set);
    }
    // Whether the last line was cut off.
    let mut is_torn = false;
    while let Ok(message) = queue.recv() {
        match message {
            Message::Line(line) => {
                let written = if is_torn { output.write_all(b"\n") } else { Ok(()) };
                is_torn = written.and_then(|()| output.write_all(&line)).is_err();
                if is_torn {
                    lost.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let lines = lost.swap(0, Ordering::Relaxed);
                if lines > 0 {
                    warn!(lines, "stderr did not take these lines of the log: they are lost");
                }
            }
            // The process waits for this; if it has given up, that is no error.
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex, PoisonError,
        mpsc::{Sender, channel},
    };

    use super::*;

    /// An output that fails, waits or works as the test says.
    struct Output {
        written: Arc<Mutex<Vec<u8>>>,
        outcomes: Receiver<io::Result<()>>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.outcomes.recv().unwrap_or(Ok(()))?;
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Starts a queue for an output that writes to `written`; each of its writes takes an outcome from the channel.
    fn start(written: &Arc<Mutex<Vec<u8>>>) -> (Queue, Sender<io::Result<()>>) {
        let (sender, outcomes) = channel();
        let output = Output {
            written: Arc::clone(written),
            outcomes,
        };
        (Queue::start(output).unwrap(), sender)
    }

    #[test]
    fn lines_after_an_error_are_written_when_the_output_takes_them_again() {
        let written = Arc::default();
        let (queue, outcomes) = start(&written);
        for outcome in [Ok(()), Err(io::ErrorKind::StorageFull.into())] {
            outcomes.send(outcome).unwrap();
        }
        drop(outcomes);
        for line in ["first\n", "lost\n", "third\n"] {
            (&queue).write_all(line.as_bytes()).unwrap();
        }
        queue.flush();
        let written = written.lock().unwrap();
        // The lost line may have been cut off: the next one begins on a line of its own.
        assert_eq!(String::from_utf8_lossy(&written), "first\n\nthird\n");
    }

    #[test]
    fn nobody_waits_for_an_output_that_takes_nothing() {
        let (queue, outcomes) = start(&Arc::default());
        let lines = QUEUE + 100;
        for line in 0..lines {
            writeln!(&queue, "{line}").unwrap();
        }
        assert!(queue.lost.load(Ordering::Relaxed) >= 99);
        drop(outcomes);
    }
}
