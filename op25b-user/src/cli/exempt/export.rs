//! `op25b exempt export`: write exemptions in a format that `import` reads.

use std::{
    io::{BufWriter, Write as _, stdout},
    process::ExitCode,
};

use anyhow::ensure;
use clap::Args as ClapArgs;

use super::{offline::Offline, output::refuse};
use crate::{
    api::{Exemption, Origin},
    cli::{
        daemon::{Response, ask},
        paths::Paths,
        problem::OUTPUT_FORMAT,
    },
    daemon::client::Listing,
    exemption::formats::{self, CsvOptions, Format, Row, STORE},
    store::State,
};

/// Write the stored exemptions in a format that `import` reads.
///
/// Those that apply are written to stdout. Importing the output on the same router changes nothing. Expired
/// and removed ones are left out, since an import would activate them again; so are those of the policy file, unless
/// `--all` adds them. `op25b exempt list --all --json` lists them all. Those that the policy's pool and prefix-width checks refuse
/// are marked with `force`, so that an import takes them. Without a daemon the store's file is read.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt export > exemptions.csv
  op25b exempt export --all --for-spreadsheet > exemptions.csv
  op25b exempt export --customer 'Example KK'
  op25b exempt export --format yaml             for pasting into a policy file, without `force`
  op25b exempt export | ssh router2 op25b exempt import --format csv -

Exit codes: 0 written; 1 refused, with the reason; 2 failed.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Args {
    /// The output format.
    #[arg(id = OUTPUT_FORMAT, long = "format", value_enum, default_value = "csv", value_name = "FORMAT")]
    format: Format,
    /// Same as `--format json`.
    #[arg(long, conflicts_with = OUTPUT_FORMAT)]
    json: bool,
    /// Write those of the policy file as well, and a column `source` with where each is kept: `store`, or the file and line.
    /// `import` leaves out rows whose source is not `store`.
    #[arg(long)]
    all: bool,
    /// Only exemptions with this in the customer's name; capitals count if it has any.
    #[arg(long, value_name = "TEXT")]
    customer: Option<String>,
    /// Begin CSV with a byte order mark, without which Excel reads it in the encoding of the country.
    #[arg(long, conflicts_with = "json")]
    bom: bool,
    /// Write CSV for a spreadsheet: an apostrophe before each cell that it would compute as a formula, and a byte
    /// order mark, which Excel needs. `import` takes both away again.
    #[arg(long, conflicts_with = "json")]
    for_spreadsheet: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    for (is_given, option) in [(args.for_spreadsheet, "--for-spreadsheet"), (args.bom, "--bom")] {
        ensure!(
            !is_given || args.format == Format::Csv,
            "`{option}` is for `--format csv`"
        );
    }
    let listing = Listing {
        customer: args.customer.clone(),
        ..Listing::default()
    };
    let format = if args.json { Format::Json } else { args.format };
    let exemptions = match ask(&args.paths, async |client| client.list(&listing).await)? {
        Response::Done(exemptions) => exemptions,
        Response::Refused(problem) => return refuse(&problem, format == Format::Json, None),
        Response::NoDaemon => {
            let offline = Offline::open(&args.paths)?;
            offline.say_so();
            offline.list(&listing)?
        }
    };
    let is_written = |exemption: &Exemption| {
        exemption.state == State::Active && (args.all || exemption.origin == Origin::Store)
    };
    let written = exemptions.into_iter().filter(is_written);
    let rows: Vec<_> = written
        .map(|exemption| Row {
            needs_force: exemption.needs_force,
            source: args.all.then(|| source(&exemption)),
            terms: exemption.terms,
        })
        .collect();
    let mut out = BufWriter::new(stdout().lock());
    let options = CsvOptions {
        has_mark: args.bom || args.for_spreadsheet,
        is_guarded: args.for_spreadsheet,
    };
    formats::write(format, &rows, options, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Where an exemption is kept: `store`, or the policy file or list and the line there.
fn source(exemption: &Exemption) -> String {
    match &exemption.place {
        Some(place) => format!("{}:{}", place.file.display(), place.line),
        None => STORE.to_owned(),
    }
}
