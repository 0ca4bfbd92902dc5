//! What must hold: from the packets that came through, the reports of the same time and the faults that were made, the
//! contradictions.
//!
//! - A blocked packet passes on an interface only while a fault concerns that interface: from the fault on, until the kernel
//!   reports that the filter runs there again.
//! - A report calls an interface enforced only if the filter ran there at some time within the last seconds before it. Else
//!   every packet of that time and up to the report's end has passed.
//! - A packet of an exempt customer passes while the line works.

use std::{collections::BTreeSet, time::Duration};

use crate::chaos::{
    evidence::reports::Report,
    faults::Interface,
    moment::Moment,
    stage::traffic::{Kind, Tick},
};

/// A packet may be on its way for so long.
const UNDER_WAY: Duration = Duration::from_millis(300);
/// A gap between two packets, after which it is unknown what happened in between.
const DARK: Duration = Duration::from_millis(200);
/// How many packets of a customer in a row have to be missing: one may be lost when a program is attached.
const MISSING: usize = 3;

/// When blocked packets may pass on some interfaces, or a customer's may be dropped.
#[derive(Clone, Debug)]
pub struct Window {
    /// From the first fault on.
    pub from: Moment,
    /// Until the faults are over and noticed.
    pub until: Option<Moment>,
    /// Where blocked packets may pass.
    pub interfaces: BTreeSet<Interface>,
    /// Whether stored exemptions may be lost.
    pub loses_exemptions: bool,
}

impl Window {
    fn covers(&self, moment: Moment) -> bool {
        moment >= self.from.minus(UNDER_WAY) && self.until.is_none_or(|until| moment <= until)
    }
}

/// A time throughout which an interface let every blocked packet pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Where.
    pub interface: Interface,
    /// When the first packet that passed was sent.
    pub from: Moment,
    /// When the last one was.
    pub until: Moment,
    /// How many passed.
    pub packets: usize,
}

/// The times at which an interface was open, by the packets of one line. `is_here` tells whether an index was that of the
/// interface with the policy's name.
pub fn opens(interface: Interface, ticks: &[Tick], is_here: impl Fn(u32, Moment) -> bool) -> Vec<Open> {
    let mut opens: Vec<Open> = Vec::new();
    let mut is_open = false;
    for tick in ticks {
        let passed = tick
            .arrived(Kind::Blocked)
            .is_some_and(|index| is_here(index, tick.sent));
        if passed {
            match opens.last_mut() {
                Some(open) if is_open && tick.sent.since(open.until) < DARK => {
                    open.until = tick.sent;
                    open.packets += 1;
                }
                _ => opens.push(Open {
                    interface,
                    from: tick.sent,
                    until: tick.sent,
                    packets: 1,
                }),
            }
            is_open = true;
        } else if tick.arrived(Kind::Reference).is_some() {
            is_open = false;
        }
    }
    opens
}

/// The times that no fault explains.
pub fn unexplained<'a>(opens: &'a [Open], windows: &[Window]) -> Vec<&'a Open> {
    let may_open = |open: &Open, moment| {
        windows
            .iter()
            .any(|window| window.interfaces.contains(&open.interface) && window.covers(moment))
    };
    opens
        .iter()
        .filter(|open| !may_open(open, open.from) || !may_open(open, open.until))
        .collect()
}

/// A report that is contradicted by the packets of its time: the interface was open from before `patience` until after it.
pub fn contradicted<'a>(report: &Report, opens: &'a [Open], patience: Duration) -> Option<&'a Open> {
    opens.iter().find(|open| {
        report.claims(open.interface.name())
            && open.from <= report.from.minus(patience)
            && open.until >= report.until
    })
}

/// When a customer's packets were dropped though the line worked, if they were.
pub fn customer_blocked(ticks: &[Tick], is_here: impl Fn(u32, Moment) -> bool) -> Option<(Moment, usize)> {
    let is_missing = |tick: &&Tick| {
        tick.arrived(Kind::Exempt).is_none()
            && tick
                .arrived(Kind::Reference)
                .is_some_and(|index| is_here(index, tick.sent))
    };
    let runs = ticks.split(|tick| !is_missing(&tick));
    let run = runs.max_by_key(|run| run.len())?;
    (run.len() >= MISSING).then(|| (run[0].sent, run.len()))
}

/// Whether a customer's packets may be dropped at a time.
pub fn may_lose_customer(interface: Interface, moment: Moment, windows: &[Window]) -> bool {
    windows.iter().any(|window| {
        (window.loses_exemptions || window.interfaces.contains(&interface)) && window.covers(moment)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::chaos::evidence::reports::Source;

    const HERE: Interface = Interface(0);

    fn at(milliseconds: u64) -> Moment {
        Moment::after_start(Duration::from_millis(milliseconds))
    }

    /// A packet every 5 ms for 10 s. The filter runs except between two times.
    fn traffic(open: std::ops::Range<u64>) -> Vec<Tick> {
        (0..2_000)
            .map(|number| Tick {
                sent: at(number * 5),
                arrived: [Some(2), Some(2), open.contains(&(number * 5)).then_some(2)],
            })
            .collect()
    }

    fn window(from: u64, until: u64) -> Window {
        Window {
            from: at(from),
            until: Some(at(until)),
            interfaces: [HERE].into(),
            loses_exemptions: false,
        }
    }

    fn report(from: u64, until: u64, is_enforced: bool) -> Report {
        Report {
            source: Source::Api,
            from: at(from),
            until: at(until),
            enforced: BTreeMap::from([(HERE.name().to_owned(), is_enforced)]),
            pid: None,
            overall: None,
            torn: None,
        }
    }

    #[test]
    fn one_packet_that_passes_outside_of_every_fault_is_found() {
        let opens = opens(HERE, &traffic(5_000..5_005), |_, _| true);
        assert_eq!(opens.len(), 1);
        assert_eq!(unexplained(&opens, &[]).len(), 1);
        assert_eq!(unexplained(&opens, &[window(0, 4_000)]).len(), 1);
        assert_eq!(unexplained(&opens, &[window(6_000, 7_000)]).len(), 1);
        assert_eq!(unexplained(&opens, &[window(5_000, 5_500)]), Vec::<&Open>::new());
        let elsewhere = Window {
            interfaces: [Interface(1)].into(),
            ..window(5_000, 5_500)
        };
        assert_eq!(unexplained(&opens, &[elsewhere]).len(), 1);
    }

    #[test]
    fn a_fault_explains_no_packet_after_the_kernel_has_reported_the_filter_again() {
        let opens = opens(HERE, &traffic(5_000..6_005), |_, _| true);
        assert_eq!(unexplained(&opens, &[window(4_990, 6_000)]), Vec::<&Open>::new());
        assert_eq!(unexplained(&opens, &[window(4_990, 5_990)]).len(), 1);
    }

    #[test]
    fn a_report_is_contradicted_by_an_interface_that_was_open_all_the_time_before_it() {
        let opens = opens(HERE, &traffic(2_000..8_000), |_, _| true);
        let patience = Duration::from_secs(2);
        // The interface is open for less than two seconds: the report may be as old as that.
        assert_eq!(contradicted(&report(3_900, 3_950, true), &opens, patience), None);
        assert!(contradicted(&report(4_100, 4_150, true), &opens, patience).is_some());
        assert_eq!(contradicted(&report(4_100, 4_150, false), &opens, patience), None);
        // While the report is made, the filter comes back.
        assert_eq!(contradicted(&report(7_900, 8_100, true), &opens, patience), None);
    }

    #[test]
    fn packets_on_an_interface_of_another_name_contradict_nothing() {
        assert_eq!(opens(HERE, &traffic(0..10_000), |_, _| false), []);
    }

    #[test]
    fn a_line_that_does_not_work_shows_nothing() {
        let mut ticks = traffic(0..10_000);
        for tick in &mut ticks[500..1_500] {
            tick.arrived = [None; 3];
        }
        let opens = opens(HERE, &ticks, |_, _| true);
        assert_eq!(opens.len(), 2);
        assert_eq!(opens[0].until, at(2_495));
        assert_eq!(opens[1].from, at(7_500));
        assert_eq!(customer_blocked(&ticks, |_, _| true), None);
    }

    #[test]
    fn a_customer_whose_packets_are_dropped_in_a_row_is_found() {
        let mut ticks = traffic(0..0);
        for number in [100, 200, 201] {
            ticks[number].arrived[Kind::Exempt as usize] = None;
        }
        assert_eq!(customer_blocked(&ticks, |_, _| true), None);
        ticks[202].arrived[Kind::Exempt as usize] = None;
        assert_eq!(customer_blocked(&ticks, |_, _| true), Some((at(1_000), 3)));
        assert_eq!(customer_blocked(&ticks, |_, _| false), None);
        assert!(may_lose_customer(HERE, at(1_000), &[window(900, 1_100)]));
        assert!(!may_lose_customer(Interface(1), at(1_000), &[window(900, 1_100)]));
    }
}
