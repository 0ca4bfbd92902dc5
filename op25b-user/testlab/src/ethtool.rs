//! Settings of interfaces that no netlink message has: those of ethtool, for interfaces of the calling thread's namespace.

use std::{io, mem::MaybeUninit, os::fd::AsRawFd as _};

use anyhow::{Context as _, ensure};
use socket2::{Domain, Socket, Type};

/// A structure of `linux/ethtool.h`: integers, the command first.
///
/// # Safety
///
/// It is as long as the kernel's for its command.
unsafe trait Command {}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ethtool_channels`.
#[repr(C)]
#[derive(Default)]
struct Channels {
    command: u32,
    most: [u32; 4],
    receive: u32,
    transmit: u32,
    other: u32,
    combined: u32,
}

// SAFETY: of the length of `struct ethtool_value`, which is that of ETHTOOL_SGRO, ETHTOOL_GFLAGS and ETHTOOL_SFLAGS.
unsafe impl Command for Value {}
// SAFETY: of the length of `struct ethtool_channels`, which is that of ETHTOOL_SCHANNELS.
unsafe impl Command for Channels {}

/// Turns generic receive offload on: a veth end then accepts XDP frames also while no filter runs on it; without that, a gap
/// in enforcement would not show.
pub fn turn_receive_offload_on(interface: &str) -> anyhow::Result<()> {
    const ETHTOOL_SGRO: u32 = 0x2c;
    let value = Value {
        command: ETHTOOL_SGRO,
        data: 1,
    };
    send(interface, value).with_context(|| format!("cannot turn receive offload on for {interface}"))?;
    Ok(())
}

/// Turns VLAN receive offload off: frames keep their tags, also customer tags of the other end of a veth pair.
pub fn turn_vlan_receive_offload_off(interface: &str) -> anyhow::Result<()> {
    const ETHTOOL_GFLAGS: u32 = 0x25;
    const ETHTOOL_SFLAGS: u32 = 0x26;
    const ETH_FLAG_RXVLAN: u32 = 1 << 8;
    let failed = || format!("cannot turn VLAN receive offload off for {interface}");
    let flags = Value {
        command: ETHTOOL_GFLAGS,
        data: 0,
    };
    let flags = send(interface, flags).with_context(failed)?.data;
    let value = Value {
        command: ETHTOOL_SFLAGS,
        data: flags & !ETH_FLAG_RXVLAN,
    };
    send(interface, value).with_context(failed)?;
    Ok(())
}

/// Sets the numbers of queues.
pub fn set_queues(interface: &str, receive: u32, transmit: u32) -> anyhow::Result<()> {
    const ETHTOOL_SCHANNELS: u32 = 0x3d;
    let channels = Channels {
        command: ETHTOOL_SCHANNELS,
        receive,
        transmit,
        ..Channels::default()
    };
    send(interface, channels).with_context(|| format!("cannot set the numbers of queues of {interface}"))?;
    Ok(())
}

/// Sends a command, and returns it as the kernel has left it.
fn send<C: Command>(interface: &str, mut command: C) -> anyhow::Result<C> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).context("cannot open a socket")?;
    // SAFETY: for this structure of integers and pointers all zeroes is a value.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    ensure!(
        interface.len() < request.ifr_name.len(),
        "no interface is called {interface}"
    );
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut command).cast();
    // SAFETY: the kernel reads and writes the request and, in the length that it has by the trait, the command, both of which
    // live through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(command)
}
