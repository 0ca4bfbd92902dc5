//! A soak: traffic through a filter during reloads, crashes, upgrades and churn, and a count of wrong verdicts.

pub(crate) mod flood;
mod leaks;
mod numbered;
mod other_version;
pub mod policies;
mod stress;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use self::{
    flood::Flood,
    policies::{BOT, CUSTOMER, SERVER},
    stress::{Churn, Stress},
};
use crate::{
    ethtool,
    lab::{Host, Lab},
};

/// The ports of the numbered traffic: one that is blocked for others, and one that is not.
const PORTS: [u16; 2] = [25, 443];
/// How long a packet may be on its way.
const LATE: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done to the filter, how often and how long it took.
    pub churn: Churn,
    /// Blocked packets that were sent.
    pub blocked_sent: u64,
    /// Blocked packets that came through.
    pub blocked_through: u64,
    /// Allowed packets that were sent.
    pub allowed_sent: u64,
    /// Allowed packets that did not come through.
    pub allowed_lost: u64,
    /// How long it took.
    pub took: Duration,
}

/// The soak with this op25b, each kind of churn as often as the full one has it divided by `share`.
pub fn soak(op25b: &Path, share: usize) -> anyhow::Result<Outcome> {
    println!("==> building another version of op25b, with another layout of its maps");
    let builds: [PathBuf; 2] = [op25b.to_owned(), other_version::build()?];
    let lab = Lab::unique("soak")?;
    let router = lab.host(Host::Router);
    let start = Instant::now();
    let mut stress = Stress::start(&lab, builds)?;

    router.run(|| ethtool::turn_receive_offload_on("sub0"))?;
    let through = numbered::receive(router, "sub0")?;
    let arrived = numbered::receive(router, "corp0")?;
    let flood = Flood::start(lab.host(Host::Subscriber), SERVER, PORTS[0])?;
    // The flood comes by the driver's short cut for XDP; these come as everything else does.
    let bot = numbered::send(lab.host(Host::Subscriber), BOT, SERVER, [PORTS[0]; 2]);
    let sender = numbered::send(lab.host(Host::Corporate), CUSTOMER, SERVER, PORTS);
    let churned = stress.churn(share);

    // Whatever went wrong, what was begun is ended.
    let allowed_sent = sender.stop();
    let blocked_sent = flood.stop();
    let bot_sent = bot.stop();
    std::thread::sleep(LATE);
    let (through, arrived) = (through.stop(), arrived.stop());
    churned?;
    let churn = stress.finish()?;

    let (arrived, through) = (arrived?, through?);
    let is_numbered = |port: u16, number: u32| port == PORTS[usize::from(number % 2 == 1)];
    let allowed_sent = allowed_sent?;
    let numbered = arrived
        .keys()
        .filter(|(port, number)| is_numbered(*port, *number));
    let blocked_through = through
        .iter()
        .filter(|((port, _), _)| *port == PORTS[0])
        .map(|(_, count)| count)
        .sum();
    Ok(Outcome {
        churn,
        blocked_sent: blocked_sent? + u64::from(bot_sent?),
        blocked_through,
        allowed_sent: allowed_sent.into(),
        allowed_lost: u64::from(allowed_sent) - numbered.count() as u64,
        took: start.elapsed(),
    })
}

impl Outcome {
    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.blocked_through == 0 && self.allowed_lost == 0 && self.churn.leaks.is_empty()
    }

    /// Prints it as a table.
    pub fn print(&self) {
        let Churn { done, leaks, .. } = &self.churn;
        println!("\n{:<44} {:>12}", "in the midst of the traffic", "times");
        for (what, times) in done {
            println!("{what:<44} {times:>12}");
        }
        let seconds = self.churn.under_load.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = self.blocked_sent as f64 / seconds / 1000.0;
        println!("\n{:<44} {:>12}", "packets", "");
        for (what, count) in [
            ("blocked, sent", self.blocked_sent),
            (
                "blocked, counted (a full link drops some)",
                self.churn.blocked_counted,
            ),
            ("blocked, that got through", self.blocked_through),
            ("allowed, sent", self.allowed_sent),
            ("allowed, lost or filtered by half a policy", self.allowed_lost),
        ] {
            println!("{what:<44} {count:>12}");
        }
        println!(
            "\n{rate:.0} K blocked packets/s; {:.0} s in all",
            self.took.as_secs_f64()
        );
        for leak in leaks {
            println!("LEAK: {leak}");
        }
        println!(
            "{}",
            if self.is_good() {
                "No packet got a wrong verdict."
            } else {
                "SOMETHING WENT WRONG."
            }
        );
    }
}
