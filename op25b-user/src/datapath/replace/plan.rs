//! Plans how a filter gets on each interface, from what is pinned and what runs there.

use super::{
    attach::{AttachError, usable, vacant},
    kinds::check_together,
    target::Target,
};
use crate::{
    datapath::{
        pins::{Link, Mode, Snapshot},
        sys::{
            bpf::XdpLinkInfo,
            interfaces::{Interface, Interfaces},
        },
    },
    policy::XdpMode,
};

/// What to do on one interface.
pub(super) struct Step<'a> {
    pub(super) target: &'a Target,
    pub(super) interface: &'a Interface,
    pub(super) how: How,
}

/// How the filter gets on an interface.
pub(super) enum How {
    /// The interface runs no filter of ours: attach to it.
    Attach,
    /// It runs one in the mode of the policy: replace the link's program.
    Replace(Link, XdpLinkInfo, Mode),
    /// It runs one in another mode, which the kernel does not change: detach it, then attach.
    Exchange(Link, XdpLinkInfo, Mode),
}

/// Plans a replacement. Refuses what is known to fail before anything is touched: many drivers reset the link when a program
/// is attached in native mode.
pub(super) fn plan<'a>(
    before: &mut Snapshot,
    interfaces: &'a Interfaces,
    targets: &'a [Target],
) -> Result<Vec<Step<'a>>, AttachError> {
    check_together(interfaces, targets)?;
    let mut steps = Vec::new();
    let mut replaced = Vec::new();
    for target in targets {
        if target.may_be_missing && interfaces.named(&target.interface).is_none() {
            continue;
        }
        let interface = usable(interfaces, &target.interface, target.xdp)?;
        let ours = before.links.iter().find(|pinned| {
            pinned.interface == target.interface && pinned.info.interface == Some(interface.index)
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
    // Nothing is refused from here on: links can be taken out of the snapshot.
    for (target, interface, info) in replaced {
        let Some(index) = before
            .links
            .iter()
            .position(|pinned| pinned.interface == target.interface)
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
            pinned.is_replaced |= pinned.interface == step.target.interface;
        }
    }
    // What is most likely to fail comes first, and what leaves a gap last.
    steps.sort_by_key(|step| match step.how {
        How::Attach => 0,
        How::Replace(..) => 1,
        How::Exchange(..) => 2,
    });
    Ok(steps)
}
