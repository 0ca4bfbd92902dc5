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
    },
    daemon::client::Listing,
    exemption::formats::{self, Format, Row},
    store::State,
};

/// Write the stored exemptions in a format that `import` reads.
///
/// Those that apply are written to stdout. Importing the output on the same router changes nothing. Expired
/// and removed ones are left out, since an import would activate them again; so are those of the policy file.
/// `op25b exempt list --all --json` lists them all. Those that the policy's pool and prefix-width checks refuse
/// are marked with `force`, so that an import takes them. Without a daemon the store's file is read.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt export > exemptions.csv
  op25b exempt export --for-spreadsheet > exemptions.csv
  op25b exempt export --format yaml             for pasting into a policy file, without `force`
  op25b exempt export | ssh router2 op25b exempt import --format csv -

Exit codes: 0 written; 1 refused, with the reason; 2 failed.")]
pub struct Args {
    /// The output format.
    #[arg(long, value_enum, default_value = "csv", value_name = "FORMAT")]
    format: Format,
    /// Same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Write CSV for a spreadsheet: an apostrophe before each cell that it would compute as a formula, and a byte
    /// order mark, which Excel needs. `import` takes both away again.
    #[arg(long, conflicts_with = "json")]
    for_spreadsheet: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.for_spreadsheet || args.format == Format::Csv,
        "`--for-spreadsheet` is for `--format csv`"
    );
    let listing = Listing::default();
    let exemptions = match ask(&args.paths, async |client| client.list(&listing).await)? {
        Response::Done(exemptions) => exemptions,
        Response::Refused(problem) => return refuse(&problem, args.json, None),
        Response::NoDaemon => {
            let offline = Offline::open(&args.paths)?;
            offline.say_so();
            offline.list(&listing)?
        }
    };
    let is_stored =
        |exemption: &Exemption| exemption.origin == Origin::Store && exemption.state == State::Active;
    let stored = exemptions.into_iter().filter(is_stored);
    let rows: Vec<_> = stored
        .map(|exemption| Row {
            needs_force: exemption.needs_force,
            terms: exemption.terms,
        })
        .collect();
    let format = if args.json { Format::Json } else { args.format };
    let mut out = BufWriter::new(stdout().lock());
    if args.for_spreadsheet {
        formats::write_for_spreadsheet(&rows, &mut out)?;
    } else {
        formats::write(format, &rows, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
