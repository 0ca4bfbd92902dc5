//! The thread that reads the ring buffer of each generation in turn, and makes documents of what is in them.

use std::{io, sync::Arc, thread};

use anyhow::Context as _;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc,
};
use tracing::{error, warn};

use super::interfaces::InterfaceNames;
use crate::{
    daemon::newest::Hub,
    datapath::{EventReader, clock, wait_for_running_programs},
    policy::{Events, Policy},
    report::{Event, MadeEvent},
};

/// The most events that are made before others can see them.
const BATCH: usize = 256;

/// The events of one generation.
pub(super) struct Generation {
    pub(super) reader: EventReader,
    pub(super) policy: Arc<Policy>,
    pub(super) events: Events,
}

/// What the thread does.
struct Reader {
    hub: Hub<Event>,
    names: InterfaceNames,
    boot_to_unix: i64,
}

/// The ring buffer of a generation, in the event loop of the thread.
struct Ring {
    fd: AsyncFd<EventReader>,
    policy: Arc<Policy>,
    events: Events,
}

/// Starts the thread, which inherits the privileges of this one. It ends with the sender of generations; `None` is one without events.
pub(super) fn start(
    hub: Hub<Event>,
    generations: mpsc::UnboundedReceiver<Option<Generation>>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot start the event loop of its thread")?;
    let reader = Reader {
        hub,
        names: InterfaceNames::default(),
        boot_to_unix: clock::boot_to_unix().context("cannot read the clocks")?,
    };
    thread::Builder::new()
        .name("events".to_owned())
        .spawn(move || runtime.block_on(reader.run(generations)))
        .context("cannot start a thread")?;
    Ok(())
}

impl Reader {
    async fn run(mut self, mut generations: mpsc::UnboundedReceiver<Option<Generation>>) {
        let mut ring = None;
        loop {
            tokio::select! {
                biased;
                next = generations.recv() => {
                    let Some(next) = next else { return };
                    if let Some(before) = ring.take() {
                        self.finish(before);
                    }
                    ring = next.and_then(|next| match Ring::of(next) {
                        Ok(ring) => Some(ring),
                        Err(error) => {
                            error!("the events of packets are not read until the next reload: {error:#}");
                            None
                        }
                    });
                    if ring.is_none() {
                        // Without `events` in the policy nothing of them is left.
                        self.hub.forget(|_| true);
                    }
                }
                readable = readable(&mut ring) => match (readable, &mut ring) {
                    (Ok(()), Some(ring)) => self.read(ring),
                    (Err(error), _) => {
                        error!(%error, "the events of packets are not read until the next reload");
                        ring = None;
                    }
                    (Ok(()), None) => {}
                },
            }
        }
    }

    /// Reads the ring buffer of a generation that was replaced to its end.
    fn finish(&mut self, mut ring: Ring) {
        // Until then a processor may run its program.
        wait_for_running_programs();
        self.read(&mut ring);
    }

    /// Reads what is in a ring buffer.
    fn read(&mut self, ring: &mut Ring) {
        match clock::boot_to_unix() {
            Ok(offset) => self.boot_to_unix = offset,
            // Times go on by the offset before.
            Err(error) => warn!(%error, "cannot read the clocks"),
        }
        loop {
            let mut sequence = self.hub.last();
            let mut events = Vec::new();
            let packets = std::iter::from_fn(|| ring.fd.get_mut().next());
            let mut taken = 0;
            for packet in packets.take(BATCH) {
                taken += 1;
                let made = MadeEvent {
                    sequence: sequence + 1,
                    policy: &ring.policy,
                    destination: ring.events.destination,
                    interface: self.names.of(packet.interface),
                    boot_to_unix: self.boot_to_unix,
                };
                if let Some(event) = Event::of(&packet, made) {
                    sequence += 1;
                    events.push(event);
                }
            }
            if !events.is_empty() {
                self.hub.add(events);
            }
            if taken < BATCH {
                return;
            }
        }
    }
}

impl Ring {
    fn of(generation: Generation) -> io::Result<Self> {
        let Generation {
            reader,
            policy,
            events,
        } = generation;
        // SAFETY: the reader owns its ring buffer, whose descriptor stays open and unchanged during its lifetime.
        let fd = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) }?;
        Ok(Self { fd, policy, events })
    }
}

/// Waits until there is something in a ring buffer; for ever without one.
async fn readable(ring: &mut Option<Ring>) -> io::Result<()> {
    match ring {
        Some(ring) => {
            // In this order: an event that is written after this makes it readable again.
            ring.fd.readable_mut().await?.clear_ready();
            Ok(())
        }
        None => std::future::pending().await,
    }
}
