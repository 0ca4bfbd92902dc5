//! What of this machine's interfaces does not go together with a policy, for `op25b check --here`.

use anyhow::Context as _;
use op25b_common::Action;
use serde::Serialize;

use crate::{
    datapath::{Interface, Interfaces, Need, Settings, Target, XdpFeatures, obstacles},
    policy::{Policy, Role, XdpMode},
};

/// Something that does not go together.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// The policy's name of the interface.
    pub(super) interface: String,
    /// What, and what to do about it.
    pub(super) message: String,
}

/// Examines the interfaces of the policy. Nothing is changed or attached.
pub(super) fn examine(policy: &Policy) -> anyhow::Result<Vec<Finding>> {
    let interfaces = Interfaces::list_now().context("cannot list the network interfaces")?;
    let targets = Target::all_of(policy);
    let obstacles = obstacles(&interfaces, &targets);
    let features = XdpFeatures::open().context("cannot ask for the XDP features of interfaces")?;
    let settings = Settings::open().context("cannot ask for the offloads of interfaces")?;
    let has_replies = policy.block.action != Action::Drop;
    let mut findings = Vec::new();
    for target in &targets {
        let mut add = |message: String| {
            findings.push(Finding {
                interface: target.interface.clone(),
                message,
            });
        };
        if let Some(obstacle) = obstacles.iter().find(|found| found.interface == target.interface) {
            if !(obstacle.why.is_absence() && target.need == Need::MayBeMissing) {
                add(obstacle.why.to_string());
            }
            continue;
        }
        let Some(interface) = interfaces.named(&target.interface) else {
            continue;
        };
        if target.xdp == XdpMode::Generic {
            continue;
        }
        if let Some(features) = &features
            && !features.has_native_mode(interface.index)?
        {
            add(without_native_mode(interface, target.xdp));
            continue;
        }
        if let Some(settings) = &settings {
            let has_replies = has_replies && target.role == Role::Subscriber;
            for warning in settings.warnings(&interfaces, interface, has_replies)? {
                add(warning);
            }
        }
    }
    Ok(findings)
}

/// That the kernel reports no native mode on an interface.
fn without_native_mode(interface: &Interface, xdp: XdpMode) -> String {
    let driver = interface.driver();
    let driver = driver.map_or_else(String::new, |driver| format!(" {driver}"));
    let result = match xdp {
        XdpMode::Native => "so `xdp: native` is refused",
        XdpMode::Auto | XdpMode::Generic => {
            "so the filter runs in generic mode, which is several times slower"
        }
    };
    format!(
        "the driver{driver} runs no XDP programs as the interface is configured now (its MTU, queues and offloads may matter), \
         {result}"
    )
}
