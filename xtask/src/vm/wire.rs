//! Both ends of the router's wires: a subscriber that never stops sending, and the Internet that counts what arrives.
//!
//! The wires are sockets of the emulator's: a frame that the guest cannot take yet waits, and none is lost on the way.

use std::{
    collections::HashMap,
    fmt, fs, io,
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;

use super::{frame, machine::Nic};

/// The port that is blocked, and the one that is not and shows that the way is free.
pub const PORTS: [u16; 2] = [25, 587];
/// The position of the latter.
const ALLOWED: usize = 1;
/// How often the subscriber sends.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a frame may wait in the guest.
const LATE: Duration = Duration::from_secs(20);
/// How many of the lost frames are listed.
const SHOWN: usize = 10;
/// How often it is checked whether more has arrived, or all is over.
const PATIENCE: Duration = Duration::from_millis(50);

/// The wires.
#[derive(Debug)]
pub struct Wires {
    directory: TempDir,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads and the test have in common.
#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    /// How many of each flow are sent at once.
    burst: AtomicU32,
    /// How many of each flow were sent; the next number.
    sent: [AtomicU32; 2],
    /// When each of the allowed flow was sent.
    sent_at: Mutex<Vec<Instant>>,
    /// The numbers that arrived of each flow, and when.
    arrived: Mutex<[HashMap<u32, Instant>; 2]>,
}

/// A moment, by the numbers that were sent before.
#[derive(Clone, Copy, Debug)]
pub struct Moment([u32; 2]);

/// What happened to the frames since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// SYNs to the blocked port that were sent.
    pub blocked: u32,
    /// Of these, those that arrived.
    pub leaked: u32,
    /// SYNs to the other port that were sent.
    pub allowed: u32,
    /// Of these, those that did not arrive.
    pub lost: u32,
}

/// Where and when frames were lost.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// Those that did not arrive: which one of its flow each was since the start, and how long after the start it was sent.
    missing: Vec<(u32, Duration)>,
    /// How long the slowest of the others took.
    slowest: Duration,
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the slowest frame took {} ms", self.slowest.as_millis())?;
        for (number, after) in self.missing.iter().take(SHOWN) {
            write!(
                f,
                "; number {number}, sent after {} ms, did not arrive",
                after.as_millis()
            )?;
        }
        Ok(())
    }
}

impl Moment {
    /// How many frames of both flows were sent from a moment to this one.
    pub const fn frames_since(self, start: Self) -> u32 {
        self.0[0] - start.0[0] + self.0[1] - start.0[1]
    }
}

impl Wires {
    /// Makes the sockets on this side.
    pub fn new() -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            burst: AtomicU32::new(1),
            sent: [0, 0].map(AtomicU32::new),
            sent_at: Mutex::default(),
            arrived: Mutex::default(),
        });
        Ok(Self {
            directory: tempfile::tempdir().context("cannot make a temporary directory")?,
            shared,
            threads: Vec::new(),
        })
    }

    /// Where the sockets are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts to send and to count; the emulator has to run.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let subscriber = self.connect(Nic::Subscribers)?;
        let replies = subscriber.try_clone()?;
        let internet = self.connect(Nic::Uplink)?;
        for socket in [&replies, &internet] {
            socket.set_read_timeout(Some(PATIENCE))?;
        }
        subscriber.set_write_timeout(Some(PAUSE))?;
        let shared = Arc::clone(&self.shared);
        self.threads
            .push(thread::spawn(move || send(&subscriber, &shared)));
        for socket in [replies, internet] {
            let shared = Arc::clone(&self.shared);
            self.threads
                .push(thread::spawn(move || receive(&socket, &shared)));
        }
        Ok(())
    }

    fn connect(&self, nic: Nic) -> anyhow::Result<UnixDatagram> {
        let [near, far] = ["guest", "host"].map(|end| nic.socket(self.directory(), end));
        if far.exists() {
            fs::remove_file(&far)?;
        }
        let socket = UnixDatagram::bind(&far).with_context(|| format!("cannot make {}", far.display()))?;
        socket
            .connect(&near)
            .with_context(|| format!("cannot connect to {}", near.display()))?;
        Ok(socket)
    }

    /// Sends so many of each flow at once from now on, every 5 ms.
    pub fn send_at_once(&self, burst: u32) {
        self.shared.burst.store(burst, Ordering::Relaxed);
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        Moment([0, 1].map(|flow: usize| self.shared.sent[flow].load(Ordering::SeqCst)))
    }

    /// What happened between two moments, once the last frame has arrived or could have.
    pub fn between(&self, start: Moment, end: Moment) -> Traffic {
        let deadline = Instant::now() + LATE;
        loop {
            let traffic = self.shared.count(start, end);
            if traffic.lost == 0 || Instant::now() > deadline {
                return traffic;
            }
            thread::sleep(PATIENCE);
        }
    }

    /// Which SYNs to the allowed port did not arrive that were sent between two moments, and how long the others took.
    pub fn losses(&self, start: Moment, end: Moment) -> Losses {
        let (from, to) = (start.0[ALLOWED], end.0[ALLOWED]);
        let sent_at = self.shared.sent_at();
        let arrived = self.shared.arrived();
        let at = |number: u32| {
            usize::try_from(number)
                .ok()
                .and_then(|number| sent_at.get(number))
        };
        let mut losses = Losses::default();
        for number in from..to {
            let (Some(began), Some(sent)) = (at(from), at(number)) else {
                break;
            };
            if let Some(arrived) = arrived[ALLOWED].get(&number) {
                let took = arrived.saturating_duration_since(*sent);
                losses.slowest = losses.slowest.max(took);
            } else {
                let after = sent.saturating_duration_since(*began);
                losses.missing.push((number - from, after));
            }
        }
        losses
    }

    /// Waits until a SYN to the allowed port arrives that was sent from now on; whether one did.
    pub fn wait_for_arrival(&self, limit: Duration) -> bool {
        let from = self.now().0[ALLOWED];
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.shared.arrived()[ALLOWED]
                .keys()
                .any(|number| *number >= from)
            {
                return true;
            }
            thread::sleep(PATIENCE);
        }
        false
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn count(&self, Moment(start): Moment, Moment(end): Moment) -> Traffic {
        let arrived = self.arrived();
        let [leaked, passed] = [0, 1].map(|flow: usize| {
            let numbers = start[flow]..end[flow];
            let count = arrived[flow]
                .keys()
                .filter(|number| numbers.contains(number))
                .count();
            u32::try_from(count).unwrap_or(u32::MAX)
        });
        let allowed = end[ALLOWED] - start[ALLOWED];
        Traffic {
            blocked: end[0] - start[0],
            leaked,
            allowed,
            lost: allowed - passed,
        }
    }

    fn arrived(&self) -> MutexGuard<'_, [HashMap<u32, Instant>; 2]> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent_at(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.sent_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn send(socket: &UnixDatagram, shared: &Shared) {
    while !shared.is_over() {
        for _ in 0..shared.burst.load(Ordering::Relaxed) {
            for (port, sent) in PORTS.into_iter().zip(&shared.sent) {
                match socket.send(&frame::syn(port, sent.load(Ordering::SeqCst))) {
                    Ok(_) => {
                        if port == PORTS[ALLOWED] {
                            shared.sent_at().push(Instant::now());
                        }
                        sent.fetch_add(1, Ordering::SeqCst);
                    }
                    // The guest takes nothing yet, as while it boots: this one is sent again.
                    Err(error) if is_full(&error) => {}
                    Err(_) => return,
                }
            }
        }
        thread::sleep(PAUSE);
    }
}

fn receive(socket: &UnixDatagram, shared: &Shared) {
    let mut buffer = [0; 2048];
    while !shared.is_over() {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let Some((port, number)) = frame::read(&buffer[..length]) else {
                    continue;
                };
                if let Some(flow) = PORTS.iter().position(|other| *other == port) {
                    let now = Instant::now();
                    shared.arrived()[flow].entry(number).or_insert(now);
                }
            }
            Err(error) if is_full(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether nothing can be sent, or received, just now.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
