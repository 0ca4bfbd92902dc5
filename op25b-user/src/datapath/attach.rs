//! Puts a filter on an interface, in the mode that the policy asks for, never over somebody else's program.

use std::io;

use aya::programs::{ProgramError, XdpMode as Flags, loaded_programs};
use thiserror::Error;

use super::{Filter, Interface, Interfaces, LoadError};
use crate::policy::{Role, XdpMode};

/// How an interface was attached.
#[derive(Debug)]
pub struct Attached {
    /// `native` or `generic`.
    pub mode: &'static str,
    /// Why it is generic although native was tried first.
    pub fallback: Option<io::Error>,
}

/// Why an interface could not be attached; the interface is as it was.
#[derive(Debug, Error)]
pub enum AttachError {
    /// There is no interface of this name.
    #[error("there is no interface {interface} in this network namespace; `ip link` lists {known}")]
    NoInterface {
        /// The policy's name.
        interface: String,
        /// The names that exist.
        known: String,
    },
    /// The program would understand nothing there.
    #[error(
        "interface {0} carries no Ethernet frames, which is what the filter reads; \
         attach it to the Ethernet interface below or before it"
    )]
    NotEthernet(String),
    /// An XDP program is there already.
    #[error(
        "interface {interface} already runs the XDP program {name:?} (id {id}, {mode}); \
         remove it first, for example with `ip link set dev {interface} xdp off`, or stop the process that holds it"
    )]
    Occupied {
        /// The interface.
        interface: String,
        /// The other program's name.
        name: String,
        /// The other program's id.
        id: u32,
        /// The other program's mode.
        mode: &'static str,
    },
    /// The driver or the kernel refused.
    #[error("cannot attach to interface {interface} in {mode} mode{hint}")]
    Refused {
        /// The interface.
        interface: String,
        /// The mode tried last.
        mode: &'static str,
        /// What to do about it, if we know.
        hint: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The program is not there to be attached.
    #[error(transparent)]
    Program(#[from] LoadError),
}

/// Attaches the filter's program for `role` to `interface`.
///
/// # Errors
///
/// [`AttachError`]; interfaces attached before stay so until the filter is dropped.
pub fn attach(
    filter: &mut Filter,
    interfaces: &Interfaces,
    interface: &str,
    role: Role,
    mode: XdpMode,
) -> Result<Attached, AttachError> {
    let found = vacant(interfaces, interface)?;
    if role == Role::Subscriber {
        filter.set_tunnels(interface, found.index)?;
    }
    let refused = |mode, source: io::Error| AttachError::Refused {
        interface: interface.into(),
        mode,
        hint: hint(mode, &source),
        source,
    };
    match mode {
        XdpMode::Generic => {
            try_attach(filter, role, found.index, Flags::Skb)?.map_err(|error| refused("generic", error))?;
            Ok(Attached {
                mode: "generic",
                fallback: None,
            })
        }
        XdpMode::Native => {
            try_attach(filter, role, found.index, Flags::Driver)?
                .map_err(|error| refused("native", error))?;
            Ok(Attached {
                mode: "native",
                fallback: None,
            })
        }
        XdpMode::Auto => match try_attach(filter, role, found.index, Flags::Driver)? {
            Ok(()) => Ok(Attached {
                mode: "native",
                fallback: None,
            }),
            Err(error) if is_about_the_driver(&error) => {
                try_attach(filter, role, found.index, Flags::Skb)?
                    .map_err(|error| refused("generic", error))?;
                Ok(Attached {
                    mode: "generic",
                    fallback: Some(error),
                })
            }
            Err(error) => Err(refused("native", error)),
        },
    }
}

/// The interface, if a filter can be attached to it as far as one can tell without trying.
///
/// # Errors
///
/// [`AttachError::NoInterface`], [`AttachError::NotEthernet`] or [`AttachError::Occupied`].
pub fn vacant<'a>(interfaces: &'a Interfaces, interface: &str) -> Result<&'a Interface, AttachError> {
    let Some(found) = interfaces.named(interface) else {
        let mut known: Vec<_> = interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect();
        known.sort_unstable();
        return Err(AttachError::NoInterface {
            interface: interface.into(),
            known: known.join(", "),
        });
    };
    if !found.is_ethernet {
        return Err(AttachError::NotEthernet(interface.into()));
    }
    match found.xdp.first() {
        None => Ok(found),
        Some(other) => Err(AttachError::Occupied {
            interface: interface.into(),
            name: program_name(other.program_id),
            id: other.program_id,
            mode: other.mode,
        }),
    }
}

/// Attaches; the inner error is the kernel's.
fn try_attach(
    filter: &mut Filter,
    role: Role,
    index: u32,
    flags: Flags,
) -> Result<io::Result<()>, LoadError> {
    match filter.program(role)?.attach_to_if_index(index, flags) {
        Ok(_link) => Ok(Ok(())),
        Err(ProgramError::SyscallError(error)) => Ok(Err(error.io_error)),
        // The netlink path that aya falls back to before giving up.
        Err(ProgramError::XdpError(aya::programs::XdpError::NetlinkError(error))) => {
            Ok(Err(io::Error::other(error)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether generic mode may work where native mode did not: the interface is ours to take, its driver is the obstacle.
fn is_about_the_driver(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES | libc::ENODEV)
    )
}

fn hint(mode: &str, error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => ": another XDP program took it in the meantime",
        Some(libc::EPERM | libc::EACCES) => ": run as root or with CAP_BPF and CAP_NET_ADMIN",
        Some(libc::ENODEV) => ": it disappeared in the meantime",
        _ if mode == "native" => {
            ": its driver does not do that; `xdp: generic` works with every driver, slower"
        }
        _ => "",
    }
}

fn program_name(id: u32) -> String {
    loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .unwrap_or_default()
}
