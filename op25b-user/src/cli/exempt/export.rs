//! `op25b exempt export`: write exemptions in the form that `import` reads.

use std::{
    io::{BufWriter, Write as _, stdout},
    process::ExitCode,
};

use clap::Args as ClapArgs;

use super::{
    answer::{Answer, ask, refuse},
    file::{self, Format},
    offline::Offline,
};
use crate::{
    api::{Exemption, Origin},
    cli::places::Places,
    daemon::client::Listing,
    store::State,
};

/// Writes the stored exemptions that hold to stdout, in the form that `op25b exempt import` reads: importing them where they
/// come from changes nothing. Expired and removed ones are left out, since an import would have them hold again; so are
/// those of the policy file. `op25b exempt list --all --json` has them. Without a daemon it reads the store's file.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt export > exemptions.csv
  op25b exempt export --format yaml             to be pasted into a policy file
  op25b exempt export | ssh router2 op25b exempt import --format csv -

Exit codes: 0 written; 1 refused, with the reason; 2 could not be done.")]
pub struct Args {
    /// The form.
    #[arg(long, value_enum, default_value = "csv", value_name = "FORMAT")]
    format: Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let listing = Listing::default();
    let exemptions = match ask(&args.places, async |client| client.list(&listing).await)? {
        Answer::Done(exemptions) => exemptions,
        Answer::Refused(problem) => return refuse(&problem, args.json, None),
        Answer::NoDaemon => {
            let offline = Offline::store_only(&args.places)?;
            offline.say_so();
            offline.list(&listing)?
        }
    };
    let is_stored =
        |exemption: &Exemption| exemption.origin == Origin::Store && exemption.state == State::Active;
    let stored: Vec<_> = exemptions.into_iter().filter(is_stored).collect();
    let format = if args.json { Format::Json } else { args.format };
    let mut out = BufWriter::new(stdout().lock());
    file::write(format, &stored, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
