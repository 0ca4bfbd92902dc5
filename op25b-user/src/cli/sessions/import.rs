//! `op25b sessions import`: import a log of assignments, all of it or nothing.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{refuse, text::summary};
use crate::{
    api::{ImportedSessions, NewSession, Problem, ProblemKind, RowProblem},
    cli::{
        daemon::change_with,
        import_file::{is_stdin, mapping, name},
        json,
        paths::Paths,
        progress::Progress,
        stderr::{self, warn},
    },
    counted::counted,
    schema::Schema,
    session::formats::{self, Format, Options, Outcome},
    time::{Reader, TimeError},
};

/// Import a log of assignments, all of it or nothing.
///
/// What is known already changes nothing: logs can be imported in any order, again, and in parts that overlap. If a row or a
/// record has a mistake, every mistake is reported with its line, and nothing is imported; with `--skip-mistakes` the rest is.
///
/// detail: accounting records of FreeRADIUS. A session is from its Start, or as long before a later record as that says
/// (Acct-Session-Time), to its Stop; without a Stop it is known until its last record. The customer is User-Name; addresses are
/// Framed-IP-Address, Framed-IPv6-Address, Framed-IPv6-Prefix, Delegated-IPv6-Prefix and Framed-Route.
/// kea: the lease file of Kea, DHCPv4 or DHCPv6. The customer is the hardware address or the DUID; `--map customer=hostname`
/// takes another column.
/// csv: a header line with the columns customer, prefixes (or prefix, or address), start and end, and others that are not
/// read. Several prefixes in a cell are separated by blanks, commas or semicolons. Without an end a session is known until `--as-of`.
///
/// Afterwards it says what is conspicuous: sessions without an end, two customers with one address, and gaps.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b sessions import /var/log/freeradius/radacct/192.0.2.1/detail-20260331
  op25b sessions import --map customer=Calling-Station-Id --time-zone Asia/Tokyo detail-20260331
  op25b sessions import /var/lib/kea/kea-leases4.csv
  op25b sessions import --map customer=Login --map prefixes=IP --map start=From --map end=To bras.csv
  zcat detail-202603*.gz | op25b sessions import --format detail --dry-run -

Exit codes: 0 done; 1 refused, with the reason: nothing was imported; 2 failed, for example because no \
daemon runs.")]
pub struct Args {
    /// The file, or - for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The format, if the file name does not begin with detail or kea-leases, nor end with .csv.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Read a field from a column or an attribute with another name, such as customer=Calling-Station-Id; repeatable.
    #[arg(long, value_name = "FIELD=NAME", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// The time zone of times without one, such as Asia/Tokyo or UTC: that of the machine that wrote the log. By default that of
    /// this machine.
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    time_zone: Option<TimeZone>,
    /// Until when sessions without an end are known to have lasted, such as the time at which the table was exported. CSV only.
    #[arg(long, value_name = "TIME", value_parser = as_of)]
    as_of: Option<Timestamp>,
    /// Leave out rows and records with mistakes, and import the rest.
    #[arg(long)]
    skip_mistakes: bool,
    /// Print what would be done without doing it.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// The document that `--json` writes.
#[derive(Serialize)]
struct Document<'i> {
    #[serde(flatten)]
    imported: &'i ImportedSessions,
    /// How many rows or records the log has.
    records: usize,
    /// Those that say nothing about a session.
    left_out: Vec<LeftOut>,
    /// How many had mistakes, and were skipped.
    mistakes: usize,
}

/// Records that say nothing about a session.
#[derive(Serialize)]
struct LeftOut {
    why: &'static str,
    records: usize,
    first_line: u32,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let format = args.format.or_else(|| Format::of(&args.file)).with_context(|| {
        format!(
            "the format of {} is not known from its name: give `--format csv`, `detail` or `kea`",
            name(&args.file)
        )
    })?;
    anyhow::ensure!(
        format == Format::Csv || args.as_of.is_none(),
        "`--as-of` is for CSV: a {} log has the time of each record",
        name(&args.file)
    );
    let time_zone = args.time_zone.clone().unwrap_or_else(TimeZone::system);
    let options = Options::new(format, &args.map, time_zone, args.as_of)?;
    let (outcome, lines) = args.read(format, &options)?;
    if outcome.mistakes.count() > 0 && !args.skip_mistakes {
        return args.report(&outcome);
    }
    args.warn(&outcome);
    let imported = match upload(args, lines)? {
        Ok(imported) => imported,
        Err(problem) => return refuse(&problem, args.json),
    };
    if args.json {
        let left_out = outcome.left_out().map(|(why, records, first_line)| LeftOut {
            why: why.why(),
            records,
            first_line,
        });
        let document = Document {
            imported: &imported,
            records: outcome.records,
            left_out: left_out.collect(),
            mistakes: outcome.mistakes.count(),
        };
        json::print(Schema::SessionImport, &document)?;
    } else {
        warn(&imported.warnings);
        let mut stdout = anstream::stdout().lock();
        for line in summary(&imported, &TimeZone::system()) {
            writeln!(stdout, "{line}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// Reads the log; its sessions are written to a file without a name, so that their number takes no memory.
    fn read(&self, format: Format, options: &Options) -> anyhow::Result<(Outcome, File)> {
        let cannot_read = || format!("cannot read {}", name(&self.file));
        let (log, length): (Box<dyn Read>, Option<u64>) = if is_stdin(&self.file) {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = File::open(&self.file).with_context(cannot_read)?;
            let length = file.metadata().with_context(cannot_read)?.len();
            (Box::new(file), Some(length))
        };
        let progress = Progress::of_bytes("reading", length);
        let mut log: Box<dyn BufRead> = Box::new(BufReader::new(progress.line().reading(log)));
        let cannot_write = "cannot write the sessions to a temporary file";
        let mut lines = BufWriter::new(tempfile::tempfile().context(cannot_write)?);
        let outcome = formats::read(format, &mut log, options, &mut |session| {
            serde_json::to_writer(&mut lines, &NewSession::from(session))?;
            lines.write_all(b"\n")
        })
        .with_context(cannot_read)?;
        let lines = lines
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .context(cannot_write)?;
        Ok((outcome, lines))
    }

    /// Says what is left out.
    fn warn(&self, outcome: &Outcome) {
        let mistakes = &outcome.mistakes;
        if mistakes.count() > 0 {
            stderr::text(format_args!("{}", mistakes.in_file(&name(&self.file))));
            warn(&[format!("{} skipped", counted(mistakes.count(), "mistake"))]);
        }
        let left_out = outcome.left_out().map(|(why, records, line)| {
            let why = why.why();
            match records {
                1 => format!("a record {why} is left out, in line {line}"),
                many => format!("{many} records {why} are left out, the first in line {line}"),
            }
        });
        warn(&left_out.collect::<Vec<_>>());
    }

    /// Reports the mistakes of a log of which nothing is imported.
    fn report(&self, outcome: &Outcome) -> anyhow::Result<ExitCode> {
        let mistakes = &outcome.mistakes;
        if !self.json {
            stderr::text(format_args!("{}", mistakes.in_file(&name(&self.file))));
        }
        let detail = format!(
            "{} has {}; nothing was imported: `--skip-mistakes` imports the rest",
            name(&self.file),
            counted(mistakes.count(), "mistake")
        );
        let mut problem = Problem::new(ProblemKind::Invalid, detail);
        if self.json {
            let rows = mistakes.first().iter();
            problem.rows = rows
                .map(|(line, detail)| RowProblem {
                    line: *line,
                    detail: detail.clone(),
                })
                .collect();
        }
        refuse(&problem, self.json)
    }
}

fn upload(args: &Args, lines: File) -> anyhow::Result<Result<ImportedSessions, Box<Problem>>> {
    let length = lines.metadata().context("cannot read a temporary file")?.len();
    let progress = Progress::of_bytes("sending", Some(length));
    let line = progress.line().clone();
    change_with(progress, &args.paths, async move |client| {
        let sent = Arc::new(move |sent| {
            line.reached(sent);
            if sent == length {
                line.goes_on("the daemon stores them");
            }
        });
        client.import_sessions((lines, length), args.dry_run, sent).await
    })
}

fn time_zone(text: &str) -> anyhow::Result<TimeZone> {
    TimeZone::get(text)
        .with_context(|| format!("there is no time zone {text}; write one such as Asia/Tokyo or UTC"))
}

fn as_of(text: &str) -> Result<Timestamp, TimeError> {
    Reader::new(Timestamp::now(), &TimeZone::system()).beginning(text)
}
