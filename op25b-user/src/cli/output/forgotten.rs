//! What was forgotten on request, as text: the same of a subscriber and of a customer.

use std::{io::Write as _, process::ExitCode};

use crate::{
    api::{Forgotten, Problem},
    cli::{problem, stderr::warn},
    counted::counted,
};

/// Prints what was forgotten, or why it was not.
pub(in crate::cli) fn print(outcome: Result<Forgotten, Box<Problem>>) -> anyhow::Result<ExitCode> {
    let forgotten = match outcome {
        Ok(forgotten) => forgotten,
        Err(problem) => return problem::refused(&problem, false),
    };
    let Forgotten {
        records,
        rows,
        events,
        alerts,
        history,
        sessions,
        notices,
        digest,
        warnings,
    } = forgotten;
    let mut stdout = anstream::stdout();
    let from = [
        (records, "record", "the kernel"),
        (events, "event", "the memory of the daemon"),
        (alerts, "alert", "the memory of the daemon"),
        (history, "row", "the history"),
        (sessions, "session", "the sessions"),
        (notices, "notice", "the record of notices"),
        (rows, "row", "what was kept of detached filters"),
    ];
    for (count, what, of) in from.into_iter().filter(|(count, ..)| *count > 0) {
        let count = counted(usize::try_from(count).unwrap_or(usize::MAX), what);
        writeln!(stdout, "removed {count} from {of}")?;
    }
    if from.iter().all(|(count, ..)| *count == 0) {
        writeln!(stdout, "nothing was recorded")?;
    }
    writeln!(stdout, "recorded with the digest {digest}")?;
    warn(&warnings);
    Ok(ExitCode::SUCCESS)
}
