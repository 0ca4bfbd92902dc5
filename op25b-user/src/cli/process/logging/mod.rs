//! Log lines on stderr: text on a terminal, with priorities for journald under systemd, or JSON.

mod writer;

use std::{env, fmt, io, io::IsTerminal as _, sync::OnceLock};

use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{
        FmtContext, MakeWriter,
        format::{FormatEvent, FormatFields, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use self::writer::Queue;
use crate::recent_warnings::RecentWarnings;

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
    let lines = tracing_subscriber::fmt::layer()
        // It would print an error of stderr to stderr, and panic.
        .log_internal_errors(false)
        .with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Json => lines.json().with_target(false).boxed(),
        Format::Human if is_read_by_journald() => lines.with_ansi(false).event_format(Journald).boxed(),
        Format::Human => {
            let colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
            lines.with_target(false).with_ansi(colour).boxed()
        }
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        // Whatever the log leaves out.
        .with(RecentWarnings::of_this_process().with_filter(LevelFilter::WARN))
        .init();
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
