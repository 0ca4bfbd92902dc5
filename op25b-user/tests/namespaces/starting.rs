//! Signals that arrive while `op25b run` starts.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Instant,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

use crate::support::scene::{OP25B, PATIENCE, SMALL, Scene, eventually};

/// An `op25b run` that waits for the text of its policy: the file is a pipe.
struct Starting {
    child: Child,
    log: PathBuf,
    text: File,
    policy: PathBuf,
}

impl Starting {
    fn on(scene: &Scene) -> Self {
        let policy = scene.path("policy.yaml");
        mkfifo(&policy, Mode::S_IRWXU).unwrap();
        let log = scene.path("log");
        let mut command = Command::new(OP25B);
        command.args(["run", "--policy"]).arg(&policy);
        command.envs(scene.router().places());
        command.env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let child = scene.router().run(move || Ok(command.spawn()?)).unwrap();
        // Opening a pipe for writing waits for its reader.
        let text = File::options().write(true).open(&policy).unwrap();
        Self {
            child,
            log,
            text,
            policy,
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Gives it the policy that it waits for. From now on the file is an ordinary one.
    fn write(&mut self, text: &str) {
        let ordinary = self.policy.with_extension("new");
        fs::write(&ordinary, text).unwrap();
        fs::rename(&ordinary, &self.policy).unwrap();
        self.text.write_all(text.as_bytes()).unwrap();
        // The end of the text.
        self.text = File::open("/dev/null").unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it runs on: {}", self.log());
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Removes what a daemon left; dropping it happens after the daemon's end.
struct Detached<'a>(&'a Scene);

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        self.0.op25b(&["stop", "--detach"]);
    }
}

#[test]
fn sighup_during_the_start_is_a_reload_once_the_policy_is_enforced() {
    let scene = Scene::new();
    let _detached = Detached(&scene);
    let mut starting = Starting::on(&scene);
    starting.signal(Signal::SIGHUP);
    starting.write(SMALL);
    eventually("it has reloaded", || starting.log().contains(" reloaded "));
    assert_eq!(scene.modes().len(), 2, "{}", starting.log());
    starting.signal(Signal::SIGTERM);
    assert_eq!(starting.wait().code(), Some(0));
}

#[test]
fn sigterm_during_the_start_ends_it_before_anything_is_changed() {
    let scene = Scene::new();
    let _detached = Detached(&scene);
    let mut starting = Starting::on(&scene);
    starting.signal(Signal::SIGTERM);
    starting.write(SMALL);
    assert_eq!(starting.wait().code(), Some(0), "{}", starting.log());
    assert!(starting.log().contains("stopping"), "{}", starting.log());
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_start_that_fails_is_a_failure_whatever_signal_came_before() {
    for signal in [Signal::SIGHUP, Signal::SIGTERM] {
        let scene = Scene::new();
        let mut starting = Starting::on(&scene);
        starting.signal(signal);
        starting.write("version: 2\n");
        assert_eq!(starting.wait().code(), Some(2), "{signal}: {}", starting.log());
    }
}
