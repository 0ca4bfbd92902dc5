//! Numbered packets into every subscriber interface, and which of them came through the filter.
//!
//! Every 5 ms each line sends three: to a port that is not filtered, from an exempt address to port 25, and from an enforced
//! pool to port 25. The first shows whether the line works at all. A packet socket for all interfaces of the router sees what
//! comes in after XDP, wherever an interface is attached, whatever it is called and whether or not it has addresses.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use etherparse::PacketBuilder;
use nix::net::if_::if_nametoindex;

use crate::{
    chaos::{faults::Interface, moment::Moment, stage::INTERFACES},
    lab::{HOST_END, Host, Lab},
    packet_socket::PacketSocket,
};

/// How often packets are sent.
pub const INTERVAL: Duration = Duration::from_millis(5);
/// The host's end of a second link, to an interface that takes the name of the first one.
pub const SECOND_END: &str = "eth1";
/// Where packets go. Their link-layer address is unused: the router receives them, and its stack drops them.
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 25);
/// Room for what has come in while this process did not run.
const BUFFER: usize = 64 << 20;
/// How often the receiver checks whether it is over.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);
/// A source port for each kind, from here on.
const FIRST_PORT: u16 = 40_001;
/// How much of a line's history is kept, in ticks: ten minutes of it.
const KEPT: usize = 120_000;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It passes whatever is enforced.
    Reference,
    /// It passes, as its source is exempt.
    Exempt,
    /// It is dropped where the filter runs.
    Blocked,
}

const KINDS: [Kind; 3] = [Kind::Reference, Kind::Exempt, Kind::Blocked];

/// Three packets that were sent at once, and the index of the interface that each came in on, if it did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tick {
    /// When they were sent.
    pub sent: Moment,
    /// By kind.
    pub arrived: [Option<u32>; 3],
}

impl Tick {
    /// Where the packet of a kind came in.
    pub fn arrived(&self, kind: Kind) -> Option<u32> {
        self.arrived[kind as usize]
    }
}

/// A cable: from a host to whatever interface it leads to.
pub struct Line {
    /// The interface that it is laid to.
    pub interface: Interface,
    end: &'static str,
    source: [Ipv4Addr; 3],
    ticks: Mutex<Ticks>,
}

#[derive(Default)]
struct Ticks {
    /// The number of the first one that is kept.
    first: usize,
    kept: VecDeque<Tick>,
}

impl Line {
    fn new(number: usize, interface: Interface, end: &'static str) -> Self {
        let network = u8::try_from(number).unwrap_or(u8::MAX);
        let blocked = Ipv4Addr::new(198, 18, network, 5);
        Self {
            interface,
            end,
            source: [blocked, exempt(number), blocked],
            ticks: Mutex::default(),
        }
    }

    fn ticks(&self) -> MutexGuard<'_, Ticks> {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those sent within a time.
    pub fn between(&self, from: Moment, until: Moment) -> Vec<Tick> {
        let ticks = self.ticks();
        let kept = ticks.kept.iter();
        kept.filter(|tick| tick.sent >= from && tick.sent < until)
            .copied()
            .collect()
    }

    /// Sends what is due.
    fn send(&self, socket: &PacketSocket) -> anyhow::Result<()> {
        let number = {
            let mut ticks = self.ticks();
            if ticks.kept.len() == KEPT {
                ticks.kept.pop_front();
                ticks.first += 1;
            }
            ticks.kept.push_back(Tick {
                sent: Moment::now(),
                ..Tick::default()
            });
            ticks.first + ticks.kept.len() - 1
        };
        for kind in KINDS {
            socket.send(&self.frame(kind, number)?)?;
        }
        Ok(())
    }

    fn frame(&self, kind: Kind, number: usize) -> anyhow::Result<Vec<u8>> {
        let port = if kind == Kind::Reference { 443 } else { 25 };
        let sequence = u32::try_from(number).context("too many packets")?;
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1])
            .ipv4(self.source[kind as usize].octets(), SERVER.octets(), 64)
            .tcp(FIRST_PORT + kind as u16, port, sequence, 64_240)
            .syn()
            .write(&mut frame, &[])
            .context("cannot write a SYN")?;
        Ok(frame)
    }

    fn note(&self, kind: usize, number: usize, index: u32) {
        let mut ticks = self.ticks();
        let first = ticks.first;
        let position = number.checked_sub(first);
        if let Some(tick) = position.and_then(|position| ticks.kept.get_mut(position)) {
            tick.arrived[kind] = Some(index);
        }
    }
}

/// The address of a line's exempt customer.
fn exempt(line: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, u8::try_from(line).unwrap_or(u8::MAX), 200)
}

/// The addresses that have to be exempt.
pub fn customers() -> impl Iterator<Item = Ipv4Addr> {
    (0..INTERFACES.len() * 2).map(exempt)
}

/// The packets and their receiver; dropping it ends them.
pub struct Traffic {
    /// All lines: those of the first links, then those of the second ones.
    pub lines: Arc<Vec<Line>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Traffic {
    /// Starts it.
    pub fn start(lab: &Lab) -> anyhow::Result<Self> {
        let first = Interface::all().map(|interface| (interface, HOST_END));
        let second = Interface::all().map(|interface| (interface, SECOND_END));
        let lines = first
            .chain(second)
            .enumerate()
            .map(|(number, (interface, end))| Line::new(number, interface, end));
        let mut traffic = Self {
            lines: Arc::new(lines.collect()),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let mut socket = lab.host(Host::Router).run(|| {
            let socket = PacketSocket::open_all()?;
            socket.enlarge(BUFFER)?;
            Ok(socket)
        })?;
        let (lines, stop) = (Arc::clone(&traffic.lines), Arc::clone(&traffic.stop));
        traffic.threads.push(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Some((frame, index)) = socket.receive_from(Instant::now() + RECEIVE_TIMEOUT)?
                    && let Some((line, kind, number)) = parse(&frame)
                    && let Some(line) = lines.get(line)
                {
                    line.note(kind, number, index);
                }
            }
            Ok(())
        }));
        for number in 0..traffic.lines.len() {
            let (lines, stop) = (Arc::clone(&traffic.lines), Arc::clone(&traffic.stop));
            let (_, host) = INTERFACES[lines[number].interface.0];
            let thread = lab.host(host).spawn(move || {
                send(&lines[number], &stop);
                Ok(())
            });
            traffic.threads.push(thread);
        }
        Ok(traffic)
    }

    /// An error if one of its threads has ended, after which nothing is proved any more.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.threads.iter().any(JoinHandle::is_finished),
            "a thread of the traffic has ended"
        );
        Ok(())
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // What it returns concerns a walk that is over.
            let _ = thread.join();
        }
    }
}

/// Sends into a line while it is there.
fn send(line: &Line, stop: &AtomicBool) {
    let mut socket = None;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        // A packet socket that is closed waits for all CPUs: none is opened in vain.
        if socket.is_none() && if_nametoindex(line.end).is_ok() {
            socket = PacketSocket::open(line.end).ok();
        }
        // The interface is gone, or its queue is full: the tick stays without arrivals, and the next one tries again.
        if socket.as_ref().is_some_and(|socket| line.send(socket).is_err()) {
            socket = None;
        }
        due += INTERVAL;
        let now = Instant::now();
        match due.checked_duration_since(now) {
            Some(left) => thread::sleep(left),
            // What was missed is not sent in a burst.
            None => due = now,
        }
    }
}

/// The line, kind and number of a packet of this traffic.
fn parse(frame: &[u8]) -> Option<(usize, usize, usize)> {
    let packet = frame.get(14..)?;
    let [198, 18, line, _] = *packet.get(12..16)? else {
        return None;
    };
    let tcp = packet.get(20..)?;
    let port = u16::from_be_bytes(tcp.get(..2)?.try_into().ok()?);
    let kind = usize::from(port.checked_sub(FIRST_PORT)?);
    let number = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    (kind < KINDS.len()).then_some((line.into(), kind, usize::try_from(number).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_recognized_by_its_source_port_and_number() {
        let line = Line::new(4, Interface(1), SECOND_END);
        for (number, kind) in KINDS.into_iter().enumerate() {
            let frame = line.frame(kind, 70_000 + number).unwrap();
            assert_eq!(parse(&frame), Some((4, kind as usize, 70_000 + number)));
        }
        assert_eq!(parse(&[0; 60]), None);
    }
}
