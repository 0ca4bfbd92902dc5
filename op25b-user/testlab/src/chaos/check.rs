//! What is checked while the faults of a round last, and after they were undone.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;

use crate::{
    chaos::{
        evidence::{
            observation::Observation,
            reports::{self, Report, Source},
            rules,
        },
        faults::{Fault, Interface, Round},
        moment::Moment,
        stage::traffic::customers,
        walk::{SETTLE, Walk},
    },
    interrupt,
};

/// How much of the time before a round is examined with it, so that what lasts longer is seen in one piece.
const OVERLAP: Duration = Duration::from_secs(30);
/// How often a wait looks.
const POLL: Duration = Duration::from_millis(50);

impl Walk {
    /// While the faults last, all sources agree with the kernel, and the filter runs where it can.
    pub(super) fn check_standing(&mut self, round: &Round) -> anyhow::Result<()> {
        let has_started = round.has(|fault| fault == Fault::Start);
        let is_working = match &mut self.daemon {
            None => false,
            Some(daemon) if daemon.is_stopped => false,
            Some(_) if round.may_delay_start() => false,
            Some(_) => {
                let limit = if has_started {
                    self.limits.start
                } else {
                    self.limits.agree
                };
                self.await_answer(limit, round.may_refuse_start())?
            }
        };
        let deadline = Instant::now() + self.limits.agree;
        loop {
            let seen = self.observe(is_working)?;
            let expected = |interface: Interface| {
                if is_working {
                    round.expects(interface)
                } else {
                    (!round.opens().contains(&interface)).then_some(true)
                }
            };
            let Some(wrong) = seen.disagreement(expected) else {
                return Ok(());
            };
            ensure!(
                Instant::now() < deadline,
                "while the faults last, after {:?}: {wrong}\n{seen}",
                self.limits.agree
            );
            pause()?;
        }
    }

    /// Waits until the daemon answers; false if it has ended, and was allowed to, as it had only been started.
    fn await_answer(&mut self, limit: Duration, may_end: bool) -> anyhow::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let Some(daemon) = &mut self.daemon else {
                bail!("no daemon runs");
            };
            if let Some(status) = daemon.ended()? {
                self.daemon = None;
                ensure!(
                    may_end && !self.has_answered,
                    "the daemon has ended by itself ({status})"
                );
                return Ok(false);
            }
            let pid = daemon.pid();
            let report = Report::ask(Source::Api, &self.service);
            if matches!(&report, Ok(report) if report.pid == Some(pid)) {
                self.has_answered = true;
                return Ok(true);
            }
            if Instant::now() > deadline {
                let answer = report.map_or_else(|error| format!("{error:#}"), |report| report.to_string());
                bail!("the daemon (process {pid}) does not answer after {limit:?}: {answer}");
            }
            pause()?;
        }
    }

    /// Has the daemon run, and waits until it enforces everywhere and everything agrees; the moment at which it did.
    pub(super) fn recover(&mut self, round: &Round) -> anyhow::Result<Moment> {
        let mut deadline = Instant::now() + self.limits.recover;
        let mut has_restarted = false;
        // The policy is loaded once more, if faults concerned it.
        let mut is_loaded = !round.has(|fault| matches!(fault, Fault::Policy(_)));
        loop {
            interrupt::check()?;
            self.reap()?;
            if self.daemon.is_none() && self.dying.is_empty() {
                self.start_daemon()?;
            }
            let wrong = if self.daemon.is_none() {
                "a daemon that was killed is not gone".to_owned()
            } else if !self.await_answer(self.limits.start, true)? {
                // A start is refused as long as what it needs is not there: the service manager tries again.
                "the daemon has ended".to_owned()
            } else {
                if !is_loaded {
                    let answer = self.ask(&["reload"])?;
                    is_loaded = answer.is_some_and(|answer| answer.code == Some(0));
                }
                let seen = self.observe(true)?;
                match seen.disagreement(|_| Some(true)) {
                    None if is_loaded => return Ok(seen.seen),
                    None => "the policy cannot be loaded again".to_owned(),
                    Some(wrong) => format!("{wrong}\n{seen}"),
                }
            };
            if Instant::now() > deadline {
                // After repeated interference the daemon waits for minutes, and reports it: it is told to try again.
                let is_repeated = self.interferences.values().any(|count| *count > 1);
                ensure!(
                    is_repeated && !has_restarted,
                    "after the faults were undone, after {:?}: {wrong}",
                    self.limits.recover
                );
                has_restarted = true;
                self.outcome.step("restart, after repeated interference");
                self.end_daemon(Signal::SIGTERM)?;
                deadline = Instant::now() + self.limits.recover;
            }
            pause()?;
        }
    }

    /// What runs is pinned: it would outlive the daemon.
    pub(super) fn check_pins(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.limits.recover;
        while let Some(unpinned) = Interface::all().find(|interface| !self.pin(*interface).exists()) {
            ensure!(
                Instant::now() < deadline,
                "the link on {unpinned} is not pinned again"
            );
            pause()?;
        }
        Ok(())
    }

    /// Every customer is exempt in the store, too, and the kernel is not behind; where they may be lost they are added.
    pub(super) fn check_exemptions(&mut self, round: &Round) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.limits.recover;
        if !round.keeps_exemptions() {
            self.added.clear();
            while let Err(error) = self.import_customers() {
                ensure!(Instant::now() < deadline, "{error:#}");
                pause()?;
            }
            // Without pins, too, nobody knows any more that the date was reached.
            if round.has(|fault| fault == Fault::UnpinAll) {
                self.reach_date()?;
            }
            self.windows.last_mut().context("no window")?.until = Some(Moment::now());
        }
        loop {
            let list = self.ask(&["exempt", "list", "--json"])?;
            let text = list.as_ref().map_or("", |list| list.stdout.as_str());
            let missing: Vec<_> = customers()
                .map(|customer| format!("{customer}/32"))
                .filter(|customer| !text.contains(customer))
                .collect();
            let status = reports::get(&self.service.socket(), "/v1/status").unwrap_or_default();
            let is_behind = !status.contains("\"kernel_is_behind\":false");
            if missing.is_empty() && !is_behind {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "stored exemptions are lost: {missing:?} of the customers are not listed; status: {status}; list: {list:?}"
            );
            pause()?;
        }
    }

    /// Compares the packets with the faults and the reports.
    pub(super) fn examine(&mut self, round: &Round) -> anyhow::Result<()> {
        let (from, until) = (self.examined.minus(OVERLAP), Moment::now().minus(SETTLE));
        let reports = self.sampler.take();
        let mut faults = round.0.iter().filter(|fault| !matches!(fault, Fault::Wait(_)));
        let label = match (faults.next(), faults.next()) {
            (Some(fault), None) => fault.to_string(),
            _ => "several faults".to_owned(),
        };
        for line in self.traffic.lines.iter() {
            let ticks = line.between(from, until);
            self.outcome.packets += ticks.iter().filter(|tick| tick.sent >= self.examined).count() as u64;
            for interface in Interface::all() {
                let is_here = |index, at| self.network.name_at(index, at) == Some(interface.name());
                let opens = rules::opens(interface, &ticks, is_here);
                if let Some(open) = rules::unexplained(&opens, &self.windows).first() {
                    bail!(
                        "blocked packets got through and no fault explains it: {}",
                        shown(open)
                    );
                }
                for report in &reports {
                    if let Some(open) = rules::contradicted(report, &opens, self.limits.agree) {
                        bail!("a report is wrong: {report}; but {}", shown(open));
                    }
                }
                for open in opens.iter().filter(|open| open.until >= self.examined) {
                    self.outcome.gaps.entry(label.clone()).or_default().add(open);
                }
                if let Some((moment, count)) = rules::customer_blocked(&ticks, is_here)
                    && !rules::may_lose_customer(interface, moment, &self.windows)
                {
                    bail!(
                        "{count} packets of an exempt customer were dropped on {interface} from {moment} on"
                    );
                }
            }
        }
        self.examined = until;
        Ok(())
    }

    /// What the kernel and all sources say now; those of the daemon, if it works.
    fn observe(&self, is_working: bool) -> anyhow::Result<Observation> {
        Observation::make(&self.network, &self.service, is_working)
    }
}

fn pause() -> anyhow::Result<()> {
    interrupt::check()?;
    thread::sleep(POLL);
    Ok(())
}

fn shown(open: &rules::Open) -> String {
    format!(
        "{} blocked packets passed on {} from {} to {}",
        open.packets, open.interface, open.from, open.until
    )
}
