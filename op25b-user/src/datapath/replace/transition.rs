//! Carries out a plan interface by interface, and undoes it if one of them fails.

use std::io;

use super::{
    attach::{Attached, attach},
    error::ReplaceError,
    plan::{How, Step},
    target::{Attachment, Target},
};
use crate::{
    datapath::{
        object::{Filter, LoadError},
        pins::{Link, Mode, Pins, PinsError, Snapshot},
        refusal::Listener,
        sys::interfaces::Interface,
    },
    policy::XdpMode,
};

/// A replacement under way.
pub(super) struct Transition<'a> {
    pub(super) pins: &'a Pins,
    pub(super) before: &'a Snapshot,
    pub(super) filter: &'a mut Filter,
    /// Hears why the kernel refuses a program, from the first step on that attaches one.
    pub(super) listener: &'a mut Option<Listener>,
    /// The steps that have been taken.
    pub(super) done: Vec<Done>,
}

/// A step that has been taken, and what ran before.
pub(super) struct Done {
    pub(super) attachment: Attachment,
    /// The program that ran, and its mode.
    before: Option<(u32, Mode)>,
    /// Whether no program ran for a moment.
    pub(super) interrupted: bool,
}

impl Transition<'_> {
    /// Takes one step.
    pub(super) fn take(&mut self, step: Step<'_>) -> Result<(), ReplaceError> {
        let Step {
            target,
            interface,
            how,
        } = step;
        self.filter.set_tunnels(&target.interface, interface.index)?;
        let done = match how {
            How::Attach => {
                let listener = self.listener.get_or_insert_with(Listener::start);
                let attached = attach(self.filter, interface, target.role, target.xdp, listener)?;
                self.pinned(target, interface, attached, None)?
            }
            How::Replace(link, info, mode) => {
                let program = self.filter.program_fd(target.role)?;
                link.replace(program, self.before.program(info.program_id))
                    .map_err(|error| ReplaceError::refused(&target.interface, Some(interface), error))?;
                let fell_back = target.xdp == XdpMode::Auto && mode == Mode::Generic;
                let attached = Attached {
                    link,
                    mode,
                    fallback: fell_back.then(|| "refused when the filter was attached".to_owned()),
                };
                Done {
                    attachment: self.attachment(target, interface, attached, true)?,
                    before: Some((info.program_id, mode)),
                    interrupted: false,
                }
            }
            How::Exchange(link, info, mode) => {
                let listener = self.listener.get_or_insert_with(Listener::start);
                link.detach().map_err(|source| ReplaceError::Detach {
                    interface: target.interface.clone(),
                    source,
                })?;
                let exchanged = attach(self.filter, interface, target.role, target.xdp, listener)
                    .map_err(ReplaceError::from)
                    .and_then(|attached| {
                        self.pinned(target, interface, attached, Some((info.program_id, mode)))
                    });
                match exchanged {
                    Ok(done) => done,
                    Err(error) => {
                        return Err(
                            match self.restore(&target.interface, interface.index, info.program_id, mode) {
                                Ok(()) => error,
                                Err(_) => ReplaceError::HalfUndone {
                                    interfaces: vec![target.interface.clone()],
                                    source: Box::new(error),
                                },
                            },
                        );
                    }
                }
            }
        };
        self.done.push(done);
        Ok(())
    }

    /// Pins a new link. Its pin gets its interface's name when nothing can fail any more: until then another link may have it.
    fn pinned(
        &mut self,
        target: &Target,
        interface: &Interface,
        attached: Attached,
        before: Option<(u32, Mode)>,
    ) -> Result<Done, ReplaceError> {
        self.pins.hold(&attached.link)?;
        Ok(Done {
            attachment: self.attachment(target, interface, attached, before.is_some())?,
            interrupted: before.is_some(),
            before,
        })
    }

    fn attachment(
        &mut self,
        target: &Target,
        interface: &Interface,
        attached: Attached,
        was_enforced: bool,
    ) -> Result<Attachment, LoadError> {
        Ok(Attachment {
            interface: target.interface.clone(),
            index: interface.index,
            role: target.role,
            mode: attached.mode.name(),
            program_id: self.filter.program_info(target.role)?.id(),
            fallback: attached.fallback,
            was_enforced,
            link: attached.link,
        })
    }

    /// Undoes the steps, the last one first.
    pub(super) fn undo(mut self, error: ReplaceError) -> ReplaceError {
        let mut failed = Vec::new();
        while let Some(done) = self.done.pop() {
            let Attachment {
                interface,
                index,
                link,
                ..
            } = done.attachment;
            let result = match done.before {
                Some((program, mode)) if done.interrupted => link
                    .detach()
                    .map_err(PinsError::refused("detach", &self.pins.link_path(&interface)))
                    .and_then(|()| self.pins.forget_link(&interface, &link))
                    .and_then(|()| self.restore(&interface, index, program, mode)),
                Some((program, _)) => self.give_back(&interface, &link, program),
                None => link
                    .detach()
                    .map_err(PinsError::refused("detach", &self.pins.link_path(&interface)))
                    .and_then(|()| self.pins.forget_link(&interface, &link)),
            };
            if result.is_err() {
                failed.push(interface);
            }
        }
        if failed.is_empty() {
            error
        } else {
            ReplaceError::HalfUndone {
                interfaces: failed,
                source: Box::new(error),
            }
        }
    }

    /// Replaces the program of a link by the one that ran before.
    fn give_back(&self, interface: &str, link: &Link, program: u32) -> Result<(), PinsError> {
        let path = self.pins.link_path(interface);
        let gone = || io::Error::other("the program before is not one of op25b's");
        let result = self
            .before
            .program(program)
            .ok_or_else(gone)
            .and_then(|program| link.replace(program, None));
        result.map_err(PinsError::refused("restore the program at", &path))
    }

    /// Attaches the program that ran on an interface before to it again, instead of what is pinned under its name: its link
    /// before, which does not run any more.
    fn restore(&self, interface: &str, index: u32, program: u32, mode: Mode) -> Result<(), PinsError> {
        let path = self.pins.link_path(interface);
        let gone = || io::Error::other("the program before is not one of op25b's");
        let result = self
            .before
            .program(program)
            .ok_or_else(gone)
            .and_then(|program| Link::create(program, index, mode));
        let link = result.map_err(PinsError::refused("restore the program at", &path))?;
        self.pins.name([(interface, &link)])
    }
}
