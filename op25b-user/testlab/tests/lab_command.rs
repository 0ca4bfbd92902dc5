//! `cargo xtask lab`: labs by hand, several at once, and the remains of a killed one.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use op25b_testlab::lab::Host;

/// A lab that is brought down at the end of a test, whatever happens.
struct Named(String);

impl Named {
    fn up(purpose: &str) -> Self {
        let lacks = op25b_testlab::runtime::lacks();
        assert!(lacks.is_empty(), "this test needs {}", lacks.join("; and "));
        let lab = Self(format!("{purpose}-{}", std::process::id()));
        let output = lab.lab("up", &[]);
        assert!(output.status.success(), "{output:?}");
        lab
    }

    fn lab(&self, action: &str, arguments: &[&str]) -> Output {
        lab(&[&[action, "--name", &self.0], arguments].concat())
    }

    fn namespaces(&self) -> usize {
        let exists =
            |host: &Host| Path::new(&format!("/run/netns/op25b-{}-{}", self.0, host.name())).exists();
        Host::ALL.iter().filter(|host| exists(host)).count()
    }

    /// The process that keeps it.
    fn owner(&self) -> i32 {
        let record = fs::read_to_string(format!("/run/op25b-lab/{}", self.0)).unwrap();
        record.split(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.lab("down", &[]);
    }
}

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["60", env!("CARGO_BIN_EXE_testlab"), "lab"])
        .args(arguments);
    command.output().unwrap()
}

#[test]
fn two_labs_at_once_have_their_own_servers_and_end_one_by_one() {
    let (one, other) = (Named::up("one"), Named::up("other"));
    for lab in [&one, &other] {
        assert_eq!(lab.namespaces(), Host::ALL.len());
        // The greeting of a mail server, as seen by hand.
        let talk = "exec 3<>/dev/tcp/203.0.113.25/25; read -r -t 10 line <&3; echo \"$line\"";
        let output = lab.lab("exec", &["subscriber", "bash", "-c", talk]);
        let greeting = String::from_utf8_lossy(&output.stdout);
        assert!(greeting.starts_with("220 mail.lab.example"), "{output:?}");
    }
    let status = one.lab("exec", &["router", "sh", "-c", "exit 7"]).status;
    assert_eq!(status.code(), Some(7));
    let again = one.lab("up", &[]);
    assert_eq!(again.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&again.stderr);
    assert!(
        stderr.contains(&format!("there is a lab named {} already", one.0)),
        "{stderr}"
    );

    assert!(one.lab("down", &[]).status.success());
    assert_eq!(one.namespaces(), 0);
    assert_eq!(other.namespaces(), Host::ALL.len());
    let gone = one.lab("exec", &["router", "true"]);
    assert_eq!(gone.status.code(), Some(2), "{gone:?}");
}

#[test]
fn down_all_removes_a_lab_whose_owner_was_killed_and_leaves_one_in_use_alone() {
    let (killed, used) = (Named::up("killed"), Named::up("used"));
    let owner = killed.owner();
    kill(Pid::from_raw(owner), Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // The process that adopts it may take a moment to reap it; the record distinguishes a zombie from a live process.
    while fs::read_to_string(format!("/proc/{owner}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {owner} does not die");
        thread::sleep(Duration::from_millis(20));
    }
    let output = lab(&["down", "--all"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&format!("{} removed\n", killed.0)), "{text}");
    assert!(
        text.contains(&format!("{} is in use: left alone\n", used.0)),
        "{text}"
    );
    assert_eq!(killed.namespaces(), 0);
    assert_eq!(used.namespaces(), Host::ALL.len());
}
