//! `op25b exempt import`: add many exemptions from a file, all or none.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};

use super::output::refuse;
use crate::{
    api::{ImportExemptions, ImportRow, Imported, Problem, ProblemKind, RowProblem},
    cli::{
        daemon::change_with,
        import_file::{is_stdin, mapping, name},
        json,
        paths::Paths,
        progress::Progress,
        stderr::{self, warn},
    },
    counted::counted,
    exemption::formats::{self, Columns, Contents, Format, Mistakes, SOURCE, STORE},
    schema::Schema,
    time::Reader,
};

/// The most ids of removed exemptions that are named.
const NAMED: usize = 5;

/// Add the exemptions of a file, all or none.
///
/// If a row has an error, every error is reported with its line. Rows that already exist are skipped, so
/// importing a file twice changes nothing; rows that were removed before are added again, and named.
///
/// A CSV file has a header line with the columns customer and prefixes and optionally destinations, ticket,
/// note, expires, force and source, in any order; rows with another source than `store` are left out. Several prefixes in one cell are separated by blanks, commas or semicolons.
/// Lines that begin with # are comments. A YAML file is a list of exemptions in the format of a policy file, without id and created, or a mapping with the
/// key `exemptions:` alone; a JSON file has the same structure. An expiry must be absolute: 90d would have
/// another meaning with each import. Rows that have expired are skipped with a warning. `force: true` skips the
/// pool and prefix-width checks of a row.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt import --dry-run customers.csv
  op25b exempt import customers.csv
  op25b exempt import --map customer='Circuit Name' --map prefixes=CIDR --ignore-unknown-columns ipam.csv
  ssh router1 op25b exempt export | op25b exempt import --format csv -

Exit codes: 0 done; 1 refused, with the reason: nothing was added; 2 failed, for example because no \
daemon runs.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Args {
    /// The file, or - for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The format, if the file name does not end with .csv, .yaml, .yml or .json.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Read a field from a column with another name, such as customer='Circuit Name'; repeatable. CSV only.
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// Skip columns that are no field of an exemption. CSV only.
    #[arg(long)]
    ignore_unknown_columns: bool,
    /// Print what would be done without doing it.
    #[arg(long)]
    dry_run: bool,
    /// Skip the pool and prefix-width checks.
    #[arg(long)]
    force: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let format = args.format.or_else(|| Format::of(&args.file));
    let format = format.with_context(|| {
        format!(
            "the format of {} is not known from its name: give `--format csv`, `yaml` or `json`",
            name(&args.file)
        )
    })?;
    let columns = Columns::of_import(&args.map, args.ignore_unknown_columns)?;
    ensure!(
        format == Format::Csv || columns == Columns::of_import(&[], false)?,
        "`--map` and `--ignore-unknown-columns` are for CSV: {} has keys and not columns",
        name(&args.file)
    );
    let bytes = args.read()?;
    let Contents { mut rows, elsewhere } = match parse(format, &columns, &bytes) {
        Ok(contents) => contents,
        Err(mistakes) => return report(&mistakes, args),
    };
    if elsewhere > 0 {
        warn(&[format!(
            "{} left out, whose `{SOURCE}` is not `{STORE}`: a policy file has them",
            counted(elsewhere, "row")
        )]);
    }
    // The file may be large, and so are the rows.
    drop(bytes);
    for row in &mut rows {
        row.exemption.force |= args.force;
    }
    let answer = if rows.is_empty() {
        Ok(Imported {
            dry_run: args.dry_run,
            added: 0,
            batch: None,
            unchanged: 0,
            lapsed: 0,
            removed_before: 0,
            removed_before_ids: Vec::new(),
            warnings: Vec::new(),
            new_generation: false,
        })
    } else {
        upload(args, rows)?
    };
    match answer {
        Err(problem) => refuse(&problem, args.json, Some(&name(&args.file))),
        Ok(imported) if args.json => {
            json::print(Schema::ExemptImport, &imported)?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(imported) => {
            warn(&imported.warnings);
            let mut stdout = anstream::stdout().lock();
            writeln!(stdout, "{}", summary(&imported))?;
            if imported.new_generation {
                writeln!(
                    stdout,
                    "the exemptions needed a new generation of the filter: loaded, no packet was judged by half of it"
                )?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Args {
    fn read(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = if is_stdin(&self.file) {
            let progress = Progress::of_bytes("reading", None);
            progress
                .line()
                .reading(io::stdin().lock())
                .read_to_end(&mut bytes)
        } else {
            File::open(&self.file).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        read.with_context(|| format!("cannot read {}", name(&self.file)))?;
        Ok(bytes)
    }
}

fn parse(format: Format, columns: &Columns, bytes: &[u8]) -> Result<Contents, Mistakes> {
    let progress = Progress::of_bytes("reading", Some(bytes.len() as u64));
    let time_zone = TimeZone::system();
    let reader = Reader::new(Timestamp::now(), &time_zone);
    formats::read(format, columns, bytes, &reader, &|read| {
        progress.line().reached(read);
    })
}

fn upload(args: &Args, exemptions: Vec<ImportRow>) -> anyhow::Result<Result<Imported, Box<Problem>>> {
    let import = ImportExemptions {
        exemptions,
        dry_run: args.dry_run,
    };
    let progress = Progress::of_bytes("sending", Some(0));
    let line = progress.line().clone();
    change_with(progress, &args.paths, async move |client| {
        client
            .import(&import, |length| {
                line.set_total(length);
                Arc::new(move |sent| {
                    line.reached(sent);
                    if sent == length {
                        line.goes_on("the daemon checks and stores them");
                    }
                })
            })
            .await
    })
}

fn report(mistakes: &Mistakes, args: &Args) -> anyhow::Result<ExitCode> {
    let detail = match mistakes.count() {
        1 => format!("{} has a mistake; nothing was added", name(&args.file)),
        many => format!("{} has {many} mistakes; nothing was added", name(&args.file)),
    };
    if !args.json {
        stderr::text(format_args!("{}", mistakes.in_file(&name(&args.file))));
    }
    let mut problem = Problem::new(ProblemKind::Invalid, detail);
    if args.json {
        problem.rows = mistakes
            .first()
            .iter()
            .map(|(line, detail)| RowProblem {
                line: *line,
                detail: detail.clone(),
            })
            .collect();
    }
    refuse(&problem, args.json, None)
}

fn summary(imported: &Imported) -> String {
    let Imported {
        dry_run,
        added,
        batch,
        unchanged,
        lapsed,
        removed_before,
        removed_before_ids,
        ..
    } = imported;
    let text = if *dry_run {
        let exist = if *unchanged == 1 { "exists" } else { "exist" };
        format!("would add {added}; {unchanged} {exist} already")
    } else {
        format!("added {added}; {unchanged} existed already")
    };
    let text = match lapsed {
        0 => text,
        1 => format!("{text}; 1 has expired"),
        many => format!("{text}; {many} have expired"),
    };
    let text = match (removed_before, &removed_before_ids[..]) {
        (0, _) => text,
        (count, ids) => {
            let named = &ids[..ids.len().min(NAMED)];
            let more = match count - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "{text}\n{count} of them had been removed: {}{more}; `op25b exempt show ID` says by whom and why",
                named.join(", ")
            )
        }
    };
    match batch {
        None => text,
        Some(batch) => format!("{text}\nbatch {batch}"),
    }
}
