//! Packets of an ordinary evening with an outbreak in it, for the pictures.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use etherparse::PacketBuilder;
use op25b_testlab::{
    frames::Mac,
    lab::{HOST_END, Host},
    packet_socket::PacketSocket,
};

use crate::support::scene::Scene;

/// Nobody's: the program sees frames to any address, and the kernel passes none of them on.
const NOBODY: Mac = [0x02, 0, 0, 0, 0, 0x77];

/// What a host sends, by the seconds since it began.
type FlowsAt = fn(f64) -> Vec<Flow>;

/// Hosts that send until this is dropped.
pub struct Traffic {
    is_over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Traffic {
    pub fn start(scene: &Scene) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let hosts: [(Host, FlowsAt); 2] = [(Host::Subscriber, homes), (Host::Corporate, offices)];
        let senders = hosts.map(|(host, flows)| {
            let is_over = Arc::clone(&is_over);
            scene.lab.host(host).spawn(move || {
                let socket = PacketSocket::open(HOST_END)?;
                let (begin, mut random) = (Instant::now(), fastrand::Rng::with_seed(25));
                while !is_over.load(Ordering::Relaxed) {
                    for flow in flows(begin.elapsed().as_secs_f64()) {
                        if random.f64() < flow.rate * TICK.as_secs_f64() {
                            socket.send(&flow.frame)?;
                        }
                    }
                    thread::sleep(TICK);
                }
                Ok(())
            })
        });
        Self {
            is_over,
            senders: senders.into(),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for sender in self.senders.drain(..) {
            let _ = sender.join();
        }
    }
}

/// How often it is drawn who sends.
const TICK: Duration = Duration::from_millis(10);

/// A frame that is sent so often a second, 100 times at most.
struct Flow {
    frame: Vec<u8>,
    rate: f64,
}

/// What the homes send so many seconds after the start: a few of them always, and bots that begin one after the other.
fn homes(seconds: f64) -> Vec<Flow> {
    /// When the first bot begins, and how long after each the next one.
    const OUTBREAK: f64 = 30.0;
    const NEXT: f64 = 4.0;
    const BOTS: u8 = 16;
    let wave = 1.0 + 0.3 * (seconds / 9.0).sin();
    let mut flows: Vec<_> = (20..60)
        .map(|host| flow(home(host), "203.0.113.25", 0.4 * wave))
        .collect();
    flows.push(flow(home(10), "192.0.2.25", 20.0 * wave));
    flows.push(flow("2001:db8:100::10", "2001:db8:300::25", 8.0 * wave));
    for bot in 0..BOTS {
        let begin = OUTBREAK + NEXT * f64::from(bot);
        // The later ones are cleaned first.
        let end = 220.0 - 6.0 * f64::from(bot);
        if (begin..end).contains(&seconds) {
            let fade = ((seconds - begin) / 5.0).min(1.0);
            flows.push(flow(home(80 + bot), "203.0.113.99", 45.0 * fade));
            flows.push(flow(
                format!("2001:db8:1{:02x}::9", 0x80 + bot),
                "2001:db8:300::99",
                5.0 * fade,
            ));
        }
    }
    // Link layer discovery, and a fragment that hides its ports.
    flows.push(Flow {
        frame: [&NOBODY[..], &NOBODY, &[0x88, 0xcc], &[0; 50]].concat(),
        rate: 2.0,
    });
    flows.push(Flow {
        frame: later_fragment(),
        rate: 1.5 * wave,
    });
    flows
}

/// What the offices send, which are monitored; one of them is exempt.
fn offices(seconds: f64) -> Vec<Flow> {
    let wave = 1.0 + 0.5 * (seconds / 14.0).cos();
    let mut flows: Vec<_> = (140..150)
        .map(|host| flow(home(host), "203.0.113.25", 6.0 * wave))
        .collect();
    flows.push(flow(home(200), "203.0.113.25", 30.0));
    flows
}

/// An address of the lab's subscribers.
fn home(host: u8) -> String {
    Ipv4Addr::new(198, 51, 100, host).to_string()
}

/// A SYN to port 25.
fn flow(from: impl AsRef<str>, to: &str, rate: f64) -> Flow {
    let (from, to): (IpAddr, IpAddr) = (from.as_ref().parse().unwrap(), to.parse().unwrap());
    let ethernet = PacketBuilder::ethernet2(NOBODY, NOBODY);
    let ip = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), 64),
        (from, to) => {
            let octets = |address| match address {
                IpAddr::V4(address) => Ipv4Addr::to_ipv6_mapped(&address).octets(),
                IpAddr::V6(address) => Ipv6Addr::octets(&address),
            };
            ethernet.ipv6(octets(from), octets(to), 64)
        }
    };
    let mut frame = Vec::new();
    ip.tcp(40_000, 25, 1, 64_240)
        .syn()
        .write(&mut frame, &[])
        .unwrap();
    Flow { frame, rate }
}

/// A fragment that would overwrite the flags of the first one (RFC 1858), and is dropped for that.
fn later_fragment() -> Vec<u8> {
    let Flow { mut frame, .. } = flow(home(61), "203.0.113.25", 0.0);
    // The fragment offset, after the header of Ethernet.
    frame[14 + 7] = 1;
    frame
}
