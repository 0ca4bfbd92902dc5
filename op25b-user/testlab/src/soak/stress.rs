//! The operations on the filter during a soak.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::Signal,
};
use tempfile::TempDir;

use super::{
    leaks::{Holders, is_loaded},
    policies::policy,
};
use crate::{
    filter::Filter,
    interrupt,
    lab::{ACCESS, HOST_END, Host, Lab, NetNs},
    process::output_of,
};

/// How often each thing happens in a full soak.
const RELOADS: usize = 200;
const REFUSALS: usize = 10;
const RECREATIONS: usize = 10;
const KILLS: usize = 30;
/// There and back again is two.
const UPGRADES: usize = 10;
const FULL_DISKS: usize = 5;
/// How long something may take that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many descriptors the maps take that the history's thread reads. It takes over those of another generation some seconds after a
/// reload, and until then the daemon holds both: less than what ten reloads would lose.
const TAKEN_OVER_LATER: usize = 4;
/// By how much memory may differ that is not leaked, in KiB: allocators and caches keep some, and have not found their size
/// after the ten reloads of the short form; and the history notes each of the flood's 131,072 subscribers that it has seen in the
/// open bucket, at up to 160 bytes with the room that a hash map has to spare, and among those blocked a short time ago, at up to 80.
/// What a full soak leaks shows all the same.
const SLACK: u64 = 4096 + 131_072 * (160 + 80) / 1024;

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Churn {
    /// What, and how often.
    pub done: Vec<(&'static str, usize)>,
    /// What was held at the end and not at the start.
    pub leaks: Vec<String>,
    /// How many blocked packets the filter has counted.
    pub blocked_counted: u64,
    /// How long the traffic went on.
    pub under_load: Duration,
}

/// A filter that things happen to.
pub(super) struct Stress<'a> {
    /// Dropped first: the disk that its daemon uses comes after it.
    filter: Option<Filter>,
    lab: &'a Lab,
    builds: [PathBuf; 2],
    build: usize,
    folder: TempDir,
    state: TinyDisk,
    /// Which of the two policies comes next.
    turn: usize,
    /// Every program that was ever seen on an interface.
    programs: BTreeSet<u32>,
    churn: Churn,
}

/// A disk that is soon full; dropping it removes it.
struct TinyDisk(PathBuf);

impl TinyDisk {
    fn mount(at: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir(&at).with_context(|| format!("cannot make {}", at.display()))?;
        mount(
            Some("tmpfs"),
            &at,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("size=1m,nr_inodes=24"),
        )
        .context("cannot mount a tmpfs")?;
        Ok(Self(at))
    }

    fn fill(&self) {
        let mut index = 0;
        // Empty files: what a socket needs is an inode.
        while fs::write(self.file(index), "").is_ok() {
            index += 1;
        }
    }

    fn empty(&self) {
        let mut index = 0;
        while fs::remove_file(self.file(index)).is_ok() {
            index += 1;
        }
    }

    fn file(&self, index: usize) -> PathBuf {
        self.0.join(format!("full-{index}"))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

impl<'a> Stress<'a> {
    /// Starts a filter.
    pub(super) fn start(lab: &'a Lab, builds: [PathBuf; 2]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        let state = TinyDisk::mount(folder.path().join("state"))?;
        let mut stress = Self {
            lab,
            builds,
            build: 0,
            folder,
            state,
            turn: 0,
            filter: None,
            programs: BTreeSet::new(),
            churn: Churn::default(),
        };
        stress.write_next_policy()?;
        stress.run()?;
        Ok(stress)
    }

    /// Lets everything happen to it.
    pub(super) fn churn(&mut self, share: usize) -> anyhow::Result<()> {
        let start = Instant::now();
        let times = |full: usize| full.div_ceil(share);
        let mut before = None;
        // One process: what it loses it loses here.
        let reloads = times(RELOADS);
        for index in 0..reloads {
            // By then each of the daemon's threads has filled its caches.
            if index == reloads / 2 {
                before = Some(self.holders()?);
            }
            self.reload()?;
            if index * times(REFUSALS) / reloads != (index + 1) * times(REFUSALS) / reloads {
                self.be_refused()?;
            }
            if index * times(RECREATIONS) / reloads != (index + 1) * times(RECREATIONS) / reloads {
                self.recreate_interface()?;
            }
        }
        if let Some(before) = before {
            let after = self.holders()?;
            self.compare(&before, &after);
        }
        for _ in 0..times(KILLS) {
            self.kill()?;
        }
        for _ in 0..times(UPGRADES).max(2) {
            self.upgrade()?;
        }
        for _ in 0..times(FULL_DISKS) {
            self.fill_the_disk()?;
        }
        self.churn.done = vec![
            ("reloads, alternating two policies", reloads),
            ("refused policies", times(REFUSALS)),
            ("interfaces deleted and made again", times(RECREATIONS)),
            ("kill -9 and restart", times(KILLS)),
            ("upgrades to another version and layout", times(UPGRADES).max(2)),
            ("full disks", times(FULL_DISKS)),
        ];
        self.churn.under_load = start.elapsed();
        Ok(())
    }

    /// Removes the filter, and looks for what stays.
    pub(super) fn finish(mut self) -> anyhow::Result<Churn> {
        let filter = self.filter.take().context("there is no filter")?;
        let status = filter.status()?;
        self.churn.blocked_counted = status.counters["blocked"] + status.counters["not_pooled"];
        filter.stop()?;
        let deadline = Instant::now() + PATIENCE;
        for program in &self.programs {
            while is_loaded(*program)? {
                if Instant::now() > deadline {
                    self.churn
                        .leaks
                        .push(format!("program {program} is still loaded"));
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(self.churn)
    }

    fn router(&self) -> &NetNs {
        self.lab.host(Host::Router)
    }

    fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    fn write_policy(&self, text: &str) -> anyhow::Result<()> {
        let draft = self.folder.path().join("draft.yaml");
        fs::write(&draft, text).context("cannot write a policy")?;
        fs::rename(draft, self.policy_file()).context("cannot put a policy in its place")
    }

    fn write_next_policy(&mut self) -> anyhow::Result<()> {
        self.write_policy(&policy(self.turn))?;
        self.turn += 1;
        Ok(())
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let program: &Path = &self.builds[self.build];
        let mut command = Command::new(program);
        command
            .args(["--log-format", "json", "run", "--policy"])
            .arg(self.policy_file())
            .env("OP25B_RUNTIME_DIR", &self.state.0)
            .env("OP25B_STATE_DIR", &self.state.0);
        self.filter = Some(Filter::start_as(program, self.router(), command)?);
        self.note_programs()
    }

    fn filter(&self) -> anyhow::Result<&Filter> {
        self.filter.as_ref().context("there is no filter")
    }

    fn note_programs(&mut self) -> anyhow::Result<()> {
        interrupt::check()?;
        let status = self.filter()?.status()?;
        let programs = status.interfaces.iter().map(|interface| interface.program_id);
        self.programs.extend(programs);
        let names: BTreeSet<_> = status
            .interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect();
        ensure!(
            names.contains("sub0") && names.contains("corp0"),
            "the filter does not run everywhere: {names:?}"
        );
        Ok(())
    }

    fn holders(&self) -> anyhow::Result<Holders> {
        let [(_, pins), ..] = self.router().places();
        Holders::of(self.filter()?.pid(), &pins)
    }

    fn compare(&mut self, before: &Holders, after: &Holders) {
        for (what, before, after, spare) in [
            (
                "BPF descriptors",
                before.bpf_descriptors,
                after.bpf_descriptors,
                TAKEN_OVER_LATER,
            ),
            (
                "descriptors",
                before.descriptors,
                after.descriptors,
                TAKEN_OVER_LATER,
            ),
            ("pinned objects", before.pins, after.pins, 0),
        ] {
            println!("    {what}: {before} before, {after} after");
            if after > before + spare {
                self.churn
                    .leaks
                    .push(format!("{what}: {before} before, {after} after"));
            }
        }
        println!(
            "    memory: {} KiB before, {} KiB after",
            before.memory, after.memory
        );
        if after.memory > before.memory + SLACK {
            let leak = format!("memory: {} KiB before, {} KiB after", before.memory, after.memory);
            self.churn.leaks.push(leak);
        }
    }

    fn reload(&mut self) -> anyhow::Result<()> {
        self.write_next_policy()?;
        self.filter()?.reload()?;
        self.note_programs()
    }

    fn be_refused(&mut self) -> anyhow::Result<()> {
        self.write_policy("version: 1\ninterfaces: []\n")?;
        ensure!(
            self.filter()?.reload().is_err(),
            "a policy without interfaces was taken"
        );
        self.write_next_policy()?;
        self.note_programs()
    }

    fn recreate_interface(&mut self) -> anyhow::Result<()> {
        let router = self.router();
        let peer = self.lab.host(Host::Pppoe).name().to_owned();
        let ip = |words: &str| output_of(router.command("ip").args(words.split(' '))).map(drop);
        ip(&format!("link delete {ACCESS}"))?;
        ip(&format!(
            "link add {ACCESS} type veth peer name {HOST_END} netns {peer}"
        ))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.filter()?.status()?;
            if status.interfaces.iter().any(|interface| interface.name == ACCESS) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{ACCESS} is not enforced on again:\n{}", self.filter()?.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.leave(Signal::SIGKILL)?;
        self.write_next_policy()?;
        self.run()
    }

    fn upgrade(&mut self) -> anyhow::Result<()> {
        self.leave(Signal::SIGTERM)?;
        self.build = 1 - self.build;
        self.run()?;
        let log = self.filter()?.log();
        ensure!(
            log.contains("another counter layout: the counters were migrated"),
            "the two builds do not differ in their layout:\n{log}"
        );
        Ok(())
    }

    fn fill_the_disk(&mut self) -> anyhow::Result<()> {
        self.state.fill();
        self.reload()?;
        // A new process finds no room for its socket.
        self.leave(Signal::SIGKILL)?;
        let _ = fs::remove_file(self.state.0.join("control.sock"));
        self.state.fill();
        self.write_next_policy()?;
        self.run()?;
        ensure!(
            self.filter()?.log().contains("there is no control socket"),
            "the disk is not full"
        );
        let done = || Ok::<_, anyhow::Error>(self.filter()?.log().matches("\"reloaded\"").count());
        let before = done()?;
        fs::write(self.policy_file(), policy(self.turn)).context("cannot write a policy")?;
        self.filter()?.signal(Signal::SIGHUP)?;
        let deadline = Instant::now() + PATIENCE;
        while done()? == before {
            ensure!(
                Instant::now() < deadline,
                "it does not reload: {}",
                self.filter()?.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
        self.turn += 1;
        self.state.empty();
        self.note_programs()?;
        self.kill()
    }

    fn leave(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.filter
            .take()
            .context("there is no filter")?
            .leave_by(signal)
            .map(drop)
    }
}
