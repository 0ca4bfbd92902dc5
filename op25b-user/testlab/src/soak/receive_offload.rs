//! Has a veth end accept XDP frames also while no filter runs on it; without that, a gap in enforcement would not show.

use std::{io, mem::MaybeUninit, os::fd::AsRawFd as _};

use anyhow::{Context as _, ensure};
use socket2::{Domain, Socket, Type};

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Turns generic receive offload on, for an interface of the calling thread's namespace.
pub(super) fn turn_on(interface: &str) -> anyhow::Result<()> {
    const ETHTOOL_SGRO: u32 = 0x2c;
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).context("cannot open a socket")?;
    let mut value = Value {
        command: ETHTOOL_SGRO,
        data: 1,
    };
    // SAFETY: for this structure of integers and pointers all zeroes is a value.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    ensure!(
        interface.len() < request.ifr_name.len(),
        "no interface is called {interface}"
    );
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the kernel reads the request and the value after it, both of which live through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error())
            .with_context(|| format!("cannot turn receive offload on for {interface}"));
    }
    Ok(())
}
