//! The sockets that metrics are served at. They stay open while the process that serves them is replaced, so that no client is refused.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use anyhow::anyhow;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt::{Ipv6V6Only, ReuseAddr},
};

/// The connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// The sockets that are open.
#[derive(Default)]
pub(super) struct Listeners(BTreeMap<SocketAddr, OwnedFd>);

impl Listeners {
    /// Binds those that are not bound yet. The error names the others.
    pub(super) fn bind(&mut self, wanted: &[SocketAddr]) -> anyhow::Result<()> {
        let mut failures = Vec::new();
        for address in wanted {
            if !self.0.contains_key(address) {
                match bound(*address) {
                    Ok(socket) => drop(self.0.insert(*address, socket)),
                    Err(error) => failures.push(format!("{address}: {}", described(error))),
                }
            }
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(anyhow!("cannot listen at {}", failures.join("; ")))
        }
    }

    /// Those of the wanted ones that are bound.
    pub(super) fn among(&self, wanted: &[SocketAddr]) -> Vec<SocketAddr> {
        let bound = wanted.iter().filter(|address| self.0.contains_key(address));
        bound.copied().collect()
    }

    /// The sockets of some addresses.
    pub(super) fn sockets(&self, addresses: &[SocketAddr]) -> Vec<BorrowedFd<'_>> {
        let sockets = addresses.iter().filter_map(|address| self.0.get(address));
        sockets.map(|socket| socket.as_fd()).collect()
    }

    /// Closes all others.
    pub(super) fn keep(&mut self, wanted: &[SocketAddr]) {
        self.0.retain(|address, _| wanted.contains(address));
    }
}

fn bound(address: SocketAddr) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    if address.is_ipv6() {
        // 0.0.0.0 and `[::]` with one port are two listeners.
        setsockopt(&socket, Ipv6V6Only, &true)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(socket)
}

/// Why an address cannot be listened at, with what to do.
fn described(error: nix::Error) -> String {
    let hint = match error {
        nix::Error::EADDRNOTAVAIL => "no interface has this address (yet)",
        nix::Error::EADDRINUSE => "another process listens there: `ss -ltnp` shows it",
        nix::Error::EACCES => "the daemon may not use ports below 1024",
        nix::Error::EAFNOSUPPORT | nix::Error::EPERM => {
            "the service's unit forbids it: op25b needs the drop-in metrics-server.conf, see `op25b doctor`"
        }
        _ => return io::Error::from(error).to_string(),
    };
    format!("{} ({hint})", io::Error::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_have_one_port_and_an_address_that_is_taken_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = free.local_addr().unwrap();
        let both = [
            SocketAddr::from(([127, 0, 0, 1], 0)),
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0)),
        ];
        let mut listeners = Listeners::default();
        listeners.bind(&both).unwrap();
        let error = listeners.bind(&[both[0], taken]).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{taken}: ")) && error.contains("another process listens there"),
            "{error}"
        );
        assert_eq!(listeners.among(&[taken, both[1]]), [both[1]]);
        let elsewhere = "192.0.2.77:9625".parse().unwrap();
        let error = listeners.bind(&[elsewhere]).unwrap_err().to_string();
        assert!(error.contains("no interface has this address"), "{error}");
        drop(free);
        listeners.bind(&[taken]).unwrap();
        listeners.keep(&[taken]);
        assert_eq!(listeners.among(&[both[0], taken]), [taken]);
    }
}
