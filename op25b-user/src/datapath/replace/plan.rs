//! What is pinned and running, and what is to be done on which interface to have a filter run instead.

use std::os::fd::BorrowedFd;

use super::{
    attach::{AttachError, usable, vacant},
    switch::Target,
};
use crate::{
    datapath::{
        pins::{Generation, Link, Mode, Pins, PinsError},
        sys::{
            bpf::XdpLinkInfo,
            interfaces::{Interface, Interfaces},
        },
    },
    policy::XdpMode,
};

/// What is pinned when a switch begins.
pub(crate) struct Before {
    pub(crate) links: Vec<Pinned>,
    pub(crate) generations: Vec<Generation>,
}

/// A link that is pinned.
pub(crate) struct Pinned {
    pub(crate) interface: String,
    pub(crate) link: Link,
    pub(crate) info: XdpLinkInfo,
    /// Whether another link takes its pin.
    pub(crate) is_replaced: bool,
}

impl Before {
    pub(crate) fn read(pins: &Pins) -> Result<Self, PinsError> {
        let links = pins.links()?.into_iter().map(|(interface, link)| {
            let info = link
                .info()
                .map_err(PinsError::refused("ask", &pins.link_path(&interface)))?;
            Ok(Pinned {
                interface,
                link,
                info,
                is_replaced: false,
            })
        });
        Ok(Self {
            links: links.collect::<Result<_, PinsError>>()?,
            generations: Generation::all(pins)?,
        })
    }

    /// The program of this id, if it is one of ours.
    pub(crate) fn program(&self, id: u32) -> Option<BorrowedFd<'_>> {
        self.generations
            .iter()
            .find_map(|generation| generation.program(id))
    }

    /// The generation that was switched to last. Several run only if a process died in the midst of a switch.
    pub(crate) fn latest(&self) -> Option<&Generation> {
        self.generations.iter().max_by_key(|generation| {
            let runs = self
                .links
                .iter()
                .any(|pinned| generation.program(pinned.info.program_id).is_some());
            let loaded = generation.description().map(|description| description.loaded_at);
            (runs, loaded)
        })
    }
}

/// What is to be done on one interface.
pub(super) struct Step<'a> {
    pub(super) target: &'a Target,
    pub(super) interface: &'a Interface,
    pub(super) how: How,
}

/// How the filter gets on an interface.
pub(super) enum How {
    /// It runs no filter of ours.
    Attach,
    /// It runs one in the mode that is asked for.
    Replace(Link, XdpLinkInfo, Mode),
    /// It runs one in another mode, which the kernel lets nobody change.
    Exchange(Link, XdpLinkInfo, Mode),
}

/// Finds out what is to be done, and refuses what can be known to fail: many drivers reset the link to attach in native mode.
pub(super) fn plan<'a>(
    before: &mut Before,
    interfaces: &'a Interfaces,
    targets: &'a [Target],
) -> Result<Vec<Step<'a>>, AttachError> {
    let mut steps = Vec::new();
    let mut replaced = Vec::new();
    for target in targets {
        if target.may_be_missing && interfaces.named(&target.interface).is_none() {
            continue;
        }
        let interface = usable(interfaces, &target.interface)?;
        let ours = before.links.iter().find(|pinned| {
            pinned.interface == interface.name && pinned.info.interface == Some(interface.index)
        });
        match ours {
            Some(pinned) => replaced.push((target, interface, pinned.info)),
            None => steps.push(Step {
                target,
                interface: vacant(interfaces, &target.interface, target.xdp)?,
                how: How::Attach,
            }),
        }
    }
    // Nothing is refused any more: now links may be taken from where they are listed.
    for (target, interface, info) in replaced {
        let Some(index) = before
            .links
            .iter()
            .position(|pinned| pinned.interface == interface.name)
        else {
            continue;
        };
        let link = before.links.swap_remove(index).link;
        let is_generic = interface
            .xdp
            .iter()
            .any(|xdp| xdp.program_id == info.program_id && xdp.mode == Mode::Generic.name());
        let mode = if is_generic { Mode::Generic } else { Mode::Native };
        let how = match (target.xdp, mode) {
            (XdpMode::Native, Mode::Generic) | (XdpMode::Generic, Mode::Native) => {
                How::Exchange(link, info, mode)
            }
            _ => How::Replace(link, info, mode),
        };
        steps.push(Step {
            target,
            interface,
            how,
        });
    }
    for step in &steps {
        for pinned in &mut before.links {
            pinned.is_replaced |= pinned.interface == step.interface.name;
        }
    }
    // What is most likely to fail comes first, and what nobody should be without last.
    steps.sort_by_key(|step| match step.how {
        How::Attach => 0,
        How::Replace(..) => 1,
        How::Exchange(..) => 2,
    });
    Ok(steps)
}
