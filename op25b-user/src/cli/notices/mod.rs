//! `op25b notices`: a text for each customer whose attempts the history has, made from a template.

mod address;
mod files;
mod merge;
mod template;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use self::{
    address::{Address, Letter},
    files::Draft,
    template::Template,
};
use super::{
    EXIT_NO, EXIT_NOT_RUNNING,
    activity::{History, Selection},
    policy_source, problem, stderr,
};
use crate::{
    api::{Problem, ReadKind},
    counted::counted,
    policy::Policy,
    report::activity::{Class, Customers, Rules, Tallies, Tally},
    session::SessionIndex,
    store::notices::{Notice, Notices, OpenedNotices},
};

/// Write a notice to each customer whose attempts the history has.
///
/// One file for each customer in the directory, made from a template (Jinja), and `notices.csv` for mail merge. Whose attempts
/// they were, the sessions say that were imported; who cannot be named for certain is not written to. Who was written to
/// before is left out, whatever the template was, unless `--all` is given: that is recorded in the state directory, once
/// all files are written.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b notices --template notice.en.txt --out notices --pool residential --since 30d --dry-run
  op25b notices --template notice.ja.txt --out notices --pool residential --since 30d
  op25b notices --template reminder.txt --out reminders --since 14d --all      also those who were written to

Packages have templates in /usr/share/doc/op25b/examples/notices/. A template whose name ends with .txt, .eml or .md is text; in any other \
one, names are escaped for HTML.
Requires root, and sessions (`op25b sessions import`).
Exit codes: 0 written, or nobody is to be written to; 1 there is no such pool, or no reason that the policy requires; 2 failed; 3 no filter is running, and \
no `--policy` is given.")]
pub struct Args {
    /// The template.
    #[arg(long, value_name = "FILE")]
    template: PathBuf,
    /// The directory for the notices; it is made if it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Only customers whose attempts look like this; repeatable.
    #[arg(long = "class", value_enum, value_name = "CLASS")]
    classes: Vec<Class>,
    /// Write to those as well who were written to before.
    #[arg(long)]
    all: bool,
    /// Overwrite files that exist.
    #[arg(long)]
    force: bool,
    /// Say who would be written to, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let template = Template::read(&args.template)?;
    let Some(source) = args.selection.source()? else {
        return problem::refuse(&policy_source::no_policy(), false, EXIT_NOT_RUNNING);
    };
    let pool = match args.selection.pool_of(&source) {
        Ok(pool) => pool,
        Err(why) => return problem::refuse(&Problem::not_found(why), false, EXIT_NO),
    };
    if let Err(problem) = args.selection.note_read(ReadKind::Notices, &source)? {
        return problem::refuse(&problem, false, EXIT_NO);
    }
    let rules = Rules::new(&source.policy, &source.exemptions, now);
    let history = args.selection.history(&rules, pool, now)?;
    let sessions = args.selection.sessions(history.period)?;
    let found = Found::read(args, &history, &sessions)?;
    let before = written_before(&args.selection.state_dir())?.unwrap_or_default();
    let (mut letters, mut left_out) = (Vec::new(), 0);
    for (customer, tally) in &found.customers {
        if !args.classes.is_empty() && !Class::of(tally).is_some_and(|class| args.classes.contains(&class)) {
            continue;
        }
        if before.contains_key(*customer) && !args.all {
            left_out += 1;
            continue;
        }
        letters.push(found.letter(customer, tally, &rules));
    }
    if left_out > 0 {
        stderr::line(format_args!(
            "op25b: left out: {}, written to before; --all writes to them as well",
            counted(left_out, "customer")
        ));
    }
    write(
        args,
        &template,
        &letters,
        &source.policy,
        (history.period.since, now),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Renders and writes the letters, and notes them.
fn write(
    args: &Args,
    template: &Template,
    letters: &[Letter<'_>],
    policy: &Policy,
    (since, now): (Timestamp, Timestamp),
) -> anyhow::Result<()> {
    let time_zone = TimeZone::system();
    let mut drafts = Vec::with_capacity(letters.len() + 1);
    for letter in letters {
        drafts.push(Draft {
            name: template.file_name(letter.customer),
            content: template.render(letter, policy, (since, now), &time_zone)?,
        });
    }
    if args.dry_run {
        for (letter, draft) in letters.iter().zip(&drafts) {
            stderr::line(format_args!("{}: {}", draft.name, letter.summary()));
        }
        println!("{} would be written to", counted(letters.len(), "customer"));
        return Ok(());
    }
    if letters.is_empty() {
        println!("nobody is to be written to");
        return Ok(());
    }
    let names: Vec<_> = drafts.iter().map(|draft| draft.name.clone()).collect();
    drafts.push(Draft {
        name: merge::NAME.to_owned(),
        content: merge::table(letters, &names)?,
    });
    // Before anything is written: what is written and not noted would be written again.
    let OpenedNotices { mut notices, lost } = Notices::open(&args.selection.state_dir())?;
    if let Some(lost) = lost {
        stderr::line(format_args!("op25b: who was written to before is lost: {lost}"));
    }
    files::write(&args.out, &drafts, args.force)?;
    let notice = Notice {
        written: now,
        template: template.digest().to_owned(),
    };
    notices
        .add(letters.iter().map(|letter| letter.customer), &notice)
        .context("the notices are written, but not noted: they would be written again")?;
    println!("{} in {}", counted(letters.len(), "notice"), args.out.display());
    Ok(())
}

/// Who was written to; `None` if nobody ever was.
pub(super) fn written_before(state_dir: &Path) -> anyhow::Result<Option<BTreeMap<String, Notice>>> {
    let notices = Notices::open_to_read(state_dir)?;
    Ok(notices.map(|notices| notices.last()).transpose()?)
}

/// The customers whose attempts were found.
struct Found<'s> {
    customers: Vec<(&'s str, Tally)>,
    /// What each did from each address.
    addresses: BTreeMap<&'s str, Vec<Address>>,
}

impl<'s> Found<'s> {
    fn read(args: &Args, history: &History<'_>, sessions: &'s SessionIndex) -> anyhow::Result<Self> {
        let mut customers = Customers::new(sessions, args.selection.skew);
        let mut tallies = Tallies::new(TimeZone::system());
        let mut by_address: Tallies<(&str, IpNet)> = Tallies::new(TimeZone::system());
        history.each(|bucket, pool| {
            if let Some(customer) = customers.of(bucket) {
                tallies.add(customer, bucket, pool);
                by_address.add((customer, bucket.subscriber), bucket, pool);
            }
        })?;
        for line in super::report::not_attributed(&customers.finish()) {
            stderr::line(format_args!("op25b: nobody is written to for {line}"));
        }
        let mut addresses: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
        for entry in by_address.finish().0 {
            let address = Address {
                subscriber: entry.subscriber,
                pool: entry.pool,
                tally: entry.tally,
            };
            addresses.entry(entry.key.0).or_default().push(address);
        }
        let customers = tallies.finish().0;
        Ok(Self {
            customers: customers
                .into_iter()
                .map(|entry| (entry.key, entry.tally))
                .collect(),
            addresses,
        })
    }

    fn letter<'a>(&'a self, customer: &'a str, tally: &'a Tally, rules: &'a Rules<'_>) -> Letter<'a> {
        let addresses = self.addresses.get(customer).map_or(&[][..], Vec::as_slice);
        Letter::new(customer, tally, addresses, rules)
    }
}
