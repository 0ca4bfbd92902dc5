//! `op25b exempt remove --batch` and `--prefix`: removes many exemptions, after it has shown them.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _, stdin},
    process::ExitCode,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    output::{refuse, write_verdict},
    words,
};
use crate::{
    api::{Exemption, RemoveExemptions, RemovedExemptions},
    cli::{EXIT_NO, daemon::change, json, paths::Paths, stderr},
    counted::counted,
    schema::Schema,
};

/// The most exemptions that are shown.
const MOST_SHOWN: usize = 20;

/// How the command was given.
pub(super) struct Options<'a> {
    pub(super) remove: RemoveExemptions,
    /// Whether it was confirmed on the command line.
    pub(super) yes: bool,
    pub(super) json: bool,
    pub(super) paths: &'a Paths,
}

pub(super) fn run(options: Options<'_>) -> anyhow::Result<ExitCode> {
    let Options {
        remove,
        yes,
        json,
        paths,
    } = options;
    let dry = RemoveExemptions {
        dry_run: true,
        ..remove.clone()
    };
    let shown = match change(paths, async |client| client.remove_many(&dry).await)? {
        Ok(shown) => shown,
        Err(problem) => return refuse(&problem, json, None),
    };
    if remove.dry_run {
        if json {
            json::print(Schema::ExemptRemoval, &shown)?;
        } else {
            write!(anstream::stdout().lock(), "{}", list(&shown, Timestamp::now()))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && needs_consent(&shown, remove.prefix.as_deref()) {
        stderr::text(format_args!("{}", list(&shown, Timestamp::now())));
        if !stdin().is_terminal() {
            stderr::line(format_args!(
                "op25b: nothing was removed: with the prefix go others of the same exemption; `--yes` removes all of them"
            ));
            return Ok(EXIT_NO.into());
        }
        if !is_confirmed()? {
            stderr::line(format_args!("op25b: nothing was removed"));
            return Ok(EXIT_NO.into());
        }
    }
    let remove = RemoveExemptions {
        expected: Some(shown.removed),
        ..remove
    };
    let removed = match change(paths, async |client| client.remove_many(&remove).await)? {
        Ok(removed) => removed,
        Err(problem) => return refuse(&problem, json, None),
    };
    if json {
        json::print(Schema::ExemptRemoval, &removed)?;
    } else {
        let mut stdout = anstream::stdout().lock();
        write!(stdout, "{}", list(&removed, Timestamp::now()))?;
        write_verdict(&mut stdout, removed.verdict.as_ref())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether somebody has to say yes: on a terminal to several exemptions; everywhere to more than the prefix that was named.
fn needs_consent(shown: &RemovedExemptions, prefix: Option<&str>) -> bool {
    let has_others = |exemption: &Exemption| exemption.terms.prefixes.len() > 1;
    let is_surprise = prefix.is_some() && shown.exemptions.iter().any(has_others);
    is_surprise || shown.removed > 1 && stdin().is_terminal()
}

fn is_confirmed() -> io::Result<bool> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "Remove? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The number of exemptions, and a line for each.
fn list(removed: &RemovedExemptions, now: Timestamp) -> String {
    let what = if removed.dry_run {
        "would remove"
    } else {
        "removed"
    };
    let line = |exemption: &Exemption| {
        let terms = &exemption.terms;
        let ticket = terms.ticket.as_deref();
        let ticket = ticket.map_or(String::new(), |ticket| {
            format!(", ticket {}", words::printable(ticket))
        });
        format!(
            "  {}  {}: {}, ends {}{ticket}\n",
            exemption.id,
            words::printable(&terms.customer),
            words::nets(&terms.prefixes, " "),
            words::end_from(now, terms.expires_at, &TimeZone::system()),
        )
    };
    let head = format!("{what} {}:\n", counted(removed.removed, "exemption"));
    let lines = removed.exemptions.iter().take(MOST_SHOWN).map(line);
    let more = removed
        .removed
        .saturating_sub(removed.exemptions.len().min(MOST_SHOWN));
    let more = (more > 0).then(|| format!("  and {more} more\n"));
    [head].into_iter().chain(lines).chain(more).collect()
}
