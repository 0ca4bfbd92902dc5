//! `op25b pause` and `op25b resume`: monitor only for a while, without an edit of the policy.

use std::{io::Write, process::ExitCode};

use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};

use super::{EXIT_FAILED, EXIT_NO, daemon::change, json, paths::Paths, problem, stderr};
use crate::{
    api::{PauseAnswer, PauseRequest, Problem, ResumeRequest},
    report::{how_to_resume, pause_end},
    schema::Schema,
    time::show,
};

/// Monitor only for a while: nothing is blocked, and what would be is counted as monitored.
///
/// This is the brake of a roll-out: the filter that runs monitors at once, before anything is loaded again.
/// Without `--pool`, everything that blocks is paused: all pools, also those that a reload adds meanwhile, sources in no pool
/// (`unlisted: drop`) and TCP that hides its ports (`uninspectable: drop`). The pause lasts until `op25b resume`; with `--for` the
/// program in the kernel ends it by itself before that, whether or not a daemon runs. Reloads, restarts and upgrades of the daemon
/// do not end it. Another pause of the same pool extends or shortens it.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b pause --reason 'OPS-812: mail of all corporate customers fails'
  op25b pause --pool residential --for 4h --reason OPS-812
  op25b resume

Requires root or membership in the group op25b, and a running daemon. Without one, `op25b stop --detach` removes the filter.
Exit codes: 0 paused; 1 refused; 2 failed.")]
pub struct PauseArgs {
    /// Pause this pool only; can be repeated.
    #[arg(long = "pool", value_name = "POOL")]
    pools: Vec<String>,
    /// How long: 24 hours at most. Without it, until `op25b resume`.
    #[arg(long = "for", value_name = "DURATION", value_parser = length)]
    lasts: Option<String>,
    /// The reason, for the log, the record of operations and whoever asks what is paused. It is required.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// End pauses before their time.
///
/// Without `--pool`, all pauses are ended. The pools are enforced then as the policy says.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b resume
  op25b resume --pool residential --reason 'OPS-812: mended'

Exit codes: 0 resumed, or nothing was paused; 1 refused; 2 failed.")]
pub struct ResumeArgs {
    /// Resume this pool only; can be repeated.
    #[arg(long = "pool", value_name = "POOL")]
    pools: Vec<String>,
    /// The reason, for the log and the record of operations, if there is one to give.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

/// The length of a pause, as it was written.
fn length(text: &str) -> Result<String, String> {
    PauseRequest::length(text, Timestamp::now()).map(|_| text.to_owned())
}

pub(super) fn pause(args: &PauseArgs) -> anyhow::Result<ExitCode> {
    let request = PauseRequest {
        pools: args.pools.clone(),
        lasts: args.lasts.clone(),
        reason: args.reason.clone(),
    };
    let answer = change(&args.paths, async |client| client.pause(&request).await)?;
    print(answer, args.json, |_| Ok(()))
}

pub(super) fn resume(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let request = ResumeRequest {
        pools: args.pools.clone(),
        reason: args.reason.clone(),
    };
    let answer = change(&args.paths, async |client| client.resume(&request).await)?;
    print(answer, args.json, |stdout| writeln!(stdout, "nothing is paused"))
}

/// Prints an answer; `if_none` prints what there is to say if nothing is and nothing was paused.
fn print(
    answer: Result<PauseAnswer, Box<Problem>>,
    as_json: bool,
    if_none: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<ExitCode> {
    let answer = match answer {
        Ok(answer) => answer,
        // A 5xx is a failure of the daemon or the kernel, not of the request.
        Err(problem) if problem.status >= 500 => return problem::refuse(&problem, as_json, EXIT_FAILED),
        Err(problem) => return problem::refuse(&problem, as_json, EXIT_NO),
    };
    if as_json {
        json::print(Schema::Pause, &answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = anstream::stdout().lock();
    for warning in &answer.warnings {
        stderr::line(format_args!("op25b: {warning}"));
    }
    write!(stdout, "{}", text(&answer, Timestamp::now(), &TimeZone::system()))?;
    if answer.pauses.is_empty() && answer.ended.is_empty() {
        if_none(&mut stdout)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An answer for people.
fn text(answer: &PauseAnswer, now: Timestamp, time_zone: &TimeZone) -> String {
    let mut lines = Vec::new();
    for pause in &answer.ended {
        lines.push(format!("resumed {}: enforced as the policy says", pause.what()));
    }
    for pause in &answer.pauses {
        let distance = pause
            .until
            .map_or_else(String::new, |until| format!(" ({})", show::distance(now, until)));
        lines.push(format!(
            "PAUSED {} {}{distance}, by {}: {}",
            pause.what(),
            pause_end(pause, time_zone),
            pause.user,
            pause.reason.replace('\n', " ")
        ));
    }
    if let Some(last) = answer.pauses.last() {
        lines.push(format!("  monitored only; {}", how_to_resume(last)));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Pause;

    #[test]
    fn a_length_that_no_pause_has_is_refused_before_the_daemon_is_asked() {
        assert_eq!(length("2h30m").unwrap(), "2h30m");
        let refused = length("25h").unwrap_err();
        assert!(refused.contains("lasts 24 hours at most"), "{refused}");
        assert!(length("soon").is_err());
    }

    #[test]
    fn what_is_paused_and_what_was_resumed_is_said_in_the_systems_zone() {
        let now: Timestamp = "2026-11-28T18:00:00Z".parse().unwrap();
        let pause = Pause {
            pool: Some("residential".to_owned()),
            except: Vec::new(),
            at: now,
            until: "2026-11-28T18:30:00Z".parse().ok(),
            uid: 1000,
            user: "hanako".to_owned(),
            reason: "OPS-812:\nmail fails".to_owned(),
        };
        let endless = Pause {
            until: None,
            ..pause.clone()
        };
        let answer = PauseAnswer {
            ended: vec![Pause {
                pool: None,
                except: vec!["corporate".to_owned()],
                ..pause.clone()
            }],
            pauses: vec![pause],
            warnings: Vec::new(),
        };
        let japan = TimeZone::fixed(jiff::tz::offset(9));
        assert_eq!(
            text(&answer, now, &japan),
            "resumed everything but corporate: enforced as the policy says\n\
             PAUSED pool residential until 2026-11-29 03:30:00 +09:00 (in 30 minutes), by hanako: OPS-812: mail fails\n\
             \u{20} monitored only; `op25b resume` ends it before\n"
        );
        let answer = PauseAnswer {
            pauses: vec![endless],
            ..PauseAnswer::default()
        };
        assert_eq!(
            text(&answer, now, &japan),
            "PAUSED pool residential until it is resumed, since 2026-11-29 03:00:00 +09:00, by hanako: OPS-812: mail fails\n\
             \u{20} monitored only; `op25b resume` ends it\n"
        );
    }
}
