//! The paths through the lab: source and destination, the verdict that op25b should reach, and an attempt.

use std::{
    fmt,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::{
    frames::pppoe_syn,
    http, interrupt,
    lab::{ACCESS, Family, HOST_END, Host, Lab, Servers},
    mail::{Outcome, Service, Target, deliver},
    packet_socket::PacketSocket,
};

/// One way through the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The client.
    pub from: Host,
    /// The server.
    pub to: Host,
    /// The protocol.
    pub what: What,
}

/// The protocol of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A message, from the greeting to the server having it.
    Mail(Service),
    /// A page, fetched.
    Web,
    /// One crafted SYN to a port, in `QinQ` and `PPPoE`.
    Crafted(u16),
}

/// What a router with op25b makes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works as it would without.
    Works,
    /// Its packets are dropped.
    Blocked,
}

impl Path {
    /// All of them, with the verdict under the lab's policy.
    pub const ALL: [(Self, Verdict); 9] = {
        use Host::{Corporate, Internet, Pppoe, Relay, Subscriber};
        use Service::{Submission, Submissions, Transfer};
        use Verdict::{Blocked, Works};
        use What::{Crafted, Mail, Web};
        const fn path(from: Host, to: Host, what: What) -> Path {
            Path { from, to, what }
        }
        [
            (path(Subscriber, Internet, Mail(Transfer)), Blocked),
            (path(Subscriber, Internet, Mail(Submission)), Works),
            (path(Subscriber, Internet, Mail(Submissions)), Works),
            (path(Subscriber, Relay, Mail(Transfer)), Works),
            (path(Subscriber, Internet, Web), Works),
            (path(Corporate, Internet, Mail(Transfer)), Works),
            (path(Internet, Subscriber, Mail(Transfer)), Works),
            (path(Pppoe, Internet, Crafted(25)), Blocked),
            (path(Pppoe, Internet, Crafted(587)), Works),
        ]
    };

    /// The path that the whole thing is about: mail straight from a dynamic address to the world.
    pub const DIRECT: Self = Self::ALL[0].0;

    /// Tries it, from inside the host it begins at.
    pub fn attempt(
        self,
        lab: &Lab,
        servers: &Servers,
        family: Family,
        patience: Duration,
    ) -> anyhow::Result<Outcome> {
        let address = self.to.address(family);
        match self.what {
            What::Mail(service) => {
                let server = match self.to {
                    Host::Relay => &servers.relay,
                    Host::Subscriber => &servers.subscriber,
                    _ => &servers.internet,
                }
                .clone();
                let target = Target {
                    address,
                    service,
                    certificate: servers.certificate.clone(),
                    patience,
                };
                lab.host(self.from).run(move || Ok(deliver(&target, &server)))
            }
            What::Web => lab
                .host(self.from)
                .run(move || Ok(http::fetch(address, patience))),
            What::Crafted(port) => {
                let seen = craft(lab, self, family, port, patience)?;
                Ok(if seen { Outcome::Works } else { Outcome::Silence })
            }
        }
    }

    /// Tries several at once, and has the outcomes in their order.
    pub fn attempt_all(
        attempts: &[(Self, Family, Duration)],
        lab: &Lab,
        servers: &Servers,
        progress: impl Fn(),
    ) -> anyhow::Result<Vec<Outcome>> {
        // Each attempt bounds its own waiting; this is for what should never be.
        const LIMIT: Duration = Duration::from_mins(1);
        let mut outcomes = vec![None; attempts.len()];
        let lab = lab.handle();
        let (sender, receiver) = mpsc::channel();
        for (index, &(path, family, patience)) in attempts.iter().enumerate() {
            let (sender, lab, servers) = (sender.clone(), lab.handle(), servers.clone());
            std::thread::spawn(move || {
                // After an interruption the receiver is gone.
                let _ = sender.send((index, path.attempt(&lab, &servers, family, patience)));
            });
        }
        drop(sender);
        while let Some((index, outcome)) = interrupt::receive(&receiver, LIMIT)? {
            outcomes[index] = Some(outcome?);
            progress();
            if outcomes.iter().all(Option::is_some) {
                break;
            }
        }
        outcomes
            .into_iter()
            .collect::<Option<_>>()
            .context("an attempt neither worked nor failed")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |host| match host {
            Host::Subscriber | Host::Router => "dynamic",
            Host::Corporate => "corporate",
            Host::Pppoe => "PPPoE in QinQ",
            Host::Internet => "Internet",
            Host::Relay => "ISP relay",
        };
        write!(f, "{} -> {}:", name(self.from), name(self.to))?;
        match self.what {
            What::Mail(Service::Transfer) => write!(f, "25"),
            What::Mail(Service::Submission) => write!(f, "587, STARTTLS and AUTH"),
            What::Mail(Service::Submissions) => write!(f, "465, TLS and AUTH"),
            What::Web => write!(f, "80, HTTP"),
            What::Crafted(port) => write!(f, "{port}, a SYN"),
        }
    }
}

/// Sends one crafted SYN, and returns whether the router's stack sees it come in. Native XDP comes before that.
fn craft(lab: &Lab, path: Path, family: Family, port: u16, patience: Duration) -> anyhow::Result<bool> {
    static SEQUENCE: AtomicU32 = AtomicU32::new(0x0025_0000);
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let syn = pppoe_syn(path.from.address(family), path.to.address(family), port, sequence)?;
    ensure!(
        syn.frame.ends_with(&syn.packet),
        "the frame is not what was meant"
    );
    let mut router = lab.host(Host::Router).run(|| PacketSocket::open(ACCESS))?;
    lab.host(path.from)
        .run(move || PacketSocket::open(HOST_END)?.send(&syn.frame))?;
    router.sees(&syn.packet, patience)
}
