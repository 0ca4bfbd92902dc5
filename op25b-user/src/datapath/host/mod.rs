//! What the machine offers to a filter, and what is in its way there. Nothing is attached or changed to find out.

mod memory;
mod nics;
mod occupant;
mod routing;

pub(crate) use super::{
    refusal::{Nic, Obstacle, forecast, is_known_to_run_programs},
    sys::{
        bpffs::{PinPlace, pin_place},
        clock::sync::{has_hardware_clock, is_synchronized},
        netlink::{
            ethtool::Channels,
            flowtables::{self, HardwareFlowtable},
        },
        process::Process,
        requirements::{
            FEATURES, Missing, all_missing,
            denial::{Confinement, confinement},
            has_compiler, release,
        },
        users::name as user_name,
    },
};
pub(crate) use memory::{Available, available};
pub(crate) use nics::Nics;
pub(crate) use occupant::{Occupant, holders, occupant};
pub(crate) use routing::{ReversePath, pppoe_sessions, reverse_path};
