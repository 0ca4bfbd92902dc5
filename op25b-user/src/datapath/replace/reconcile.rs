//! Compares what runs on each interface with what this process has attached, and attaches again.
//!
//! An interface is known by its index: its name may be given to another one, and it may be moved to another network namespace.

use std::io;

use super::{
    enforced::{Enforced, Running},
    error::ReplaceError,
    plan::{Plan, plan},
    target::{Attachment, Need, Target},
    transition::Transition,
};
use crate::{
    datapath::{
        object::Filter,
        pins::{Pins, PinsError, Snapshot},
        refusal::Listener,
        sys::{
            bpf::XdpLinkInfo,
            interfaces::{Interface, InterfaceQuery, Interfaces},
        },
    },
    policy::Role,
};

/// The state of the filter's link for an interface of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The filter runs.
    Runs,
    /// Another program was put on the link.
    Replaced {
        /// The other program.
        program_id: u32,
    },
    /// The link was detached, or its interface is gone.
    Detached {
        /// The index of the interface that it was attached to.
        index: u32,
    },
    /// The link is on an interface that bears another name now, or is in another network namespace.
    Elsewhere {
        /// The name, in this network namespace.
        name: Option<String>,
    },
    /// This process has not attached the filter to the interface.
    Absent,
}

/// A link that serves another interface of the policy than before, because its interface was renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The name of the policy's interface that it serves now.
    pub interface: String,
    /// The name before.
    pub before: String,
    /// The index of the interface.
    pub index: u32,
}

/// What following the names of interfaces has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// The links that serve another interface of the policy.
    pub renamed: Vec<Renamed>,
    /// The links that were detached.
    pub released: Vec<Released>,
}

/// A link that was detached because another interface bears the name for which it was attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The name.
    pub before: String,
    /// What its interface is called now; none if it is in another network namespace.
    pub name: Option<String>,
}

impl Enforced {
    /// The state of the link for an interface of the policy. `found` is the interface that bears the name now.
    pub fn link_state(&self, interface: &str, found: Option<&Interface>) -> io::Result<LinkState> {
        let Some(attachment) = self.attachment(interface) else {
            return Ok(LinkState::Absent);
        };
        let info = attachment.link.info()?;
        let Some(index) = info.interface else {
            return Ok(LinkState::Detached {
                index: attachment.index,
            });
        };
        Ok(if !found.is_some_and(|found| info.runs_on(found)) {
            LinkState::Elsewhere {
                name: self.name_of(attachment, index, info)?,
            }
        } else if info.program_id != attachment.program_id {
            LinkState::Replaced {
                program_id: info.program_id,
            }
        } else {
            LinkState::Runs
        })
    }

    /// What the interface of an attachment is called in this network namespace; none if it is in another one.
    fn name_of(&self, attachment: &Attachment, index: u32, info: XdpLinkInfo) -> io::Result<Option<String>> {
        let mut others = self.attachments().iter();
        // In another namespace, it may have the index of one that is filtered here.
        if others.any(|other| other.interface != attachment.interface && other.index == index) {
            return Ok(None);
        }
        name_of(index, info)
    }

    /// Whether this process has attached the filter to an interface of this index.
    #[must_use]
    pub fn has_index(&self, index: u32) -> bool {
        let mut attachments = self.attachments().iter();
        attachments.any(|attachment| attachment.index == index)
    }

    /// Has each link serve the interface of the policy whose name its interface bears now, and releases the links that another
    /// one replaces in that: whose interface lost its name to another interface.
    ///
    /// While no interface bears the name, the filter stays on the one that did: the policy may be about to get its new name.
    pub fn follow_names(
        &mut self,
        interfaces: &Interfaces,
        targets: &[Target],
    ) -> Result<Followed, ReplaceError> {
        let Some(running) = &mut self.running else {
            return Ok(Followed::default());
        };
        let infos = running.link_infos(&self.pins)?;
        let mut followed = Followed::default();
        for target in targets {
            let Some(found) = interfaces.named(&target.interface) else {
                continue;
            };
            let Some(position) = running.serving(&infos, found) else {
                continue;
            };
            let attachment = &mut running.attachments[position];
            let keeps_name = found.is_named(&attachment.interface);
            if keeps_name && attachment.index == found.index {
                continue;
            }
            attachment.serve(&mut running.filter, target, found)?;
            if !keeps_name {
                followed.renamed.push(Renamed {
                    interface: target.interface.clone(),
                    before: std::mem::replace(&mut attachment.interface, target.interface.clone()),
                    index: found.index,
                });
            }
        }
        if !followed.renamed.is_empty() {
            running.rename_pins(&self.pins, &followed.renamed)?;
        }
        running.release(&self.pins, interfaces, infos, &mut followed)?;
        Ok(followed)
    }

    /// Replaces another program on the filter's own link by the filter's.
    pub fn restore(&mut self, interface: &str) -> Result<(), ReplaceError> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let mut attachments = running.attachments.iter();
        let Some(attachment) = attachments.find(|attachment| attachment.interface == interface) else {
            return Ok(());
        };
        let program = running.filter.program_fd(attachment.role)?;
        attachment.link.replace(program, None).map_err(|error| {
            let found = InterfaceQuery::open().and_then(|query| query.indexed(attachment.index));
            ReplaceError::refused(interface, found.ok().flatten().as_ref(), error)
        })
    }

    /// Does what takes long of attaching, so that the filter is attached to an interface as soon as that appears.
    pub fn prepare(&mut self) {
        self.listener.get_or_insert_with(Listener::start);
    }

    /// Attaches the filter to the interface of one of the targets, on which it does not run: it may be a new one of an old name.
    /// Refuses if another program runs there, unless a link of ours is pinned that runs it.
    pub fn reattach(
        &mut self,
        interfaces: &Interfaces,
        targets: &[Target],
        target: &Target,
    ) -> Result<(), ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
        // Planned for all targets: two of them may be one interface.
        let targets = optional(targets);
        let Plan { steps, skipped } = plan(&mut before, interfaces, &targets)?;
        let mut skipped = skipped.into_iter();
        if let Some(skipped) = skipped.find(|skipped| skipped.interface == target.interface) {
            return Err(skipped.why.into());
        }
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let mut attachments = running.attachments.iter();
        if let Some(old) = attachments.find(|attachment| attachment.interface == target.interface) {
            // First, so that there is room.
            running.filter.forget_tunnels(old.index)?;
        }
        let mut transition = Transition {
            pins: &self.pins,
            before: &before,
            filter: &mut running.filter,
            listener: &mut self.listener,
            done: Vec::new(),
        };
        for step in steps {
            if step.target.interface == target.interface {
                transition.take(step)?;
            }
        }
        let done = transition.done.into_iter();
        let attached: Vec<_> = done.map(|done| done.attachment).collect();
        let links = attached
            .iter()
            .map(|attachment| (attachment.interface.as_str(), &attachment.link));
        self.pins.name(links)?;
        running.replace_attachment(&target.interface, attached)
    }
}

impl Running {
    fn link_infos(&self, pins: &Pins) -> Result<Vec<XdpLinkInfo>, PinsError> {
        let infos = self.attachments.iter().map(|attachment| {
            let path = pins.link_path(&attachment.interface);
            attachment.link.info().map_err(PinsError::refused("query", &path))
        });
        infos.collect()
    }

    /// The attachment whose link runs on an interface. In another network namespace an interface may have the same index and,
    /// if it is one that was filtered here, run the same program. The index of an interface changes only when it is moved to
    /// another namespace: a link that is where it was is preferred.
    fn serving(&self, infos: &[XdpLinkInfo], found: &Interface) -> Option<usize> {
        let attachments = self.attachments.iter().zip(infos).enumerate();
        let serving = attachments.filter(|(_, (_, info))| info.runs_on(found));
        let best = serving.max_by_key(|(_, (attachment, _))| {
            (
                attachment.index == found.index,
                found.is_named(&attachment.interface),
            )
        });
        best.map(|(position, _)| position)
    }

    /// Gives the pins of links that serve another interface its name.
    fn rename_pins(&self, pins: &Pins, renamed: &[Renamed]) -> Result<(), PinsError> {
        let links = || {
            renamed.iter().filter_map(|renamed| {
                let mut attachments = self.attachments.iter();
                let serves = |attachment: &&Attachment| {
                    attachment.interface == renamed.interface && attachment.index == renamed.index
                };
                Some((renamed, &attachments.find(serves)?.link))
            })
        };
        pins.name(links().map(|(renamed, link)| (renamed.interface.as_str(), link)))?;
        for (renamed, link) in links() {
            pins.forget_link(&renamed.before, link)?;
        }
        Ok(())
    }

    /// Releases the links whose name another interface bears: those that are on another interface, and those that are on none
    /// and have been replaced.
    fn release(
        &mut self,
        pins: &Pins,
        interfaces: &Interfaces,
        infos: Vec<XdpLinkInfo>,
        followed: &mut Followed,
    ) -> Result<(), ReplaceError> {
        let mut kept = Vec::new();
        let mut released = Vec::new();
        for (attachment, info) in self.attachments.drain(..).zip(infos) {
            let found = interfaces.named(&attachment.interface);
            let is_displaced = match info.interface {
                Some(_) => found.is_some_and(|found| !info.runs_on(found)),
                None => followed
                    .renamed
                    .iter()
                    .any(|renamed| renamed.interface == attachment.interface),
            };
            if is_displaced {
                released.push((attachment, info));
            } else {
                kept.push(attachment);
            }
        }
        self.attachments = kept;
        for (
            Attachment {
                interface,
                index,
                link,
                ..
            },
            info,
        ) in released
        {
            if let Some(on) = info.interface {
                let path = pins.link_path(&interface);
                let is_other = self.attachments.iter().any(|other| other.index == on);
                let name = name_of(on, info).map_err(PinsError::refused("query", &path))?;
                let name = name.filter(|_| !is_other);
                link.detach().map_err(PinsError::refused("detach", &path))?;
                followed.released.push(Released {
                    before: interface.clone(),
                    name,
                });
            }
            pins.forget_link(&interface, &link)?;
            self.forget_tunnels(index)?;
        }
        Ok(())
    }

    /// Replaces the attachment for an interface by what was attached instead. Only now that the filter runs again: until then
    /// its state stays that of the link before.
    fn replace_attachment(&mut self, interface: &str, attached: Vec<Attachment>) -> Result<(), ReplaceError> {
        let mut attachments = self.attachments.iter();
        let old = attachments.position(|attachment| attachment.interface == interface);
        let old = old.map(|old| self.attachments.swap_remove(old));
        self.attachments.extend(attached);
        match old {
            Some(old) => self.forget_tunnels(old.index),
            None => Ok(()),
        }
    }

    /// Removes the tunnels of an interface that the filter has left.
    fn forget_tunnels(&mut self, index: u32) -> Result<(), ReplaceError> {
        let mut attachments = self.attachments.iter();
        if attachments.all(|attachment| attachment.index != index) {
            self.filter.forget_tunnels(index)?;
        }
        Ok(())
    }
}

impl Attachment {
    /// Serves an interface of the policy: with its program and its tunnels, at the index that the interface has now.
    fn serve(&mut self, filter: &mut Filter, target: &Target, found: &Interface) -> Result<(), ReplaceError> {
        filter.forget_tunnels(self.index)?;
        if target.role == Role::Subscriber {
            filter.set_tunnels(&target.interface, found.index)?;
        }
        self.index = found.index;
        if self.role != target.role {
            let program = filter.program_fd(target.role)?;
            self.link
                .replace(program, None)
                .map_err(|error| ReplaceError::refused(&target.interface, Some(found), error))?;
            self.role = target.role;
            self.program_id = filter.program_info(target.role)?.id();
        }
        Ok(())
    }
}

/// The same targets, of which each may stay without the filter.
fn optional(targets: &[Target]) -> Vec<Target> {
    let optional = targets.iter().map(|target| Target {
        need: Need::Optional,
        ..target.clone()
    });
    optional.collect()
}

/// The name of the interface of this index in this network namespace, if it runs the program of the link.
fn name_of(index: u32, info: XdpLinkInfo) -> io::Result<Option<String>> {
    let found = InterfaceQuery::open()?.indexed(index)?;
    let found = found.filter(|found| info.runs_on(found));
    Ok(found.map(|found| found.name))
}
