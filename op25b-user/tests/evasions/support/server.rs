//! The server: a kernel's TCP, listening, with a record of whom it accepted.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use op25b_testlab::lab::NetNs;

/// A listener, which serves until the process ends: it sends back what it gets.
#[derive(Debug)]
pub struct Server {
    accepted: Arc<(Mutex<HashSet<SocketAddr>>, Condvar)>,
}

impl Server {
    /// Listens on a port, in both families.
    pub fn start(host: &NetNs, port: u16) -> Self {
        let listener = host
            .run(move || Ok(TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?))
            .unwrap();
        let accepted = Arc::<(Mutex<HashSet<SocketAddr>>, Condvar)>::default();
        let record = Arc::clone(&accepted);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let peer = stream.peer_addr();
                thread::spawn(move || echo(&stream));
                if let Ok(peer) = peer {
                    let (peers, news) = &*record;
                    peers.lock().unwrap().insert(canonical(peer));
                    news.notify_all();
                }
            }
        });
        Self { accepted }
    }

    /// Waits until `accept` has returned a connection with this peer; false if it does not in time.
    pub fn accepts(&self, peer: SocketAddr, patience: Duration) -> bool {
        let (peers, news) = &*self.accepted;
        let peers = peers.lock().unwrap();
        let (peers, _) = news
            .wait_timeout_while(peers, patience, |peers| !peers.contains(&peer))
            .unwrap();
        peers.contains(&peer)
    }
}

fn echo(stream: &TcpStream) {
    let (mut from, mut to) = (stream, stream);
    // The peer may be gone, or never have been there.
    let _ = io::copy(&mut from, &mut to);
}

/// A listener for both families gets IPv4 addresses mapped into IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = address.ip().to_canonical();
    SocketAddr::new(ip, address.port())
}
