//! A TUN interface: this process reads and writes its packets, for tunnels that a kernel may have no driver for.

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _},
    time::Instant,
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// Packets of the lab's links fit in it.
const LONGEST_PACKET: usize = 2048;

/// An interface in the namespace of the thread that made it; dropping the last handle removes it.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

impl Tun {
    /// Makes one, which is down.
    pub fn create(name: &str) -> anyhow::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .context("cannot open /dev/net/tun")?;
        let mut request = request(name)?;
        // Without a header before each packet.
        let flags = i16::try_from(libc::IFF_TUN | libc::IFF_NO_PI).context("not flags")?;
        request.ifr_ifru.ifru_flags = flags;
        // SAFETY: the kernel reads and writes the structure that it is given for this request.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        if result < 0 {
            return Err(io::Error::last_os_error())
                .with_context(|| format!("cannot make the TUN interface {name}"));
        }
        Ok(Self { file })
    }

    /// Another handle to it.
    pub fn handle(&self) -> anyhow::Result<Self> {
        let file = self.file.try_clone().context("cannot duplicate a descriptor")?;
        Ok(Self { file })
    }

    /// Waits for a packet that the kernel sends through the interface.
    pub fn receive(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut packet = vec![0; LONGEST_PACKET];
        let length = self
            .file
            .read(&mut packet)
            .context("cannot read from a TUN interface")?;
        packet.truncate(length);
        Ok(packet)
    }

    /// The same; none if none comes in time.
    pub fn receive_until(&mut self, deadline: Instant) -> anyhow::Result<Option<Vec<u8>>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).context("too long to wait")?;
        let mut waits = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waits, left) {
            Ok(0) | Err(Errno::EINTR) => Ok(None),
            Ok(_) => self.receive().map(Some),
            Err(error) => Err(error).context("cannot wait for a TUN interface"),
        }
    }

    /// Lets the kernel receive a packet from the interface.
    pub fn send(&mut self, packet: &[u8]) -> anyhow::Result<()> {
        self.file
            .write_all(packet)
            .context("cannot write to a TUN interface")
    }
}

/// A request about the interface of this name.
fn request(name: &str) -> anyhow::Result<libc::ifreq> {
    let name = CString::new(name)?;
    let name = name.as_bytes_with_nul();
    // SAFETY: for this structure of numbers and of a pointer all zeroes is a value.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    anyhow::ensure!(
        name.len() <= request.ifr_name.len(),
        "an interface's name is too long"
    );
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed();
    }
    Ok(request)
}
