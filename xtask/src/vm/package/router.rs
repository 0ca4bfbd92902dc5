//! The router of the test: the machine, its wires, and the table of what happened on them.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::super::{
    image::Image,
    kernel::Kernel,
    machine::{Machine, Nic, Options},
    table::Table,
    wire::{Traffic, Wires},
};

/// How long after a boot, or anything else, the router may take to pass packets on.
const FORWARDING: Duration = Duration::from_mins(10);

/// The places in the guest where frames can be dropped, each with a counter of its own.
const DROPS: &str =
    "ip -s link show dev sub0; ip -s link show dev up0; tc -s qdisc show dev up0; cat /proc/net/softnet_stat
    ethtool -S sub0 | grep -v ': 0$'; op25b status";

/// What is expected of the frames of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing is blocked and nothing lost.
    Open,
    /// Everything to port 25 is blocked, and nothing else lost.
    Enforced,
    /// Everything to port 25 is blocked; the router does not forward all the time.
    EnforcedOrDown,
    /// From open to enforced or back: nothing else is lost.
    Changes,
    /// An interface that appears is open until the filter runs on it: for at most so many SYNs.
    Gap(u32),
}

impl Expected {
    fn words(self) -> String {
        match self {
            Self::Open => "all pass".into(),
            Self::Enforced => "0 leaked, 0 lost".into(),
            Self::EnforcedOrDown => "0 leaked".into(),
            Self::Changes => "0 lost".into(),
            Self::Gap(most) => format!("at most {most} leaked"),
        }
    }

    const fn holds(self, traffic: Traffic) -> bool {
        let Traffic {
            blocked,
            leaked,
            lost,
            ..
        } = traffic;
        match self {
            Self::Open => leaked == blocked && lost == 0,
            Self::Enforced => leaked == 0 && lost == 0,
            Self::EnforcedOrDown => leaked == 0,
            Self::Changes => lost == 0,
            Self::Gap(most) => leaked <= most,
        }
    }
}

/// The router.
#[derive(Debug)]
pub struct Router {
    machine: Machine,
    wires: Wires,
    /// The package, and the newer one.
    packages: [PathBuf; 2],
    table: Table,
    failures: Vec<String>,
}

impl Router {
    /// Boots it, and waits until it forwards.
    pub fn boot(image: &Image, kernel: Kernel, packages: [PathBuf; 2]) -> anyhow::Result<Self> {
        let mut wires = Wires::new()?;
        let options = Options {
            wires: Some(wires.directory().to_owned()),
            shares: packages
                .iter()
                .filter_map(|package| package.parent().map(Path::to_path_buf))
                .collect(),
            label: None,
        };
        let mut machine = Machine::start(image, kernel, &options)?;
        wires.start()?;
        machine.wait_until_booted()?;
        let mut router = Self {
            machine,
            wires,
            packages,
            table: Table::new(&["step", "expected", "to 25", "leaked", "to 587", "lost", ""]),
            failures: Vec::new(),
        };
        router.wait_until_it_forwards()?;
        Ok(router)
    }

    /// The package, or the newer one.
    pub fn package(&self, newer: bool) -> String {
        self.packages[usize::from(newer)].display().to_string()
    }

    /// Does something while the subscriber sends, and at least until so many frames were sent; an error is a step that failed.
    pub fn step(
        &mut self,
        name: &str,
        expected: Expected,
        frames: u32,
        act: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) {
        println!("==> {name}");
        let start = self.wires.now();
        let result = act(self);
        let mut end = self.wires.now();
        let deadline = Instant::now() + FORWARDING;
        while end.frames_since(start) < frames && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(100));
            end = self.wires.now();
        }
        let traffic = self.wires.between(start, end);
        let holds = expected.holds(traffic);
        if let Err(error) = &result {
            self.failures.push(format!("{name}: {error:#}"));
        }
        if !holds {
            self.failures
                .push(format!("{name}: expected {}, got {traffic:?}", expected.words()));
        }
        let good = holds && result.is_ok();
        self.table.row(&[
            name.into(),
            expected.words(),
            traffic.blocked.to_string(),
            traffic.leaked.to_string(),
            traffic.allowed.to_string(),
            match expected {
                Expected::EnforcedOrDown | Expected::Gap(_) => "down".into(),
                Expected::Open | Expected::Enforced | Expected::Changes => traffic.lost.to_string(),
            },
            if good { "ok" } else { "FAILED" }.into(),
        ]);
        if !good {
            println!("FAILED {}", self.failures.last().map_or("", String::as_str));
            println!("{}", self.wires.losses(start, end));
            // Where a frame was lost: before the filter, in it, or after it.
            let drops = self
                .machine
                .run(DROPS)
                .map_or_else(|error| error.to_string(), |answer| answer.text);
            println!("{drops}");
        }
    }

    /// Checks something that has nothing to do with frames.
    pub fn check(&mut self, sentence: &str, script: &str) {
        let result = self.machine.run(script);
        match result {
            Ok(answer) if answer.is_good() => println!("ok {sentence}"),
            Ok(answer) => {
                println!("FAILED {sentence}\n{}", answer.text);
                self.failures.push(format!("{sentence}:\n{}", answer.text));
            }
            Err(error) => self.failures.push(format!("{sentence}: {error:#}")),
        }
    }

    /// What a script prints that has to succeed.
    pub fn output(&mut self, script: &str) -> anyhow::Result<String> {
        self.machine.output(script)
    }

    /// Runs a script that has to fail; what it prints.
    pub fn refused(&mut self, script: &str) -> anyhow::Result<String> {
        let answer = self.machine.run(script)?;
        if answer.is_good() {
            bail!("this did not fail:\n{script}\n{}", answer.text);
        }
        Ok(answer.text)
    }

    /// Runs a condition again and again until it holds.
    pub fn wait(&mut self, what: &str, limit: Duration, condition: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let answer = self.machine.run(condition)?;
            if answer.is_good() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{what} did not happen in time: {}", answer.text);
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Sends so many of each flow at once.
    pub fn send_at_once(&self, burst: u32) {
        self.wires.send_at_once(burst);
    }

    /// Waits until what the subscriber sends to the other port arrives.
    pub fn wait_until_it_forwards(&mut self) -> anyhow::Result<()> {
        if self.wires.wait_for_arrival(FORWARDING) {
            return Ok(());
        }
        let state = self.output("networkctl --no-pager; ip addr; ip route; ip neigh")?;
        bail!("the router forwards nothing:\n{state}")
    }

    /// Reboots it and waits until it forwards again.
    pub fn reboot(&mut self) -> anyhow::Result<()> {
        self.machine.reboot()?;
        self.machine.wait_until_booted()?;
        self.wait_until_it_forwards()
    }

    /// Has the subscribers' interface disappear.
    pub fn remove_nic(&mut self) -> anyhow::Result<()> {
        let nic = Nic::Subscribers;
        self.machine.monitor(&format!("device_del {}", nic.name()))?;
        self.wait("the removal", FORWARDING, "! ip link show sub0")
    }

    /// Reboots it without the subscribers' interface.
    pub fn reboot_without_nic(&mut self) -> anyhow::Result<()> {
        self.remove_nic()?;
        self.machine.reboot()?;
        self.machine.wait_until_booted()
    }

    /// Has that interface appear.
    pub fn add_nic(&mut self) -> anyhow::Result<()> {
        let nic = Nic::Subscribers;
        self.machine.monitor(&format!("device_add {}", nic.device()))?;
        self.wait_until_it_forwards()
    }

    /// The table of all steps.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Prints what failed.
    pub fn verdict(&self) -> ExitCode {
        for failure in &self.failures {
            println!("FAILED {failure}");
        }
        if self.failures.is_empty() {
            println!("Everything is as expected.");
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Writes a file in the guest.
    pub fn write(&mut self, path: &str, text: &str) -> anyhow::Result<()> {
        self.output(&format!("cat > {path} <<'END'\n{text}\nEND"))
            .map(drop)
            .with_context(|| format!("cannot write {path} in the guest"))
    }
}
