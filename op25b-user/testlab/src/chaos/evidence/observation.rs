//! What the kernel and every report say about the interfaces at one time.

use std::{collections::BTreeSet, fmt};

use crate::chaos::{
    evidence::reports::{Report, Source},
    faults::Interface,
    moment::Moment,
    stage::{
        daemon::Service,
        network::{Link, Network},
    },
};

/// What is seen at one time, or why it was not seen.
pub struct Observation {
    /// When the kernel had answered for the first time: what it showed holds from here on.
    pub seen: Moment,
    /// Before the reports.
    before: Vec<Link>,
    /// After them.
    after: Vec<Link>,
    reports: Vec<Report>,
    /// What did not answer.
    silent: Vec<String>,
}

impl Observation {
    /// Asks the kernel, every source, and the kernel again. Without a daemon only the command answers.
    pub fn make(network: &Network, service: &Service, has_daemon: bool) -> anyhow::Result<Self> {
        let before = network.links()?;
        let seen = Moment::now();
        let sources: &[Source] = if has_daemon {
            &[Source::Api, Source::Metrics, Source::Command]
        } else {
            &[Source::Command]
        };
        let (mut reports, mut silent) = (Vec::new(), Vec::new());
        for source in sources {
            match Report::ask(*source, service) {
                Ok(report) => reports.push(report),
                Err(error) => silent.push(format!("{source:?}: {error:#}")),
            }
        }
        Ok(Self {
            seen,
            before,
            after: network.links()?,
            reports,
            silent,
        })
    }

    /// Whether the filter runs on the interface of this name.
    fn fact(&self, name: &str) -> bool {
        self.before
            .iter()
            .any(|link| link.name == name && link.is_filtered())
    }

    /// What does not agree; `expected` tells where the filter should run, if it is known.
    pub fn disagreement(&self, expected: impl Fn(Interface) -> Option<bool>) -> Option<String> {
        if self.before != self.after {
            return Some("the kernel's state changed between two looks".to_owned());
        }
        if let Some(silent) = self.silent.first() {
            return Some(silent.clone());
        }
        for interface in Interface::all() {
            let name = interface.name();
            let fact = self.fact(name);
            match expected(interface) {
                Some(expected) if expected != fact => {
                    let does = if fact { "runs" } else { "does not run" };
                    return Some(format!("the filter {does} on {name}"));
                }
                _ => {}
            }
        }
        self.reports.iter().find_map(|report| self.contradiction(report))
    }

    /// Where a report differs from the kernel.
    fn contradiction(&self, report: &Report) -> Option<String> {
        let mut names: BTreeSet<String> = report.enforced.keys().cloned().collect();
        names.extend(Interface::all().map(|interface| interface.name().to_owned()));
        // The command lists whatever the filter runs on; the daemon what its policy names.
        if report.source == Source::Command {
            names.extend(self.before.iter().map(|link| link.name.clone()));
        }
        let differs = |name: &String| self.fact(name) != report.claims(name);
        if let Some(name) = names.into_iter().find(differs) {
            let says = if report.claims(&name) {
                "enforced"
            } else {
                "not enforced"
            };
            return Some(format!(
                "{:?} calls {name} {says}, and the kernel does not",
                report.source
            ));
        }
        if let Some(name) = &report.torn {
            return Some(format!("{:?} contradicts itself about {name}", report.source));
        }
        // `degraded` and `open` are told apart by the daemon's own tests.
        let is_whole = report.enforced.values().all(|is_enforced| *is_enforced);
        let overall = report.overall.as_deref()?;
        ((overall == "enforced") != is_whole).then(|| format!("in all it is called {overall}: {report}"))
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  kernel asked until {}:", self.seen)?;
        for link in &self.before {
            let program = link.program.as_deref().unwrap_or("-");
            write!(f, " {} ({}) {program};", link.name, link.index)?;
        }
        writeln!(f)?;
        for report in &self.reports {
            writeln!(f, "  {report}")?;
        }
        for silent in &self.silent {
            writeln!(f, "  {silent}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn link(index: u32, name: &str, program: Option<&str>) -> Link {
        Link {
            index,
            name: name.to_owned(),
            program: program.map(str::to_owned),
        }
    }

    fn observation(links: &[Link], enforced: &[(&str, bool)], overall: Option<&str>) -> Observation {
        let enforced = enforced
            .iter()
            .map(|(name, is_enforced)| ((*name).to_owned(), *is_enforced));
        Observation {
            seen: Moment::default(),
            before: links.to_vec(),
            after: links.to_vec(),
            reports: vec![Report {
                source: Source::Api,
                from: Moment::default(),
                until: Moment::default(),
                enforced: enforced.collect::<BTreeMap<_, _>>(),
                pid: None,
                overall: overall.map(str::to_owned),
                torn: None,
            }],
            silent: vec![],
        }
    }

    const ALL: [(&str, bool); 3] = [("sub0", true), ("corp0", true), ("access0", true)];

    fn filtered() -> Vec<Link> {
        let names = ["sub0", "corp0", "access0"];
        (2..)
            .zip(names)
            .map(|(index, name)| link(index, name, Some("op25b_subscribe")))
            .collect()
    }

    #[test]
    fn a_report_that_is_as_the_kernel_agrees() {
        let everything = |_| Some(true);
        assert_eq!(
            observation(&filtered(), &ALL, None).disagreement(everything),
            None
        );
        assert_eq!(
            observation(&filtered(), &ALL, Some("enforced")).disagreement(everything),
            None
        );
        assert!(
            observation(&filtered(), &ALL, Some("degraded"))
                .disagreement(everything)
                .is_some()
        );
    }

    #[test]
    fn an_interface_without_a_filter_with_a_foreign_one_or_that_is_gone_is_not_enforced() {
        let mut others = filtered();
        for change in [
            Some(link(9, "sub0", None)),
            Some(link(2, "sub0", Some("someone_elses"))),
            None,
        ] {
            others.remove(0);
            others.splice(0..0, change.clone());
            let seen = observation(&others, &ALL, None);
            assert!(seen.disagreement(|_| None).is_some(), "{seen}");
            if change.is_none() {
                others.insert(0, link(2, "was-sub0", Some("op25b_subscribe")));
            }
        }
        // The interface has another name now.
        let seen = observation(&others, &ALL, None);
        assert!(seen.disagreement(|_| None).is_some(), "{seen}");
        let honest = [("sub0", false), ("corp0", true), ("access0", true)];
        let seen = observation(&others, &honest, Some("degraded"));
        assert_eq!(seen.disagreement(|_| None), None);
        assert!(
            seen.disagreement(|one| (one == Interface(0)).then_some(true))
                .is_some()
        );
    }
}
