//! Making a fault, and undoing it.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use crate::{
    chaos::{
        faults::{Fault, Interface, Part, PolicyFault, Round},
        stage::{
            BAD,
            store_files::{Planted, empty},
        },
        walk::Walk,
    },
    foreign_program::{self, ForeignProgram},
    interrupt,
    lab::NetNs,
};

/// How a fault is undone.
pub enum Undo {
    Rename(Interface),
    Impostor(Interface),
    Swap(Interface, Interface),
    FetchBack(Interface),
    AwayImpostor(Interface),
    Create(Interface),
    /// The foreign program is removed from where it is.
    Foreign(ForeignProgram),
    Mend(Planted),
    Free,
    Thaw,
    Continue,
    Clock,
    Policy,
    Follows(Interface),
}

impl Walk {
    /// Makes a fault.
    pub(super) fn apply(&mut self, fault: Fault, round: &Round) -> anyhow::Result<Option<Undo>> {
        Ok(match fault {
            Fault::Rename(one) => {
                self.network.rename(one.name(), &one.other_name())?;
                Some(Undo::Rename(one))
            }
            Fault::Impostor(one) => {
                self.network.rename(one.name(), &one.other_name())?;
                self.network.create_second(one, one.name())?;
                Some(Undo::Impostor(one))
            }
            Fault::Swap(one, other) => {
                self.network.swap(one.name(), other.name())?;
                Some(Undo::Swap(one, other))
            }
            Fault::Away(one) => {
                self.network.send_away(one.name())?;
                Some(Undo::FetchBack(one))
            }
            Fault::AwayImpostor(one) => {
                self.network.send_away(one.name())?;
                self.network.create_second(one, one.name())?;
                Some(Undo::AwayImpostor(one))
            }
            Fault::Delete(one) => {
                self.network.delete(one.name())?;
                Some(Undo::Create(one))
            }
            Fault::Recreate(one) => {
                self.network.delete(one.name())?;
                self.network.create(one, one.name())?;
                None
            }
            Fault::Vacant(one) => {
                self.network.delete(one.name())?;
                // It never has this name without the foreign program.
                self.network.create(one, &one.other_name())?;
                let foreign = ForeignProgram::attach(self.network.router(), &one.other_name(), true)??;
                self.network.rename(&one.other_name(), one.name())?;
                Some(Undo::Foreign(foreign))
            }
            Fault::Detach(_) | Fault::Replace(_) | Fault::Foreign(_) => {
                self.interfere(fault)?.map(Undo::Foreign)
            }
            Fault::Unpin(one) => {
                // In the moment in which the filter is attached again there is none.
                let _ = fs::remove_file(self.pin(one));
                None
            }
            Fault::UnpinAll => {
                self.remove_pins()?;
                None
            }
            Fault::Store(fault) => self.store.damage(fault)?.map(Undo::Mend),
            Fault::Fill => {
                self.disk.fill()?;
                Some(Undo::Free)
            }
            Fault::Freeze => {
                self.disk.freeze()?;
                Some(Undo::Thaw)
            }
            Fault::Clock(seconds) => {
                self.clock.set(seconds)?;
                Some(Undo::Clock)
            }
            Fault::Policy(fault) => Some(self.change_policy(fault, round)?),
            Fault::Kill | Fault::Terminate | Fault::Stop | Fault::Hangup | Fault::Start => {
                self.signal_daemon(fault)?
            }
            Fault::Add | Fault::Remove | Fault::Import => {
                self.change_exemptions(fault, round)?;
                None
            }
            Fault::Wait(milliseconds) => {
                let end = Instant::now() + Duration::from_millis(milliseconds);
                while let Some(left) = end.checked_duration_since(Instant::now()) {
                    interrupt::check()?;
                    thread::sleep(left.min(Duration::from_millis(50)));
                }
                None
            }
        })
    }

    fn signal_daemon(&mut self, fault: Fault) -> anyhow::Result<Option<Undo>> {
        match fault {
            Fault::Kill => self.end_daemon(Signal::SIGKILL)?,
            Fault::Terminate => self.end_daemon(Signal::SIGTERM)?,
            Fault::Start => {
                self.reap()?;
                if self.daemon.is_none() && self.dying.is_empty() {
                    self.start_daemon()?;
                }
            }
            Fault::Stop => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.signal(Signal::SIGSTOP)?;
                    return Ok(Some(Undo::Continue));
                }
            }
            _ => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.signal(Signal::SIGHUP)?;
                }
            }
        }
        Ok(None)
    }

    /// Another process does something to the filter's link, before the daemon can react.
    fn interfere(&mut self, fault: Fault) -> anyhow::Result<Option<ForeignProgram>> {
        let router = self.network.router().handle();
        let was_running = match &mut self.daemon {
            Some(daemon) if !daemon.is_stopped => {
                daemon.signal(Signal::SIGSTOP)?;
                true
            }
            _ => false,
        };
        let done = match fault {
            Fault::Detach(one) => foreign_program::detach(&self.pin(one))
                .map(|()| None)
                .map_err(Into::into),
            Fault::Replace(one) => foreign_program::replace(&self.pin(one))
                .map(|()| None)
                .map_err(Into::into),
            Fault::Foreign(one) => self.attach_foreign(&router, one).map(Some),
            _ => Ok(None),
        };
        if was_running && let Some(daemon) = &mut self.daemon {
            daemon.signal(Signal::SIGCONT)?;
        }
        done.with_context(|| format!("cannot make the fault `{fault}`"))
    }

    fn attach_foreign(&self, router: &NetNs, one: Interface) -> anyhow::Result<ForeignProgram> {
        foreign_program::detach(&self.pin(one))?;
        Ok(ForeignProgram::attach(router, one.name(), true)??)
    }

    fn change_policy(&mut self, fault: PolicyFault, round: &Round) -> anyhow::Result<Undo> {
        let undo = match fault {
            PolicyFault::Bad => {
                self.write_policy(BAD)?;
                Undo::Policy
            }
            PolicyFault::Other => {
                self.write_policy(&self.policy(1))?;
                Undo::Policy
            }
            PolicyFault::Follows(one) => {
                self.network.rename(one.name(), &one.other_name())?;
                self.names[one.0] = one.other_name();
                self.write_policy(&self.policy(0))?;
                Undo::Follows(one)
            }
        };
        let is_working = self.is_working();
        let answer = if is_working { self.ask(&["reload"])? } else { None };
        // Where nothing else is wrong, a good policy is taken.
        let others = |other: Fault| {
            let concerns = |part: &Part| {
                matches!(
                    part,
                    Part::Interface(_) | Part::Process | Part::State | Part::Pins
                )
            };
            other != Fault::Policy(fault) && other.parts().iter().any(concerns)
        };
        if is_working && !round.has(others) {
            let is_taken = answer.as_ref().is_some_and(|answer| answer.code == Some(0));
            ensure!(
                is_taken == (fault != PolicyFault::Bad),
                "`{}`: the reload ended with {answer:?}",
                Fault::Policy(fault)
            );
        }
        Ok(undo)
    }

    fn change_exemptions(&mut self, fault: Fault, round: &Round) -> anyhow::Result<()> {
        if !self.is_working() {
            return Ok(());
        }
        self.number += 1;
        let address = |number: u64| format!("198.19.{}.{}", number / 250 % 250, number % 250 + 1);
        let answer = match fault {
            Fault::Add => {
                let prefix = format!("{}/32", address(self.number));
                let answer = self.ask(&["exempt", "add", &prefix, "--customer", "Random"])?;
                if let Some(answer) = &answer
                    && answer.code == Some(0)
                    && let Some(id) = answer.stdout.lines().next()
                {
                    self.added.push(id.to_owned());
                }
                answer
            }
            Fault::Remove => {
                let Some(id) = self.added.pop() else { return Ok(()) };
                self.ask(&["exempt", "remove", &id, "--reason", "random"])?
            }
            _ => {
                let rows = (0..20).map(|row| format!("Imported,{}/32\n", address(self.number + row)));
                let rows: String = rows.collect();
                self.number += 20;
                let file = self.file("random.csv");
                fs::write(&file, format!("customer,prefixes\n{rows}"))
                    .context("cannot write a file to import")?;
                self.ask(&["exempt", "import", &file.to_string_lossy()])?
            }
        };
        // A disk that is full, hangs or was exchanged is a reason to refuse; a sick interface is none.
        let may_fail =
            round.has(|fault| fault.parts().contains(&Part::State) || fault.parts().contains(&Part::Process));
        ensure!(
            may_fail || answer.as_ref().is_some_and(|answer| answer.code == Some(0)),
            "`{fault}` failed: {answer:?}"
        );
        Ok(())
    }

    /// Undoes a fault.
    pub(super) fn undo(&mut self, undo: Undo) -> anyhow::Result<()> {
        match undo {
            Undo::Rename(one) => self.network.rename(&one.other_name(), one.name()),
            Undo::Impostor(one) => {
                self.network.delete(one.name())?;
                self.network.rename(&one.other_name(), one.name())
            }
            Undo::Swap(one, other) => self.network.swap(one.name(), other.name()),
            Undo::FetchBack(one) => self.network.fetch_back(one.name()),
            Undo::AwayImpostor(one) => {
                self.network.delete(one.name())?;
                self.network.fetch_back(one.name())
            }
            Undo::Create(one) => self.network.create(one, one.name()),
            Undo::Foreign(program) => {
                drop(program);
                Ok(())
            }
            Undo::Mend(planted) => self.store.mend(&planted),
            Undo::Free => self.disk.free(),
            Undo::Thaw => self.disk.thaw(),
            Undo::Continue => match &mut self.daemon {
                Some(daemon) => daemon.signal(Signal::SIGCONT),
                None => Ok(()),
            },
            Undo::Clock => self.clock.set(0),
            Undo::Policy => self.write_policy(&self.policy(0)),
            Undo::Follows(one) => {
                one.name().clone_into(&mut self.names[one.0]);
                self.network.rename(&one.other_name(), one.name())?;
                self.write_policy(&self.policy(0))
            }
        }
    }

    /// Whether the daemon runs and was not stopped.
    fn is_working(&mut self) -> bool {
        let Some(daemon) = &mut self.daemon else {
            return false;
        };
        !daemon.is_stopped && daemon.ended().is_ok_and(|ended| ended.is_none())
    }

    pub(super) fn pin(&self, one: Interface) -> PathBuf {
        let [(_, pins), ..] = self.network.router().places();
        pins.join("links").join(one.name())
    }

    /// `rm -rf` of the pin directory's content; the kernel's own files there stay.
    fn remove_pins(&self) -> anyhow::Result<()> {
        let [(_, pins), ..] = self.network.router().places();
        for part in ["links", "generations"] {
            let directory = pins.join(part);
            if directory.is_dir() {
                empty(&directory)?;
                let _ = fs::remove_dir(&directory);
            }
        }
        Ok(())
    }
}
