//! `op25b events` with `--follow` or `--to`, as somebody leaves it running.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::scene::{Answer, OP25B, PATIENCE, Scene};

/// A process that prints or forwards events; dropping it ends it.
pub struct Follower {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Follower {
    /// Starts one on the router.
    pub fn start(scene: &Scene, words: &[&str]) -> Self {
        Self::run(scene, &[&["--follow"], words].concat())
    }

    /// Starts one with these options only.
    pub fn run(scene: &Scene, words: &[&str]) -> Self {
        Self::command(scene, &[&["events"], words].concat())
    }

    /// Starts another command that somebody leaves running.
    pub fn command(scene: &Scene, words: &[&str]) -> Self {
        Self::with(scene, words, &[])
    }

    /// The same, with environment variables.
    pub fn with(scene: &Scene, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(OP25B);
        command
            .args(words)
            .envs(scene.router().places())
            .envs(variables.iter().copied());
        Self::of(scene, command)
    }

    /// Starts one by any command on the router.
    pub fn of(scene: &Scene, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = scene.router().run(move || Ok(command.spawn()?)).unwrap();
        Self {
            stdout: lines(child.stdout.take().unwrap()),
            stderr: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    /// The next line.
    #[track_caller]
    pub fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    /// The next line on stderr.
    #[track_caller]
    pub fn remark(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).unwrap()
    }

    /// The next event.
    #[track_caller]
    pub fn event(&self) -> Value {
        let line = self.line();
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(event["schema"], "op25b.event/1");
        event
    }

    /// Ends it with a signal; what it printed that was not taken, and how it ended.
    pub fn end(mut self, signal: Signal) -> Answer {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        let [stdout, stderr] =
            [&self.stdout, &self.stderr].map(|lines| lines.iter().collect::<Vec<_>>().join("\n"));
        Answer {
            code: self.child.wait().unwrap().code(),
            stdout,
            stderr,
        }
    }
}

/// The lines of a pipe, as they come.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
