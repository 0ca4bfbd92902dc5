//! Events in a real journal: Debian's journald, in a mount namespace of its own, and what its journalctl finds there.

use std::{fs, path::PathBuf, process::Command};

use nix::sys::signal::Signal;
use op25b_testlab::paths;
use serde_json::Value;

use super::{
    events,
    follower::Follower,
    forwarded::{Collector, await_forwarded},
    with_events,
};
use crate::{
    records::{FOUR, SIX, line, syn},
    support::scene::{OP25B, Scene, eventually},
};

/// Makes room for a journal in memory beside the places of the router, and becomes journald.
const JOURNALD: &str = "mount -t tmpfs none /etc && echo 0123456789abcdef0123456789abcdef > /etc/machine-id && \
    mkdir $KEPT && mount --bind $OP25B_RUNTIME_DIR $KEPT && mount -t tmpfs none /run && \
    mkdir -p $OP25B_RUNTIME_DIR /run/systemd/journal /run/systemd/journald.conf.d && \
    mount --bind $KEPT $OP25B_RUNTIME_DIR && \
    printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' > /run/systemd/journald.conf.d/test.conf && exec $JOURNALD";

struct Journal<'s> {
    scene: &'s Scene,
    process: Collector,
}

impl<'s> Journal<'s> {
    fn start(scene: &'s Scene) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", JOURNALD])
            .envs(scene.router().places())
            .env("KEPT", scene.path("runtime"))
            .env("JOURNALD", of_systemd("lib/systemd/systemd-journald"))
            .env("LD_LIBRARY_PATH", libraries());
        let journal = Self {
            scene,
            process: Collector::start(scene, command),
        };
        eventually("journald listens", || {
            let socket = journal
                .inside("test")
                .args(["-S", "/run/systemd/journal/socket"])
                .status();
            socket.unwrap().success()
                && !journal
                    .entries(&["SYSLOG_IDENTIFIER=systemd-journald"])
                    .is_empty()
        });
        journal
    }

    /// A command where the journal is that of the machine.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount=/proc/{}/ns/mnt", self.process.id()))
            .arg("--")
            .arg(program)
            .envs(self.scene.router().places());
        command
    }

    /// What `journalctl` finds by fields.
    fn entries(&self, fields: &[&str]) -> Vec<Value> {
        let mut command = self.inside(&of_systemd("bin/journalctl").display().to_string());
        command
            .env("LD_LIBRARY_PATH", libraries())
            .args([
                "--directory=/run/log/journal",
                "--output=json",
                "--all",
                "--quiet",
            ])
            .args(fields);
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A program of the package; some versions have it in `/usr`.
fn of_systemd(program: &str) -> PathBuf {
    let package = paths::unpacked("systemd").unwrap();
    let places = [package.join("usr").join(program), package.join(program)];
    places.into_iter().find(|place| place.is_file()).unwrap()
}

/// The folder of its library.
fn libraries() -> PathBuf {
    let libraries = paths::unpacked("libsystemd-shared").unwrap().join("usr/lib");
    let triples = fs::read_dir(libraries).unwrap();
    let folders = triples.map(|entry| entry.unwrap().path().join("systemd"));
    folders.into_iter().find(|folder| folder.is_dir()).unwrap()
}

#[test]
fn journald_has_an_entry_for_each_event_that_is_found_by_its_fields() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&with_events("{ destination: full }")));
    let journal = Journal::start(&scene);
    let mut command = journal.inside(OP25B);
    command
        .args(["events", "--to", "journal", "--state"])
        .arg(scene.path("position"));
    let forwarder = Follower::of(&scene, command);
    assert_eq!(forwarder.remark(), "op25b: connected to journal");
    let line = line(&scene);
    line.send(&syn(FOUR)).unwrap();
    line.send(&syn(SIX)).unwrap();
    await_forwarded(&scene, 2);
    let entries = || journal.entries(&["SYSLOG_IDENTIFIER=op25b"]);
    eventually("journald has written both", || entries().len() == 2);
    let ended = forwarder.end(Signal::SIGINT);
    assert!(
        ended
            .stderr
            .contains("2 events were forwarded to journal, 0 left out"),
        "{ended:?}"
    );
    for (entry, event) in entries().iter().zip(events(&scene, &[])) {
        assert_eq!(
            [
                &entry["PRIORITY"],
                &entry["SYSLOG_FACILITY"],
                &entry["_TRANSPORT"]
            ],
            ["5", "16", "journal"]
        );
        for (name, value) in event.as_object().unwrap() {
            let shown = match value {
                Value::String(text) => text.clone(),
                Value::Array(flags) => flags.iter().map(|flag| flag.as_str().unwrap()).collect(),
                value => value.to_string(),
            };
            assert_eq!(entry[format!("OP25B_{}", name.to_uppercase())], shown, "{entry}");
        }
    }
    let found = journal.entries(&[&format!("OP25B_SOURCE={FOUR}")]);
    assert_eq!(found.len(), 1, "{found:?}");
    let sentence = found[0]["MESSAGE"].as_str().unwrap();
    assert!(
        sentence.starts_with(&format!("blocked {FOUR} port 40000 to ")),
        "{sentence}"
    );
}
