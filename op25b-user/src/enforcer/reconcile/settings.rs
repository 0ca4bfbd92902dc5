//! Warning of settings of interfaces that disagree with the filter.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

use op25b_common::Action;
use tracing::{error, warn};

use crate::{
    datapath::{Attachment, Interfaces, Settings},
    enforcer::state::Enforcer,
    policy::Role,
};

/// How often the settings are examined: the kernel reports changes of them to nobody who listens for links.
const INTERVAL: Duration = Duration::from_secs(30);

/// The settings that disagree with the filter, as of the last time that they were examined.
#[derive(Debug)]
pub(in crate::enforcer) struct SettingWarnings {
    examined_at: Instant,
    /// By the policy's name.
    by_interface: BTreeMap<String, Vec<String>>,
}

impl SettingWarnings {
    pub(in crate::enforcer) fn new() -> Self {
        Self {
            examined_at: Instant::now(),
            by_interface: BTreeMap::new(),
        }
    }

    /// Those of an interface of the policy.
    pub(super) fn of(&self, interface: &str) -> Vec<String> {
        self.by_interface.get(interface).cloned().unwrap_or_default()
    }
}

impl Enforcer {
    /// Examines the settings, warns of all that disagree, and returns them, each with its interface.
    pub(in crate::enforcer) fn warn_of_settings(&mut self, interfaces: &Interfaces) -> Vec<String> {
        self.setting_warnings.by_interface.clear();
        self.examine_settings(interfaces);
        let warnings = self.setting_warnings.by_interface.iter();
        warnings
            .flat_map(|(interface, warnings)| {
                warnings
                    .iter()
                    .map(move |warning| format!("{interface}: {warning}"))
            })
            .collect()
    }

    /// Examines the settings if they have not been examined for a while.
    pub(super) fn examine_settings_in_turn(&mut self, interfaces: &Interfaces) {
        if self.setting_warnings.examined_at.elapsed() < INTERVAL {
            return;
        }
        let has_bond = interfaces
            .iter()
            .any(|interface| interface.kind.as_deref() == Some("bond"));
        if !has_bond {
            self.examine_settings(interfaces);
            return;
        }
        // Its ports are no interfaces of the policy.
        match Interfaces::list() {
            Ok(interfaces) => self.examine_settings(&interfaces),
            Err(error) => error!("{:#}", anyhow::Error::from(error)),
        }
    }

    /// Examines the settings, and warns of those that disagree and did not before.
    pub(super) fn examine_settings(&mut self, interfaces: &Interfaces) {
        self.setting_warnings.examined_at = Instant::now();
        let found = match self.settings_that_disagree(interfaces) {
            Ok(found) => found,
            Err(error) => {
                error!("cannot examine the settings of the network interfaces: {error}");
                return;
            }
        };
        for (interface, warnings) in &found {
            let before = self.setting_warnings.of(interface);
            for warning in warnings.iter().filter(|warning| !before.contains(warning)) {
                warn!(interface, "{warning}");
            }
        }
        self.setting_warnings.by_interface = found;
    }

    fn settings_that_disagree(&self, interfaces: &Interfaces) -> io::Result<BTreeMap<String, Vec<String>>> {
        let mut all = BTreeMap::new();
        let native = |attachment: &&Attachment| attachment.mode == "native";
        let mut native = self.attachments().iter().filter(native).peekable();
        if native.peek().is_none() {
            return Ok(all);
        }
        let Some(settings) = Settings::open()? else {
            return Ok(all);
        };
        let has_replies = self.policy().block.action != Action::Drop;
        for attachment in native {
            let Some(found) = interfaces.with_index(attachment.index) else {
                continue;
            };
            let has_replies = has_replies && attachment.role == Role::Subscriber;
            match settings.warnings(interfaces, found, has_replies) {
                Ok(warnings) if warnings.is_empty() => {}
                Ok(warnings) => {
                    let warnings = warnings.iter().map(ToString::to_string).collect();
                    all.insert(attachment.interface.clone(), warnings);
                }
                // It disappears in this moment, and is reconciled the next time.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}
