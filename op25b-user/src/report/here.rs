//! What of this machine's interfaces does not go together with a policy, for `op25b check --here` and `op25b reload --dry-run`.

use anyhow::Context as _;
use op25b_common::Action;
use serde::Serialize;

use crate::{
    datapath::{Interface, Interfaces, Need, Settings, Target, XdpFeatures, obstacles},
    policy::{Policy, Role, XdpMode},
};

/// Something that does not go together.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// The policy's name of the interface.
    pub(crate) interface: String,
    /// What, and what to do about it.
    pub(crate) message: String,
}

/// Examines the interfaces of the policy. Nothing is changed or attached.
pub(crate) fn examine(policy: &Policy) -> anyhow::Result<Vec<Finding>> {
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
        if !interface.is_up {
            add("it is down: no packet arrives there until it is up".to_owned());
        } else if !interface.has_carrier {
            add("it has no carrier: no packet arrives there until the link is up".to_owned());
        }
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

/// The interfaces that the policy waits for. That they are missing is no mistake, and an operator who reloads should know it.
pub(crate) fn awaited(policy: &Policy) -> anyhow::Result<Vec<Finding>> {
    let interfaces = Interfaces::list_now().context("cannot list the network interfaces")?;
    let targets = Target::all_of(policy).into_iter();
    let awaited = targets
        .filter(|target| target.need == Need::MayBeMissing && interfaces.named(&target.interface).is_none());
    let finding = |target: Target| Finding {
        interface: target.interface,
        message: "there is no such interface now: it is filtered as soon as there is one (`wait: true`)"
            .to_owned(),
    };
    Ok(awaited.map(finding).collect())
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
