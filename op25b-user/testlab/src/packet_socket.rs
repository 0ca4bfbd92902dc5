//! Raw frames in and out of an interface (`AF_PACKET`), for protocols that the kernel does not implement.

use std::{
    ffi::CString,
    io,
    mem::{MaybeUninit, size_of},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

/// `ETH_P_IP`, in the type of the header's field.
const ETH_P_IP: u16 = 0x0800;
/// No frame is longer: an IP packet of 64 KiB and what comes before it.
const LONGEST: usize = 65_536 + 64;

/// A socket bound to one interface of the calling thread's namespace.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    /// Opens one.
    pub fn open(interface: &str) -> anyhow::Result<Self> {
        // Without a protocol until it is bound: else it would receive from every interface for a moment.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))
            .context("cannot open a packet socket")?;
        let address = address(interface).with_context(|| format!("there is no interface {interface}"))?;
        socket
            .bind(&address)
            .with_context(|| format!("cannot bind a packet socket to {interface}"))?;
        Ok(Self { socket })
    }

    /// Opens one for the IPv4 packets that come in on any interface of the calling thread's namespace.
    pub fn open_all() -> anyhow::Result<Self> {
        let protocol = Protocol::from(i32::from((ETH_P_IP).to_be()));
        let socket =
            Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).context("cannot open a packet socket")?;
        Ok(Self { socket })
    }

    /// Gives it room for so many bytes of frames that have not been read yet; takes `CAP_NET_ADMIN`.
    pub fn enlarge(&self, bytes: usize) -> anyhow::Result<()> {
        setsockopt(&self.socket, RcvBufForce, &bytes).context("cannot enlarge a packet socket's buffer")
    }

    /// Sends a whole frame.
    pub fn send(&self, frame: &[u8]) -> anyhow::Result<()> {
        let sent = self.socket.send(frame).context("cannot send a frame")?;
        anyhow::ensure!(
            sent == frame.len(),
            "only {sent} of {} bytes were sent",
            frame.len()
        );
        Ok(())
    }

    /// Waits for a frame that holds `needle`; false if none comes in time.
    ///
    /// The kernel takes the outermost VLAN tag off before a packet socket sees a frame, so whole frames do not
    /// compare.
    pub fn sees(&mut self, needle: &[u8], patience: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + patience;
        while let Some(frame) = self.receive(deadline)? {
            if frame.windows(needle.len()).any(|window| window == needle) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for the next frame, the outermost VLAN tag taken off; none if none comes in time.
    pub fn receive(&mut self, deadline: Instant) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.next(deadline)?.map(|(frame, _)| frame))
    }

    /// The same with the index of the interface that it came in on.
    pub fn receive_from(&mut self, deadline: Instant) -> anyhow::Result<Option<(Vec<u8>, u32)>> {
        while let Some((frame, from)) = self.next(deadline)? {
            if let Some(from) = link_layer(&from) {
                return Ok(Some((frame, from.sll_ifindex.cast_unsigned())));
            }
        }
        Ok(None)
    }

    /// Waits for the next frame that this host itself sends out here, tags and all; none if none goes out in time.
    pub fn receive_sent(&mut self, deadline: Instant) -> anyhow::Result<Option<Vec<u8>>> {
        while let Some((frame, from)) = self.next(deadline)? {
            if is_outgoing(&from) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// The next frame in either direction, and its address, which holds the direction.
    fn next(&mut self, deadline: Instant) -> anyhow::Result<Option<(Vec<u8>, SockAddr)>> {
        let mut buffer = Vec::with_capacity(LONGEST);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            limit_wait(&self.socket, left).context("cannot set a packet socket's timeout")?;
            match self.socket.recv_from(buffer.spare_capacity_mut()) {
                Ok((length, from)) => {
                    // SAFETY: the kernel has written so many bytes to the buffer's start.
                    unsafe { buffer.set_len(length) };
                    return Ok(Some((buffer, from)));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error).context("cannot read from a packet socket"),
            }
        }
    }
}

/// Has a socket wait for so long at most.
///
/// The kernel counts in microseconds, and to it zero is no limit: what is left of a time would be for ever if it was shorter than one.
fn limit_wait(socket: &Socket, time: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(time.max(Duration::from_micros(1))))
}

/// Whether a packet socket's sender address marks the frame as outgoing.
fn is_outgoing(address: &SockAddr) -> bool {
    link_layer(address).is_some_and(|address| address.sll_pkttype == libc::PACKET_OUTGOING)
}

/// A packet socket's sender address.
fn link_layer(address: &SockAddr) -> Option<libc::sockaddr_ll> {
    let is_link =
        address.domain() == Domain::PACKET && address.len() as usize >= size_of::<libc::sockaddr_ll>();
    // SAFETY: it is the address of a link layer, and long enough for one.
    is_link.then(|| unsafe { *address.as_ptr().cast::<libc::sockaddr_ll>() })
}

/// All protocols on an interface.
#[expect(
    clippy::cast_possible_truncation,
    reason = "constants and a structure's size, all of which fit"
)]
fn address(interface: &str) -> io::Result<SockAddr> {
    let name = CString::new(interface)?;
    // SAFETY: the string ends in a zero byte and lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: for this structure of integers all zeroes is a value.
    let mut link: libc::sockaddr_ll = unsafe { MaybeUninit::zeroed().assume_init() };
    link.sll_family = libc::AF_PACKET as libc::sa_family_t;
    link.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    link.sll_ifindex = index.cast_signed();
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: a sockaddr_ll is one of the structures that the storage is made for.
    unsafe { *storage.view_as::<libc::sockaddr_ll>() = link };
    // SAFETY: the storage was filled with a structure of that length above.
    Ok(unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_little_time_is_left_a_socket_does_not_wait_for_ever() {
        // The option is the same for each kind of socket, and this one needs no privilege.
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        for left in [1, 999, 1000, 200_000_000].map(Duration::from_nanos) {
            limit_wait(&socket, left).unwrap();
            let limit = socket.read_timeout().unwrap();
            assert!(limit.is_some_and(|limit| !limit.is_zero()), "{left:?}: {limit:?}");
        }
    }
}
