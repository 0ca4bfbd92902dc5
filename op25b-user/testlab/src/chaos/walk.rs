//! A walk: a lab with a daemon in it, to which rounds of faults happen.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::{
    chaos::{
        apply::Undo,
        evidence::{reports::Sampler, rules::Window},
        faults::{Interface, Round},
        moment::Moment,
        outcome::{Limits, Outcome},
        stage::{
            clock::Clock,
            daemon::{Answer, Daemon, Service},
            network::Network,
            policy,
            store_files::StoreFiles,
            traffic::{Traffic, customers},
        },
    },
    disk::Disk,
    interrupt,
    lab::{Host, Lab},
};

/// How large the state directory's disk is, in MiB.
const DISK: u64 = 48;
/// How long a packet may be on its way, at most.
pub(super) const SETTLE: Duration = Duration::from_millis(400);
/// How many rounds' windows are kept.
const KEPT_WINDOWS: usize = 50;
/// How long a command may take.
pub(super) const COMMAND: Duration = Duration::from_secs(20);

/// A lab, a daemon and everything that a walk does to them.
pub struct Walk {
    // In the order in which they have to go: traffic, then the daemon, its disk, its network.
    pub(super) sampler: Sampler,
    pub(super) traffic: Traffic,
    pub(super) daemon: Option<Daemon>,
    /// Whether it has answered since it was started: from then on it does not end by itself.
    pub(super) has_answered: bool,
    /// Killed, but not gone: a frozen disk holds them.
    pub(super) dying: Vec<Daemon>,
    pub(super) disk: Disk,
    pub(super) network: Network,
    pub(super) service: Arc<Service>,
    pub(super) store: StoreFiles,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    /// How often another process interfered with an interface since the daemon was started.
    pub(super) interferences: BTreeMap<Interface, usize>,
    /// The ids of exemptions that were added and can be removed.
    pub(super) added: Vec<String>,
    /// A number for each exemption and each policy.
    pub(super) number: u64,
    /// The policy's names of the interfaces.
    pub(super) names: Vec<String>,
    /// From when on one of its pools is enforced.
    date: String,
    pub(super) outcome: Outcome,
    pub(super) windows: Vec<Window>,
    /// Until when packets were compared with reports.
    pub(super) examined: Moment,
    folder: TempDir,
    _lab: Lab,
}

impl Walk {
    /// Brings a lab up with a daemon that enforces everywhere.
    pub fn start(op25b: PathBuf, limits: Limits) -> anyhow::Result<Self> {
        let lab = Lab::unique("chaos")?;
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        let network = Network::of(&lab)?;
        let disk = Disk::new(DISK)?;
        let state = disk.path().join("state");
        fs::create_dir(&state).with_context(|| format!("cannot make {}", state.display()))?;
        let clock = Clock::new(folder.path())?;
        let mut variables = vec![("OP25B_STATE_DIR".into(), state.clone().into())];
        variables.extend(clock.variables());
        let service = Arc::new(Service {
            op25b,
            router: lab.host(Host::Router).handle(),
            policy: folder.path().join("policy.yaml"),
            variables,
            log: Arc::new(Mutex::new(Vec::new())),
        });
        let mut walk = Self {
            sampler: Sampler::start(&service),
            traffic: Traffic::start(&lab)?,
            daemon: None,
            has_answered: false,
            dying: Vec::new(),
            disk,
            network,
            store: StoreFiles::of(&state, folder.path())?,
            service,
            clock,
            limits,
            interferences: BTreeMap::new(),
            added: Vec::new(),
            number: 0,
            names: Interface::all().map(|one| one.name().to_owned()).collect(),
            date: "2020-01-01".to_owned(),
            outcome: Outcome::default(),
            windows: Vec::new(),
            examined: Moment::default(),
            folder,
            _lab: lab,
        };
        walk.prepare()
            .with_context(|| format!("cannot begin; the daemon's log:\n{}", walk.log(20)))?;
        Ok(walk)
    }

    /// Has everything enforced, and every customer exempt.
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.write_policy(&self.policy(0))?;
        // The faults begin with the daemon.
        let mut everything = Self::window(&Round::default());
        everything.interfaces = Interface::all().collect();
        everything.loses_exemptions = true;
        self.windows.push(everything);
        self.start_daemon()?;
        self.recover(&Round::default())?;
        self.exempt_customer("198.18.0.200/32")?;
        self.store.copy_for_later()?;
        self.import_customers()?;
        self.reach_date()?;
        let enforced = self.recover(&Round::default())?;
        let window = self.windows.last_mut().context("no window")?;
        window.until = Some(enforced);
        thread::sleep(SETTLE);
        self.examined = Moment::now();
        Ok(())
    }

    /// Has the date of a pool reached while the daemon runs: from then on it holds, whatever the clock says. A date that was past
    /// at the start counts as reached only after ten minutes.
    pub(super) fn reach_date(&mut self) -> anyhow::Result<()> {
        /// How long before.
        const SOON: Duration = Duration::from_secs(2);
        /// What the daemon logs.
        const REACHED: &str = "date is reached";
        let reached = |walk: &Self| walk.log(usize::MAX).matches(REACHED).count();
        let before = reached(self);
        let date = Timestamp::now() + SOON;
        self.date = date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.write_policy(&self.policy(0))?;
        self.ask(&["reload"])?;
        let deadline = Instant::now() + SOON + self.limits.recover;
        while reached(self) == before {
            ensure!(Instant::now() < deadline, "the date of a pool is not reached");
            interrupt::check()?;
            thread::sleep(SETTLE);
        }
        // The filter is loaded without the date, and the record is written.
        self.ask(&["reload"])?;
        thread::sleep(SETTLE);
        Ok(())
    }

    /// The policy for the present names.
    pub(super) fn policy(&self, variant: u64) -> String {
        policy(&self.names, &self.date, variant)
    }

    fn exempt_customer(&self, prefix: &str) -> anyhow::Result<()> {
        let answer = self.ask(&["exempt", "add", prefix, "--customer", "Customer"])?;
        ensure!(
            answer.as_ref().is_some_and(|answer| answer.code == Some(0)),
            "a customer cannot be exempted: {answer:?}"
        );
        Ok(())
    }

    /// Adds the customers that are not exempt.
    pub(super) fn import_customers(&self) -> anyhow::Result<()> {
        let mut rows = String::from("customer,prefixes\n");
        for customer in customers() {
            writeln!(rows, "Customer,{customer}/32")?;
        }
        let file = self.folder.path().join("customers.csv");
        fs::write(&file, rows).context("cannot write a file to import")?;
        let answer = self.ask(&["exempt", "import", &file.to_string_lossy()])?;
        ensure!(
            answer.as_ref().is_some_and(|answer| answer.code == Some(0)),
            "customers cannot be imported: {answer:?}"
        );
        Ok(())
    }

    /// Makes the faults of a round, checks, undoes them and checks again.
    pub fn round(&mut self, round: &Round) -> anyhow::Result<()> {
        interrupt::check()?;
        self.traffic.check()?;
        self.outcome.begin(round);
        let window = Self::window(round);
        self.windows.push(window);
        if self.windows.len() > KEPT_WINDOWS {
            self.windows.remove(0);
        }
        let mut undos = Vec::new();
        let made = self.make(round, &mut undos);
        let stood = made.and_then(|()| self.check_standing(round));
        // Whatever was found, what was done is undone.
        let mut undone = Ok(());
        while let Some(undo) = undos.pop() {
            let done = self.undo(undo);
            undone = undone.and(done);
        }
        stood?;
        undone?;
        let enforced = self.recover(round)?;
        self.windows.last_mut().context("no window")?.until = Some(enforced);
        self.check_pins()?;
        self.check_exemptions(round)?;
        thread::sleep(SETTLE);
        self.examine(round)?;
        self.outcome.end();
        Ok(())
    }

    fn make(&mut self, round: &Round, undos: &mut Vec<Undo>) -> anyhow::Result<()> {
        for fault in &round.0 {
            interrupt::check()?;
            self.outcome.step(&fault.to_string());
            let undo = self.apply(*fault, round)?;
            undos.extend(undo);
            if let Some(interface) = fault.interferes() {
                *self.interferences.entry(interface).or_default() += 1;
            }
        }
        Ok(())
    }

    fn window(round: &Round) -> Window {
        Window {
            from: Moment::now(),
            until: None,
            interfaces: round.opens(),
            loses_exemptions: !round.keeps_exemptions(),
        }
    }

    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<Option<Answer>> {
        self.service.ask(COMMAND, arguments)
    }

    pub(super) fn write_policy(&self, text: &str) -> anyhow::Result<()> {
        let draft = self.folder.path().join("draft.yaml");
        fs::write(&draft, text).context("cannot write a policy")?;
        fs::rename(draft, &self.service.policy).context("cannot put a policy in its place")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn start_daemon(&mut self) -> anyhow::Result<()> {
        self.interferences.clear();
        self.daemon = Some(self.service.start()?);
        self.has_answered = false;
        Ok(())
    }

    /// Ends the daemon by a signal. One that cannot end yet is waited for later.
    pub(super) fn end_daemon(&mut self, signal: Signal) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else {
            return Ok(());
        };
        daemon.signal(signal)?;
        if !daemon.await_end(self.limits.agree)? {
            self.dying.push(daemon);
        }
        Ok(())
    }

    /// Forgets processes that have ended.
    pub(super) fn reap(&mut self) -> anyhow::Result<()> {
        let mut left = Vec::new();
        for mut daemon in self.dying.drain(..) {
            if daemon.ended()?.is_none() {
                left.push(daemon);
            }
        }
        self.dying = left;
        Ok(())
    }

    /// The last lines of the daemon's log.
    pub fn log(&self, lines: usize) -> String {
        self.service.log_tail(lines)
    }

    /// The outcome so far.
    pub fn into_outcome(mut self) -> Outcome {
        std::mem::take(&mut self.outcome)
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        // A daemon that waits for the disk could not end.
        let _ = self.disk.thaw();
    }
}
