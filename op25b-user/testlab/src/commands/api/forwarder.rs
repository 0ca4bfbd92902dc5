//! Forwards from a TCP port of a namespace's loopback to a Unix socket, for a client that speaks HTTP over TCP only.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::Context as _;

use crate::lab::NetNs;

/// What forwards; dropping it takes no more connections.
pub(super) struct Forwarder {
    port: u16,
    router: NetNs,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Forwards from a free port.
    pub(super) fn start(router: &NetNs, socket: &Path) -> anyhow::Result<Self> {
        let listener = router.run(|| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on the namespace's loopback")
        })?;
        let port = listener.local_addr().context("cannot read the port")?.port();
        let ends = Arc::new(AtomicBool::new(false));
        let (socket, ended) = (socket.to_owned(), Arc::clone(&ends));
        let accepting = thread::spawn(move || accept(&listener, &socket, &ended));
        Ok(Self {
            port,
            router: router.handle(),
            ends,
            accepting: Some(accepting),
        })
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let port = self.port;
        // One more connection wakes it up.
        let _ = self
            .router
            .run(move || Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, socket: &Path, ends: &AtomicBool) {
    for stream in listener.incoming().map_while(Result::ok) {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let socket = socket.to_owned();
        // What breaks here, the client sees as a broken connection.
        thread::spawn(move || forward(&stream, &socket));
    }
}

fn forward(client: &TcpStream, socket: &Path) -> io::Result<()> {
    let daemon = UnixStream::connect(socket)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let copied = io::copy(&mut &*client, &mut &daemon);
            let _ = daemon.shutdown(Shutdown::Write);
            copied
        });
        let copied = io::copy(&mut &daemon, &mut &*client);
        let _ = client.shutdown(Shutdown::Both);
        copied.map(drop)
    })
}
