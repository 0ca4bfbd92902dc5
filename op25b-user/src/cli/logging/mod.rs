//! Log lines on stderr: text on a terminal, with priorities for journald under systemd, or JSON.

mod writer;

use std::{env, fmt, io, io::IsTerminal as _, sync::OnceLock};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, MakeWriter,
        format::{FormatEvent, FormatFields, Writer},
    },
    registry::LookupSpan,
};

use self::writer::Queue;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text, with time and colour on a terminal and with priorities under systemd.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// The lines of a daemon that are not written yet.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts logging for a command, which ends soon. `RUST_LOG` overrides `filter`.
pub fn start(format: Format, filter: &str) {
    start_to(io::stderr, format, filter);
}

/// Starts logging for a daemon: a line that stderr does not take is lost, and the daemon waits for none.
pub fn start_for_daemon(format: Format, filter: &str) {
    match Queue::start(io::stderr()) {
        Ok(queue) => {
            let queue = QUEUE.get_or_init(|| queue);
            start_to(queue.clone(), format, filter);
        }
        // A log that may make the daemon wait is better than none.
        Err(_) => start(format, filter),
    }
}

/// Waits until a daemon's lines so far are written, for a second at most.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush();
    }
}

fn start_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, format: Format, filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would print an error of stderr to stderr, and panic.
        .log_internal_errors(false)
        .with_writer(writer);
    match format {
        Format::Json => builder.json().with_target(false).init(),
        Format::Human if is_read_by_journald() => builder.with_ansi(false).event_format(Journald).init(),
        Format::Human => {
            let colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
            builder.with_target(false).with_ansi(colour).init();
        }
    }
}

/// systemd sets this variable when it connects stderr to the journal (systemd.exec(5)).
fn is_read_by_journald() -> bool {
    env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal()
}

/// Lines for journald: with a priority as prefix (sd-daemon(3)), and without the time, which journald adds.
struct Journald;

impl<S, N> FormatEvent<S, N> for Journald
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
