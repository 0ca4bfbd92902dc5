//! A mail client that tries one server once, swaks: how its connection ends with each action.

use std::{process::Command, thread};

use op25b_testlab::lab::{Host, NetNs};

use super::post::{Action, LINES, Post};
use crate::support::scene::Answer;

/// What swaks exits with when it gets no connection.
const NO_CONNECTION: i32 = 2;
/// How long it waits for a connection by default, in seconds.
const USUAL: &str = "30";
const SHORT: &str = "3";

fn swaks(host: &NetNs, server: &str, timeout: &str) -> Answer {
    let mut command = Command::new("timeout");
    command.args([
        "60",
        "swaks",
        "--server",
        server,
        "--port",
        "25",
        "--timeout",
        timeout,
    ]);
    command.args(["--from", "customer@lab.example", "--to", "somebody@lab.example"]);
    command.args(["--helo", "customer.lab.example"]);
    host.run(move || Ok(command.output()?)).unwrap().into()
}

/// Proves how a connection ends, on each kind of line.
fn assert_end(action: Action, timeout: &'static str, words: Option<&str>) {
    let post = Post::new();
    // Side by side: with some actions each takes as long as it waits.
    let on_every_line = || {
        let attempts = LINES.map(|line| {
            let host = post.scene.lab.host(line.host).handle();
            let server = Host::Internet.address(line.family).to_string();
            (line, thread::spawn(move || swaks(&host, &server, timeout)))
        });
        attempts.map(|(line, attempt)| (line, attempt.join().unwrap()))
    };
    for (line, answer) in on_every_line() {
        assert_eq!(
            answer.code,
            Some(0),
            "{} without a filter: {answer:?}",
            line.words
        );
    }
    let filter = post.filter(action);
    for (line, answer) in on_every_line() {
        assert_eq!(answer.code, Some(NO_CONNECTION), "{}: {answer:?}", line.words);
        let words = words.unwrap_or_else(|| action.end(line.family));
        let is_said = answer.stdout.contains(words) || answer.stderr.contains(words);
        assert!(is_said, "{}: not {words}: {answer:?}", line.words);
    }
    assert!(filter.count("blocked").unwrap() >= LINES.len() as u64);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn swaks_is_refused_by_reset() {
    assert_end(Action::RESET, USUAL, None);
}

#[test]
fn swaks_is_refused_by_prohibit() {
    assert_end(Action::PROHIBIT, USUAL, None);
}

#[test]
fn swaks_waits_in_vain_with_drop() {
    // The words of Perl's library for its own timeout.
    assert_end(Action::DROP, SHORT, Some("timeout"));
}
