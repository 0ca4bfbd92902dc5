//! Puts a filter on an interface, in the mode that the policy asks for, never over somebody else's program.

use std::io;

use aya::programs::loaded_programs;
use thiserror::Error;

use crate::{
    datapath::{
        object::{Filter, LoadError},
        pins::{Link, Mode},
        sys::interfaces::{Interface, Interfaces},
    },
    policy::{Role, XdpMode},
};

/// How an interface was attached.
#[derive(Debug)]
pub(super) struct Attached {
    /// The link, not pinned yet.
    pub(super) link: Link,
    /// In the driver, or behind it.
    pub(super) mode: Mode,
    /// Why it is generic although native was tried first.
    pub(super) fallback: Option<io::Error>,
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
        "interface {interface} already runs {} (id {id}, {mode}){}; \
         remove it first, for example with `ip link set dev {interface} xdp off`, or stop the process that holds it",
        match .name { Some(name) => format!("the XDP program {name:?}"), None => "another XDP program".into() },
        also(.name.as_deref(), *.id, *.is_other_mode)
    )]
    Occupied {
        /// The interface.
        interface: String,
        /// The other program's name, if this process may know it, which takes `CAP_SYS_ADMIN`.
        name: Option<String>,
        /// The other program's id.
        id: u32,
        /// The other program's mode.
        mode: &'static str,
        /// Whether the filter was to run in another one.
        is_other_mode: bool,
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

/// What else there is to say of an interface that is taken.
fn also(name: Option<&str>, id: u32, is_other_mode: bool) -> String {
    let names = match name {
        Some(_) => String::new(),
        // Netlink tells the id alone, and from there to the name the kernel asks for CAP_SYS_ADMIN.
        None => format!(", `bpftool prog show id {id}` names it"),
    };
    let why = if is_other_mode {
        ", and the kernel runs no native and generic XDP at the same time on one interface"
    } else {
        ""
    };
    names + why
}

/// Attaches the filter's program for `role` to an interface that is vacant.
pub(super) fn attach(
    filter: &mut Filter,
    interface: &Interface,
    role: Role,
    mode: XdpMode,
) -> Result<Attached, AttachError> {
    let program = filter.program_fd(role)?;
    let create = |mode| Link::create(program, interface.index, mode);
    let refused = |mode: Mode, source: io::Error| AttachError::Refused {
        interface: interface.name.clone(),
        mode: mode.name(),
        hint: hint(mode, &source),
        source,
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
            Err(error) if is_about_the_driver(&error) => (Mode::Generic, Some(error)),
            Err(error) => return Err(refused(Mode::Native, error)),
        },
    };
    Ok(Attached {
        link: create(mode).map_err(|error| refused(mode, error))?,
        mode,
        fallback,
    })
}

/// A program on an interface for as long as this value lives: nothing is pinned, and nobody looks after it.
#[derive(Debug)]
pub struct Held {
    _link: Link,
}

impl Filter {
    /// Runs the program for `role` on an interface in native mode until the answer is dropped: for measuring, where a daemon
    /// would be in the way.
    ///
    /// # Errors
    ///
    /// [`AttachError`]; the interface is as it was.
    pub fn hold(
        &mut self,
        interfaces: &Interfaces,
        interface: &str,
        role: Role,
    ) -> Result<Held, AttachError> {
        let interface = vacant(interfaces, interface, XdpMode::Native)?;
        let attached = attach(self, interface, role, XdpMode::Native)?;
        Ok(Held { _link: attached.link })
    }
}

/// The interface, if a filter can be attached to it as far as one can tell without trying.
///
/// # Errors
///
/// [`AttachError::NoInterface`], [`AttachError::NotEthernet`] or [`AttachError::Occupied`].
pub(super) fn vacant<'a>(
    interfaces: &'a Interfaces,
    interface: &str,
    mode: XdpMode,
) -> Result<&'a Interface, AttachError> {
    let found = usable(interfaces, interface)?;
    match found.xdp.first() {
        None => Ok(found),
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

/// The interface, if a filter understands what comes in there.
///
/// # Errors
///
/// [`AttachError::NoInterface`] or [`AttachError::NotEthernet`].
pub(super) fn usable<'a>(interfaces: &'a Interfaces, interface: &str) -> Result<&'a Interface, AttachError> {
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
    Ok(found)
}

/// Whether generic mode may work where native mode did not: the interface is ours to take, its driver is the obstacle.
fn is_about_the_driver(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES | libc::ENODEV)
    )
}

fn hint(mode: Mode, error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => ": another XDP program took it in the meantime",
        Some(libc::EPERM | libc::EACCES) => ": run as root or with CAP_BPF and CAP_NET_ADMIN",
        Some(libc::ENODEV) => ": it disappeared in the meantime",
        _ if mode == Mode::Native => {
            ": its driver does not do that; `xdp: generic` works with every driver, slower"
        }
        _ => "",
    }
}

fn program_name(id: u32) -> Option<String> {
    let mut programs = loaded_programs().filter_map(Result::ok);
    let program = programs.find(|program| program.id() == id)?;
    program.name_as_str().map(str::to_owned)
}
