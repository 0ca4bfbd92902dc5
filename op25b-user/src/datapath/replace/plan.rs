//! Plans how a filter gets on each interface, from what is pinned and what runs there.

use super::{
    attach::{AttachError, usable, vacant},
    kinds::{check_together, is_stacked},
    target::{Need, Target},
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

/// What to do, and what is left.
pub(super) struct Plan<'a> {
    /// The interfaces that get the filter.
    pub(super) steps: Vec<Step<'a>>,
    /// The interfaces that do not.
    pub(super) skipped: Vec<Skipped>,
}

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

/// An interface of the policy that a replacement left without a filter, as it may.
#[derive(Debug)]
pub struct Skipped {
    /// The interface.
    pub interface: String,
    /// Why the filter does not run there.
    pub why: AttachError,
}

/// Plans a replacement. Refuses what is known to fail before anything is touched: many drivers reset the link when a program
/// is attached in native mode.
///
/// A link is ours by the interface that it runs on, whatever name it is pinned under: the interface may have been renamed. The
/// links that get the filter are taken out of the snapshot.
pub(super) fn plan<'a>(
    before: &mut Snapshot,
    interfaces: &'a Interfaces,
    targets: &'a [Target],
) -> Result<Plan<'a>, AttachError> {
    let mut steps = Vec::new();
    let mut replaced = Vec::new();
    let mut skipped = Vec::new();
    let mut absent = Vec::new();
    let mut targets: Vec<_> = targets.iter().collect();
    while let Err(why) = check_together(interfaces, &targets) {
        let position = |entry: &str| targets.iter().position(|target| target.interface == entry);
        let (refused, other) = (position(why.entry()), why.other_entry().and_then(position));
        let why = why.into();
        let allows = |position: usize| targets[position].need.allows(&why);
        match refused {
            Some(refused) if allows(refused) && other.is_none_or(allows) => skipped.push(Skipped {
                interface: targets.remove(refused).interface.clone(),
                why,
            }),
            _ => return Err(why),
        }
    }
    for target in targets {
        let found = usable(interfaces, &target.interface, target.xdp).and_then(|interface| {
            let ours = before
                .links
                .iter()
                .filter(|pinned| pinned.info.runs_on(interface));
            // In another network namespace an interface that was filtered here may have the same index and program.
            let ours = ours.max_by_key(|pinned| interface.is_named(&pinned.interface));
            match ours {
                Some(pinned) => Ok((interface, Some(pinned.info))),
                None => Ok((vacant(interfaces, &target.interface, target.xdp)?, None)),
            }
        });
        match found {
            Ok((interface, Some(info))) => replaced.push((target, interface, info)),
            Ok((interface, None)) => steps.push(Step {
                target,
                interface,
                how: How::Attach,
            }),
            Err(why) if target.need.allows(&why) => {
                if why.is_absence() {
                    absent.push(target);
                }
                skipped.push(Skipped {
                    interface: target.interface.clone(),
                    why,
                });
            }
            Err(why) => return Err(why),
        }
    }
    for target in absent {
        if let Some((interface, info)) = renamed(before, interfaces, &replaced, target) {
            skipped.retain(|skipped| skipped.interface != target.interface);
            replaced.push((target, interface, info));
        }
    }
    // Nothing is refused from here on: links can be taken out of the snapshot.
    for (target, interface, info) in replaced {
        let mut links = before.links.iter();
        let Some(index) = links.position(|pinned| pinned.info.id == info.id) else {
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
    // What is most likely to fail comes first, and what leaves a gap last.
    steps.sort_by_key(|step| match step.how {
        How::Attach if !is_stacked(step.interface) => 0,
        How::Attach => 1,
        How::Replace(..) => 2,
        How::Exchange(..) => 3,
    });
    Ok(Plan { steps, skipped })
}

/// The interface that bore the name of a target, and runs our link under another name that no target has. The filter stays
/// there while no interface bears the name: the policy may be about to get the new one.
fn renamed<'a>(
    before: &Snapshot,
    interfaces: &'a Interfaces,
    replaced: &[(&Target, &Interface, XdpLinkInfo)],
    target: &Target,
) -> Option<(&'a Interface, XdpLinkInfo)> {
    let mut links = before.links.iter();
    let info = links.find(|pinned| pinned.interface == target.interface)?.info;
    let mut all = interfaces.iter();
    let interface = all.find(|interface| info.runs_on(interface))?;
    let is_free = replaced
        .iter()
        .all(|(_, other, _)| other.index != interface.index);
    is_free.then_some((interface, info))
}

impl Need {
    /// Whether an interface may stay without the filter for this reason.
    pub(super) fn allows(self, why: &AttachError) -> bool {
        match self {
            Self::Required => false,
            Self::MayBeMissing => why.is_absence(),
            Self::Optional => !matches!(why, AttachError::Program(_)),
        }
    }
}
