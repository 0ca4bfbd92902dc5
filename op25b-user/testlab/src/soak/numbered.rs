//! Numbered packets, and a count of those that arrive after the filter.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

use crate::{
    lab::{HOST_END, NetNs},
    packet_socket::PacketSocket,
};

/// How many packets are sent each time,
const BURST: u32 = 4;
/// and how often.
const PAUSE: Duration = Duration::from_millis(2);
/// How often a reader checks whether it is over.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a thread may take to end: a reader goes on as long as something comes.
const END: Duration = Duration::from_secs(30);
/// Where the packets of a socket wait while this process does not run.
const BUFFER: usize = 256 << 20;

/// Packets by source, destination port and sequence number.
type Packets = BTreeMap<(u16, u32), u64>;

/// A thread that goes on until it is stopped.
pub(super) struct Running<T> {
    /// What it does, in messages.
    what: String,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<T>>,
}

impl<T> Running<T> {
    /// Ends it; its result. One that does not end is an error: a soak that stands still would not show where.
    pub(super) fn stop(self) -> anyhow::Result<T> {
        self.stop_within(END)
    }

    fn stop_within(self, time: Duration) -> anyhow::Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + time;
        while !self.thread.is_finished() {
            ensure!(
                Instant::now() < deadline,
                "{} has not ended {time:?} after it was to",
                self.what
            );
            thread::sleep(Duration::from_millis(5));
        }
        self.thread
            .join()
            .map_err(|_| anyhow::anyhow!("a thread of the soak panicked"))?
    }
}

/// Sends numbered SYNs, alternately to each of the ports, until it is stopped; how many there were.
pub(super) fn send(host: &NetNs, from: Ipv4Addr, to: Ipv4Addr, ports: [u16; 2]) -> Running<u32> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = host.spawn(move || {
        let socket = PacketSocket::open(HOST_END)?;
        let mut number = 0;
        while !stopped.load(Ordering::Relaxed) {
            for _ in 0..BURST {
                let port = ports[usize::from(number % 2 == 1)];
                match socket.send(&frame(from, to, port, number)?) {
                    Ok(()) => number += 1,
                    // The link's queue is full: it is not sent yet.
                    Err(error) if is_full(&error) => break,
                    Err(error) => return Err(error),
                }
            }
            thread::sleep(PAUSE);
        }
        Ok(number)
    });
    let what = format!("the sender in {}", host.name());
    Running { what, stop, thread }
}

fn is_full(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.raw_os_error() == Some(libc::ENOBUFS))
}

fn frame(from: Ipv4Addr, to: Ipv4Addr, port: u16, number: u32) -> anyhow::Result<Vec<u8>> {
    let mut frame = Vec::new();
    // To an unused address: it comes in after the filter and goes no further.
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1])
        .ipv4(from.octets(), to.octets(), 64)
        .tcp(40_001, port, number, 64_240)
        .syn()
        .write(&mut frame, &[])
        .context("cannot write a SYN")?;
    Ok(frame)
}

/// Notes every TCP packet that comes in on an interface, after the filter, until it is stopped.
pub(super) fn receive(router: &NetNs, interface: &'static str) -> anyhow::Result<Running<Packets>> {
    let mut socket = router.run(move || {
        let socket = PacketSocket::open(interface)?;
        socket.enlarge(BUFFER)?;
        Ok(socket)
    })?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::spawn(move || {
        let mut packets = Packets::new();
        loop {
            match socket.receive(Instant::now() + RECEIVE_TIMEOUT)? {
                Some(frame) => {
                    if let Some(packet) = tcp(&frame) {
                        *packets.entry(packet).or_default() += 1;
                    }
                }
                // Only when nothing comes any more.
                None if stopped.load(Ordering::Relaxed) => return Ok(packets),
                None => {}
            }
        }
    });
    let what = format!("the reader of {interface}");
    Ok(Running { what, stop, thread })
}

/// The destination port and the sequence number.
fn tcp(frame: &[u8]) -> Option<(u16, u32)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    match packet.transport? {
        TransportSlice::Tcp(tcp) => Some((tcp.destination_port(), tcp.sequence_number())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_does_not_end_is_an_error_that_names_it() {
        let (release, released) = mpsc::channel::<()>();
        let running = Running {
            what: "the reader of sub0".to_owned(),
            stop: Arc::default(),
            thread: thread::spawn(move || Ok(released.recv().is_err())),
        };
        let error = running.stop_within(Duration::ZERO).unwrap_err().to_string();
        assert!(error.starts_with("the reader of sub0 has not ended"), "{error}");
        drop(release);
    }
}
