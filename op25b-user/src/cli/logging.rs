//! Log lines on stderr: text on a terminal, with priorities for journald under systemd, or JSON.

use std::{env, fmt, io::IsTerminal as _};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext,
        format::{FormatEvent, FormatFields, Writer},
    },
    registry::LookupSpan,
};

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text, with time and colour on a terminal and with priorities under systemd.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// Starts logging for this process. `RUST_LOG` overrides `filter`.
pub fn start(format: Format, filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        Format::Json => builder.json().with_target(false).init(),
        Format::Human if is_read_by_journald() => builder.with_ansi(false).event_format(Journald).init(),
        Format::Human => {
            let colour = std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
            builder.with_target(false).with_ansi(colour).init();
        }
    }
}

/// systemd sets this variable when it connects stderr to the journal (systemd.exec(5)).
fn is_read_by_journald() -> bool {
    env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal()
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
