//! The router's interfaces: changing them, and what the kernel reports of them, without op25b's code.

use std::{
    collections::BTreeMap,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use anyhow::Context as _;
use serde::Deserialize;

use crate::{
    bpf,
    chaos::{
        faults::Interface,
        moment::Moment,
        stage::{ELSEWHERE, INTERFACES, traffic::SECOND_END},
    },
    lab::{HOST_END, Host, Lab, NetNs},
    process::output_of,
};

/// What the names of op25b's programs begin with.
const OURS: &str = "op25b_";
/// A packet may be on its way for so long: within that time of a change it may belong to either side of it.
const UNDER_WAY: Duration = Duration::from_millis(300);

/// An interface as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The name of the XDP program that runs on it.
    pub program: Option<String>,
}

impl Link {
    /// Whether one of op25b's programs runs on it.
    pub fn is_filtered(&self) -> bool {
        self.program.as_deref().is_some_and(|name| name.starts_with(OURS))
    }
}

/// A link in the output of `ip -json -details link show`.
#[derive(Deserialize)]
struct Shown {
    ifindex: u32,
    ifname: String,
    xdp: Option<ShownXdp>,
}

#[derive(Deserialize)]
struct ShownXdp {
    prog: Option<ShownProgram>,
}

#[derive(Deserialize)]
struct ShownProgram {
    id: u32,
}

/// The interfaces of the lab's router, and their names at every time.
pub struct Network {
    router: NetNs,
    elsewhere: NetNs,
    hosts: Vec<NetNs>,
    /// The names by index, from a time on; the time of the change before, from which on they may have been so.
    names: Vec<Names>,
}

struct Names {
    perhaps_from: Moment,
    from: Moment,
    by_index: BTreeMap<u32, String>,
}

impl Network {
    /// The network of a lab that is up.
    pub fn of(lab: &Lab) -> anyhow::Result<Self> {
        let mut network = Self {
            router: lab.host(Host::Router).handle(),
            elsewhere: lab.host(ELSEWHERE).handle(),
            hosts: INTERFACES
                .iter()
                .map(|(_, host)| lab.host(*host).handle())
                .collect(),
            names: Vec::new(),
        };
        network.note_names(Moment::default())?;
        Ok(network)
    }

    /// The router.
    pub fn router(&self) -> &NetNs {
        &self.router
    }

    /// What runs where, asked now.
    pub fn links(&self) -> anyhow::Result<Vec<Link>> {
        let text = output_of(
            self.router
                .command("ip")
                .args(["-json", "-details", "link", "show"]),
        )?;
        let shown: Vec<Shown> = serde_json::from_str(&text).context("cannot read the output of ip")?;
        let links = shown.into_iter().map(|link| {
            let id = link.xdp.and_then(|xdp| xdp.prog).map(|program| program.id);
            Link {
                index: link.ifindex,
                name: link.ifname,
                // It may have ended since.
                program: id
                    .map(|id| program_name(id).unwrap_or_else(|error| format!("program {id}: {error}"))),
            }
        });
        Ok(links.collect())
    }

    /// The name that an interface had at a time; none if it may have had several.
    pub fn name_at(&self, index: u32, at: Moment) -> Option<&str> {
        let current = self.names.iter().rposition(|names| names.from <= at)?;
        let name = self.names[current].by_index.get(&index)?;
        // A change that is near, before or after, shows in both its sides.
        let mut near = self.names[..=current]
            .iter()
            .rev()
            .take_while(|names| names.from.plus(UNDER_WAY) >= at)
            .count();
        near = near.min(current);
        let after = self.names[current..]
            .iter()
            .take_while(|names| names.perhaps_from <= at.plus(UNDER_WAY))
            .count();
        let range = current - near..current + after.max(1);
        let is_same = self.names[range]
            .iter()
            .all(|names| names.by_index.get(&index) == Some(name));
        is_same.then_some(name)
    }

    /// Another name.
    pub fn rename(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        self.change(|network| {
            if network.ip(&format!("link set {from} name {to}")).is_ok() {
                return Ok(());
            }
            // Before Linux 6.2 only an interface that is down can be renamed.
            network.ip(&format!("link set {from} down"))?;
            network.ip(&format!("link set {from} name {to}"))?;
            network.ip(&format!("link set {to} up"))
        })
    }

    /// Two exchange their names.
    pub fn swap(&mut self, one: &str, other: &str) -> anyhow::Result<()> {
        self.rename(one, "swapped")?;
        self.rename(other, one)?;
        self.rename("swapped", other)
    }

    /// Moves an interface to the other namespace.
    pub fn send_away(&mut self, name: &str) -> anyhow::Result<()> {
        self.change(|network| {
            let elsewhere = network.elsewhere.name();
            network.ip(&format!("link set {name} netns {elsewhere}"))
        })
    }

    /// Moves it back.
    pub fn fetch_back(&mut self, name: &str) -> anyhow::Result<()> {
        self.change(|network| {
            let words = format!("link set {name} netns {}", network.router.name());
            run_ip(&network.elsewhere, &words)?;
            network.ip(&format!("link set {name} up"))
        })
    }

    /// Deletes one.
    pub fn delete(&mut self, name: &str) -> anyhow::Result<()> {
        self.change(|network| network.ip(&format!("link delete {name}")))
    }

    /// Makes the link to an interface's host, as it was at first.
    pub fn create(&mut self, interface: Interface, name: &str) -> anyhow::Result<()> {
        self.lay(interface, name, HOST_END)
    }

    /// Makes a second link to the host.
    pub fn create_second(&mut self, interface: Interface, name: &str) -> anyhow::Result<()> {
        self.lay(interface, name, SECOND_END)
    }

    fn lay(&mut self, interface: Interface, name: &str, end: &str) -> anyhow::Result<()> {
        self.change(|network| {
            let host = &network.hosts[interface.0];
            let peer = host.name();
            network.ip(&format!("link add {name} type veth peer name {end} netns {peer}"))?;
            network.ip(&format!("link set {name} up"))?;
            run_ip(host, &format!("link set {end} up"))
        })
    }

    fn ip(&self, words: &str) -> anyhow::Result<()> {
        run_ip(&self.router, words)
    }

    fn change(&mut self, change: impl FnOnce(&Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let before = Moment::now();
        let done = change(self);
        self.note_names(before)?;
        done
    }

    fn note_names(&mut self, perhaps_from: Moment) -> anyhow::Result<()> {
        let links = self.links()?;
        self.names.push(Names {
            perhaps_from,
            from: if self.names.is_empty() {
                perhaps_from
            } else {
                Moment::now()
            },
            by_index: links.into_iter().map(|link| (link.index, link.name)).collect(),
        });
        Ok(())
    }
}

fn run_ip(namespace: &NetNs, words: &str) -> anyhow::Result<()> {
    output_of(namespace.command("ip").args(words.split(' '))).map(drop)
}

/// The name of a loaded program, from its id.
fn program_name(id: u32) -> std::io::Result<String> {
    /// `union bpf_attr` for `BPF_PROG_GET_FD_BY_ID`.
    #[repr(C)]
    struct ById {
        id: u32,
        next: u32,
        flags: u32,
    }
    /// For `BPF_OBJ_GET_INFO_BY_FD`.
    #[repr(C)]
    struct GetInfo {
        fd: u32,
        length: u32,
        info: u64,
    }
    const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
    const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
    /// Where `struct bpf_prog_info` has the name, and its length.
    const NAME: std::ops::Range<usize> = 64..80;
    let mut by_id = ById {
        id,
        next: 0,
        flags: 0,
    };
    let fd = i32::try_from(bpf::call(BPF_PROG_GET_FD_BY_ID, &mut by_id)?).map_err(std::io::Error::other)?;
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // All counts and addresses of buffers are zero: the kernel writes the structure alone.
    let mut info = [0_u8; 80];
    let mut get = GetInfo {
        fd: fd.as_raw_fd().cast_unsigned(),
        length: u32::try_from(info.len()).map_err(std::io::Error::other)?,
        info: info.as_mut_ptr() as u64,
    };
    bpf::call(BPF_OBJ_GET_INFO_BY_FD, &mut get)?;
    let name = info[NAME].split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}
