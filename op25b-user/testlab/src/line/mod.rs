//! A customer's line, by user space at both ends: a modem in the customer's host, and an access server on the router behind
//! the filter. The kernels at both ends have an interface with plain packets; between them, at the filter, are frames as an
//! access network sends them.
//!
//! Neither VLAN devices nor PPP are needed in the kernel, and the line has a latency, as those of customers do.

mod framing;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use self::framing::Way;
pub use self::framing::{Framing, OTHER_TPID};
use crate::{
    frames::{LINE_ROUTER, LINE_SUBSCRIBER, Mac},
    lab::{Family, HOST_END, Host, Lab, NetNs},
    packet_socket::PacketSocket,
    process::output_of,
    tun::Tun,
};

/// Leaves room for every framing in a frame of 1500 bytes.
const MTU: u16 = 1400;
/// What a packet takes in each direction.
const LATENCY: Duration = Duration::from_millis(10);
/// How soon a thread sees that it is to end.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A line that is up; dropping it takes it down.
#[derive(Debug)]
pub struct Line {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// One end of it.
struct End<'l> {
    host: &'l NetNs,
    /// The interface with the frames.
    link: &'static str,
    /// The one with the packets.
    inner: String,
    here: Mac,
    there: Mac,
}

impl Line {
    /// Brings one up: the host has its addresses on it and routes through it to everywhere, and the router to the host.
    pub fn start(lab: &Lab, host: Host, framing: Framing) -> anyhow::Result<Self> {
        // The router may have several.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let inner = format!("line{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let router_end = host.router_end().context("the router has no lines to itself")?;
        let mut line = Self {
            is_over: Arc::default(),
            threads: Vec::new(),
        };
        let addresses = Family::BOTH.map(|family| host.address(family));
        let modem = End {
            host: lab.host(host),
            link: HOST_END,
            inner: inner.clone(),
            here: LINE_SUBSCRIBER,
            there: LINE_ROUTER,
        };
        line.join(&modem, framing)?;
        for address in addresses {
            let length = if address.is_ipv4() { 32 } else { 128 };
            modem.ip(&format!("addr add {address}/{length} dev {inner} nodad"))?;
        }
        for everywhere in ["default", "::/0"] {
            modem.ip(&format!("route replace {everywhere} dev {inner}"))?;
        }
        let access_server = End {
            host: lab.host(Host::Router),
            link: router_end,
            inner: inner.clone(),
            here: LINE_ROUTER,
            there: LINE_SUBSCRIBER,
        };
        line.join(&access_server, framing)?;
        for address in addresses {
            access_server.ip(&format!("route add {address} dev {inner}"))?;
        }
        Ok(line)
    }

    /// Moves packets between an end's two interfaces.
    fn join(&mut self, end: &End<'_>, framing: Framing) -> anyhow::Result<()> {
        let (link, inner, here) = (end.link, end.inner.clone(), end.here);
        let way = Way {
            from: here,
            to: end.there,
            is_up: here == LINE_SUBSCRIBER,
        };
        let open = move || {
            let sockets = (PacketSocket::open(link)?, PacketSocket::open(link)?);
            Ok((sockets, Tun::create(&inner)?))
        };
        let ((mut frames, out), mut packets) = end.host.run(open)?;
        let mut into_kernel = packets.handle()?;
        end.ip(&format!("link set {} mtu {MTU} up", end.inner))?;
        let inner = end.inner.clone();
        end.host.run(move || {
            // Packets come in here from addresses that another interface may have.
            for interface in ["all", &inner] {
                fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter"), "0")
                    .context("cannot turn a reverse path filter off")?;
            }
            Ok(())
        })?;
        self.work(move || {
            let Some(frame) = frames.receive(Instant::now() + CHECK_INTERVAL)? else {
                return Ok(());
            };
            // The socket also receives what goes out, and what is for the link's kernels.
            if frame.starts_with(&here)
                && let Some(packet) = framing.packet(&frame)
            {
                into_kernel.send(packet)?;
            }
            Ok(())
        });
        self.work(move || {
            if let Some(packet) = packets.receive_until(Instant::now() + CHECK_INTERVAL)? {
                thread::sleep(LATENCY);
                out.send(&framing.frame(way, &packet)?)?;
            }
            Ok(())
        });
        Ok(())
    }

    /// Repeats a step until the line is taken down. It may fail for one packet, such as one that a kernel refuses, and not
    /// for the next.
    fn work(&mut self, mut step: impl FnMut() -> anyhow::Result<()> + Send + 'static) {
        let is_over = Arc::clone(&self.is_over);
        self.threads.push(thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let _ = step();
            }
        }));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It returns nothing.
            let _ = thread.join();
        }
    }
}

impl End<'_> {
    /// Configures the host, in `ip`'s words.
    fn ip(&self, words: &str) -> anyhow::Result<()> {
        let output = output_of(self.host.command("ip").args(words.split(' ')))?;
        ensure!(output.is_empty(), "ip {words}: {output}");
        Ok(())
    }
}
