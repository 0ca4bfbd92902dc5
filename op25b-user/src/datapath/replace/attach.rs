//! Attaches a filter to an interface in the policy's mode, unless another program runs there.

use std::io;

use aya::programs::loaded_programs;
use op25b_common::names::{SUBSCRIBER_PROGRAM, UPLINK_PROGRAM};
use thiserror::Error;

use super::kinds::{KindError, check_kind, check_neighbours};
use crate::{
    datapath::{
        object::{Filter, LoadError},
        pins::{Link, Mode},
        refusal::{Listener, Refusal},
        sys::interfaces::{Interface, InterfaceQuery, Interfaces},
    },
    policy::{Role, XdpMode},
};

/// How an interface was attached.
#[derive(Debug)]
pub(super) struct Attached {
    /// The link, not pinned yet.
    pub(super) link: Link,
    /// In the driver, or after it.
    pub(super) mode: Mode,
    /// Why it is generic although native was tried first.
    pub(super) fallback: Option<String>,
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
    /// The program can parse no packet there.
    #[error(
        "interface {0} carries no Ethernet frames, which the filter requires; \
         attach it to the underlying Ethernet interface"
    )]
    NotEthernet(String),
    /// Another XDP program runs there.
    #[error(
        "interface {interface} already runs {} (id {id}, {mode}){}; {}",
        match .name { Some(name) => format!("the XDP program {name:?}"), None => "another XDP program".into() },
        also(.name.as_deref(), *.id, *.is_other_mode),
        remedy(.interface, .name.as_deref(), .mode)
    )]
    Occupied {
        /// The interface.
        interface: String,
        /// The other program's name, if this process may read it, which takes `CAP_SYS_ADMIN`.
        name: Option<String>,
        /// The other program's id.
        id: u32,
        /// The other program's mode.
        mode: &'static str,
        /// Whether the filter was to run in another one.
        is_other_mode: bool,
    },
    /// The driver or the kernel refused.
    #[error(
        "cannot attach to interface {interface} in {mode} mode: {}{refusal}{}",
        before(refusal),
        after(refusal, mode)
    )]
    Refused {
        /// The interface.
        interface: String,
        /// The mode tried last.
        mode: &'static str,
        /// The kernel's answer.
        refusal: Refusal,
    },
    /// It is of a kind on which the filter does not belong.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// The program cannot be used.
    #[error(transparent)]
    Program(#[from] LoadError),
}

impl AttachError {
    /// Whether there is no such interface, or none any more.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::NoInterface { .. } => true,
            Self::Refused { refusal, .. } => refusal.number() == Some(libc::ENODEV),
            Self::NotEthernet(_) | Self::Occupied { .. } | Self::Kind(_) | Self::Program(_) => false,
        }
    }
}

/// How to learn the program's name if it is not known, and why it is in the way if its mode is another one.
fn also(name: Option<&str>, id: u32, is_other_mode: bool) -> String {
    let names = match name {
        Some(_) => String::new(),
        // Netlink reports the id alone, and the kernel requires CAP_SYS_ADMIN to get the name from it.
        None => format!(", `bpftool prog show id {id}` names it"),
    };
    let why = if is_other_mode {
        ", and the kernel runs no native and generic XDP at the same time on one interface"
    } else {
        ""
    };
    names + why
}

/// How to remove another program from an interface.
fn remedy(interface: &str, name: Option<&str>, mode: &str) -> String {
    if matches!(name, Some(SUBSCRIBER_PROGRAM | UPLINK_PROGRAM)) {
        return "it is the filter of another op25b, and `op25b stop --detach` with that one's `--bpffs` removes it".into();
    }
    // Without the mode the kernel looks for a program in the driver alone.
    let option = match mode {
        "generic" => "xdpgeneric",
        "offloaded" => "xdpoffload",
        _ => "xdpdrv",
    };
    format!(
        "remove it first with `ip link set dev {interface} {option} off` or, if the kernel refuses that because a link holds it, \
         by ending the process that has the link, or with `bpftool link detach`"
    )
}

/// Attaches the filter's program for `role` to an interface that is vacant.
pub(super) fn attach(
    filter: &mut Filter,
    interface: &Interface,
    role: Role,
    mode: XdpMode,
    listener: &mut Listener,
) -> Result<Attached, AttachError> {
    let program = filter.program_fd(role)?;
    listener.forget();
    let mut create = |mode| {
        Link::create(program, interface.index, mode).map_err(|error| {
            Refusal::new(
                &interface.name,
                Some(interface),
                absence(interface, error),
                listener.message(),
            )
        })
    };
    let refused = |mode: Mode, refusal| AttachError::Refused {
        interface: interface.name.clone(),
        mode: mode.name(),
        refusal,
    };
    let (mode, fallback) = match mode {
        XdpMode::Generic => (Mode::Generic, None),
        XdpMode::Native => (Mode::Native, None),
        XdpMode::Auto => match create(Mode::Native) {
            Ok(link) => {
                return Ok(Attached {
                    link,
                    mode: Mode::Native,
                    fallback: None,
                });
            }
            Err(refusal) if is_about_the_driver(&refusal) => (Mode::Generic, Some(refusal)),
            Err(refusal) => return Err(refused(Mode::Native, refusal)),
        },
    };
    Ok(Attached {
        link: create(mode).map_err(|refusal| refused(mode, refusal))?,
        mode,
        // In words only now: until the filter runs, nothing takes time that need not.
        fallback: fallback.map(|refusal| refusal.to_string()),
    })
}

/// The error of attaching to an interface, or that there is no such interface any more: the kernel has no number of its own for
/// that (EINVAL).
fn absence(interface: &Interface, error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(libc::EINVAL) {
        return error;
    }
    let found = InterfaceQuery::open().and_then(|query| query.indexed(interface.index));
    match found {
        Ok(None) => io::Error::from_raw_os_error(libc::ENODEV),
        _ => error,
    }
}

/// A program on an interface for as long as this value lives; nothing is pinned.
#[derive(Debug)]
pub struct Held {
    _link: Link,
}

impl Filter {
    /// Runs the program for `role` on an interface in native mode until the returned value is dropped, for measurements
    /// without a daemon.
    pub fn hold(
        &mut self,
        interfaces: &Interfaces,
        interface: &str,
        role: Role,
    ) -> Result<Held, AttachError> {
        let interface = vacant(interfaces, interface, XdpMode::Native)?;
        let attached = attach(self, interface, role, XdpMode::Native, &mut Listener::start())?;
        Ok(Held { _link: attached.link })
    }
}

/// The interface, if nothing that is known before trying prevents a filter from being attached to it.
pub(super) fn vacant<'a>(
    interfaces: &'a Interfaces,
    interface: &str,
    mode: XdpMode,
) -> Result<&'a Interface, AttachError> {
    let found = usable(interfaces, interface, mode)?;
    match found.xdp.first() {
        None => {
            check_neighbours(interfaces, found, mode)?;
            Ok(found)
        }
        Some(other) => Err(AttachError::Occupied {
            interface: interface.into(),
            name: program_name(other.program_id),
            id: other.program_id,
            mode: other.mode,
            is_other_mode: match mode {
                XdpMode::Auto => false,
                XdpMode::Native => other.mode == Mode::Generic.name(),
                XdpMode::Generic => other.mode == Mode::Native.name(),
            },
        }),
    }
}

/// The interface, if it exists, its frames are Ethernet, and a program in this mode sees them.
pub(super) fn usable<'a>(
    interfaces: &'a Interfaces,
    interface: &str,
    mode: XdpMode,
) -> Result<&'a Interface, AttachError> {
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
    check_kind(interfaces, found, mode)?;
    Ok(found)
}

/// Whether generic mode may work where native mode did not: the interface is available, and its driver is the obstacle.
fn is_about_the_driver(refusal: &Refusal) -> bool {
    !matches!(
        refusal.number(),
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES | libc::ENODEV)
    )
}

/// What an error number says that the kernel's message does not.
fn before(refusal: &Refusal) -> &'static str {
    match refusal.number() {
        Some(libc::EBUSY | libc::EEXIST) => "another XDP program took it in the meantime: ",
        Some(libc::ENODEV) => "it disappeared in the meantime: ",
        _ => "",
    }
}

/// What else there is to do.
fn after(refusal: &Refusal, mode: &str) -> &'static str {
    if mode == Mode::Native.name() && is_about_the_driver(refusal) {
        "; `xdp: generic` works with every driver, slower"
    } else {
        ""
    }
}

fn program_name(id: u32) -> Option<String> {
    let mut programs = loaded_programs().filter_map(Result::ok);
    let program = programs.find(|program| program.id() == id)?;
    program.name_as_str().map(str::to_owned)
}
