//! XDP links: the attachment of a program to an interface, which outlives the process once the link is pinned.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use aya_obj::generated::{XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};

use crate::datapath::sys::{
    bpf::{self, XdpLinkInfo},
    interfaces::Interface,
};

/// Where a linked program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the driver.
    Native,
    /// In the network stack, after the driver.
    Generic,
}

impl Mode {
    /// Its name in output and in the policy.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }

    /// The flags of `linux/if_link.h`.
    fn flags(self) -> u32 {
        match self {
            Self::Native => XDP_FLAGS_DRV_MODE,
            Self::Generic => XDP_FLAGS_SKB_MODE,
        }
    }
}

/// An XDP link. Dropping it detaches the program, unless the link is pinned.
#[derive(Debug)]
pub(crate) struct Link(OwnedFd);

impl Link {
    /// Attaches a program to the interface of this index.
    pub(crate) fn create(program: BorrowedFd<'_>, interface: u32, mode: Mode) -> io::Result<Self> {
        bpf::create_xdp_link(program, interface, mode.flags()).map(Self)
    }

    /// Opens the link pinned at `path`, whichever process pinned it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        bpf::open_pin(path).map(Self)
    }

    /// Opens what is pinned at `path` if it is an XDP link; none if it is anything else.
    pub(crate) fn open_if_link(path: &Path) -> io::Result<Option<Self>> {
        if !path.symlink_metadata()?.is_file() {
            return Ok(None);
        }
        let link = Self::open(path)?;
        // Asked before the information: the kernel reports that of a map or a program in the same way.
        let is_link = bpf::is_link(link.0.as_fd())? && bpf::xdp_link_info(link.0.as_fd())?.is_some();
        Ok(is_link.then_some(link))
    }

    /// Pins it, so that it outlives this process.
    pub(crate) fn pin(&self, path: &Path) -> io::Result<()> {
        bpf::pin(self.0.as_fd(), path)
    }

    /// Replaces `old` by `program` between two packets; whatever runs, if `old` is not given.
    pub(crate) fn replace(&self, program: BorrowedFd<'_>, old: Option<BorrowedFd<'_>>) -> io::Result<()> {
        bpf::update_link(self.0.as_fd(), program, old)
    }

    /// Detaches the program, even if the link is pinned.
    pub(crate) fn detach(&self) -> io::Result<()> {
        bpf::detach_link(self.0.as_fd())
    }

    /// The program and the interface that it connects now.
    pub(crate) fn info(&self) -> io::Result<XdpLinkInfo> {
        bpf::xdp_link_info(self.0.as_fd())?
            .ok_or_else(|| io::Error::other("the pinned object is not an XDP link"))
    }
}

impl XdpLinkInfo {
    /// Whether the link runs its program on this interface of this process's network namespace. The index alone does not
    /// show that: the link's interface may have the same one in another namespace.
    pub(crate) fn runs_on(&self, interface: &Interface) -> bool {
        self.interface == Some(interface.index)
            && interface.xdp.iter().any(|xdp| xdp.program_id == self.program_id)
    }
}
