//! The environment of a test: a lab, a folder for policies, and op25b on the lab's router.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use op25b::datapath::Interfaces;
use op25b_testlab::{
    filter::Filter,
    lab::{Family, Host, Lab, NetNs, Servers},
    mail::Outcome,
    traffic::Path as Way,
};
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const OP25B: &str = env!("CARGO_BIN_EXE_op25b");

/// How long something may take that is bound to happen, in an emulated machine, too.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How long to wait for an answer that should not come: a lost SYN would have been repeated after a second.
pub const SILENCE: Duration = Duration::from_millis(2500);

/// One pool, two interfaces, nothing else.
pub const SMALL: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: corp0, role: subscriber }
pools: [{ name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }]
";

/// A lab and what belongs to it.
pub struct Scene {
    pub lab: Lab,
    folder: TempDir,
    /// Where commands are told that the store is, unless in the router's place.
    state: Option<PathBuf>,
}

/// A command's output and exit code.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    pub fn new() -> Self {
        let lacks = op25b_testlab::runtime::lacks();
        assert!(lacks.is_empty(), "these tests need {}", lacks.join("; and "));
        let folder = TempDir::new().unwrap();
        // Some tests run op25b as an ordinary user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let lab = Lab::unique("test").unwrap();
        lab.host(Host::Router).keep_state_in_memory().unwrap();
        Self {
            lab,
            folder,
            state: None,
        }
    }

    /// The same whose commands have the store in another directory.
    pub fn with_state(self, directory: PathBuf) -> Self {
        Self {
            state: Some(directory),
            ..self
        }
    }

    pub fn router(&self) -> &NetNs {
        self.lab.host(Host::Router)
    }

    /// A file for this test alone.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a policy.
    pub fn policy(&self, text: &str) -> PathBuf {
        let path = self.path("policy.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts `op25b run` and waits until it enforces.
    pub fn filter(&self, policy: &Path) -> Filter {
        Filter::start(Path::new(OP25B), self.router(), policy).unwrap()
    }

    /// Starts `op25b run` with these arguments and variables besides the policy.
    pub fn filter_with(&self, policy: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Filter {
        let mut command = Command::new(OP25B);
        command.args(["run", "--policy"]).arg(policy).args(arguments);
        command
            .env_remove("JOURNAL_STREAM")
            .envs(variables.iter().copied());
        Filter::start_as(Path::new(OP25B), self.router(), command).unwrap()
    }

    /// Runs op25b on the router to its end.
    pub fn op25b(&self, arguments: &[&str]) -> Answer {
        self.on_router(OP25B, arguments)
    }

    /// Runs any command on the router to its end, which must come.
    pub fn on_router(&self, program: &str, arguments: &[&str]) -> Answer {
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).args(arguments);
        for variable in ["RUST_LOG", "JOURNAL_STREAM"] {
            command.env_remove(variable);
        }
        command.envs(self.router().places());
        command.envs(self.state.iter().map(|state| ("OP25B_STATE_DIR", state)));
        let output = self.router().run(move || Ok(command.output()?)).unwrap();
        output.into()
    }

    /// What the router's daemon answers at its control socket to a request such as `GET /`.
    pub fn ask_daemon(&self, request: &str) -> String {
        self.send_daemon(request, "", "")
    }

    /// The same with headers, each of which ends its line, and a body.
    pub fn send_daemon(&self, request: &str, headers: &str, body: &str) -> String {
        let [_, (_, state), _] = self.router().places();
        let mut stream = UnixStream::connect(state.join("control.sock")).unwrap();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The report of the router's daemon.
    pub fn daemon_report(&self) -> Value {
        let answer = self.ask_daemon("GET /v1/status");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        serde_json::from_str(body).unwrap()
    }

    /// The daemon's report of an interface.
    pub fn interface_report(&self, interface: &str) -> Value {
        let interfaces = self.daemon_report()["interfaces"].clone();
        let mut interfaces = interfaces.as_array().unwrap().iter();
        interfaces
            .find(|found| found["name"] == interface)
            .unwrap()
            .clone()
    }

    /// The id of the XDP program on an interface.
    pub fn program_on(&self, interface: &str) -> Option<u32> {
        let mut attached = self.attached().into_iter();
        attached
            .find(|(name, ..)| name == interface)
            .map(|(.., program)| program)
    }

    /// Configures the router, in `ip`'s words.
    pub fn ip(&self, commands: &[&str]) {
        for words in commands {
            let answer = self.on_router("ip", &words.split(' ').collect::<Vec<_>>());
            assert_eq!(answer.code, Some(0), "ip {words}: {}", answer.stderr);
        }
    }

    /// Every XDP program on the router: its interface, mode and id.
    pub fn attached(&self) -> Vec<(String, &'static str, u32)> {
        let interfaces = self.router().run(|| Ok(Interfaces::list()?));
        let interfaces = interfaces.unwrap();
        let programs = interfaces.iter().flat_map(|interface| {
            let xdp = interface.xdp.iter();
            xdp.map(|xdp| (interface.name.clone(), xdp.mode, xdp.program_id))
        });
        programs.collect()
    }

    /// The interfaces with an XDP program, each with its mode.
    pub fn modes(&self) -> Vec<(String, &'static str)> {
        let attached = self.attached().into_iter();
        attached.map(|(name, mode, _)| (name, mode)).collect()
    }

    /// Tries one way through the lab.
    pub fn attempt(&self, servers: &Servers, way: Way, family: Family) -> Outcome {
        way.attempt(&self.lab, servers, family, PATIENCE).unwrap()
    }

    /// Asserts that the way that op25b is about is blocked, in both families, and counted.
    pub fn assert_blocked(&self, servers: &Servers, filter: &Filter) {
        for family in Family::BOTH {
            let before = filter.count("blocked").unwrap();
            let outcome = Way::DIRECT.attempt(&self.lab, servers, family, SILENCE).unwrap();
            assert_eq!(outcome, Outcome::Silence, "{family:?}");
            assert!(filter.count("blocked").unwrap() > before, "{family:?}");
        }
    }

    /// Asserts that it is blocked, whether or not a daemon runs.
    pub fn assert_blocked_by_someone(&self, servers: &Servers) {
        for family in Family::BOTH {
            let outcome = Way::DIRECT.attempt(&self.lab, servers, family, SILENCE).unwrap();
            assert_eq!(outcome, Outcome::Silence, "{family:?}");
        }
    }

    /// Asserts that the same works, in both families.
    pub fn assert_open(&self, servers: &Servers) {
        for family in Family::BOTH {
            let outcome = self.attempt(servers, Way::DIRECT, family);
            assert_eq!(outcome, Outcome::Works, "{family:?}");
        }
    }
}

/// A file system that is mounted at a place; dropping it unmounts it.
pub struct Mounted(pub PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: it may be in use by a filter that is still to be dropped.
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

impl Answer {
    /// The one JSON document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Asserts that the command was refused, with nothing but one line on stderr.
    #[track_caller]
    pub fn refusal(&self) -> &str {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "");
        let mut lines = self.stderr.lines();
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with("op25b: "), "{self:?}");
        assert_eq!(lines.next(), None, "{self:?}");
        line
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Who asked for each reload that a log tells of, as far as it was done.
pub fn reloads(log: &str) -> Vec<&str> {
    let reloaded = log
        .lines()
        .filter_map(|line| line.split_once(" reloaded asked_by="));
    reloaded
        .filter_map(|(_, rest)| rest.split_once(" policy="))
        .map(|(asked_by, _)| asked_by)
        .collect()
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The policy that comes with the lab.
pub fn lab_policy() -> PathBuf {
    op25b_testlab::paths::workspace().join("policies/lab.yaml")
}
