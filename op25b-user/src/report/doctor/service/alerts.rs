//! The services that send alerts about subscribers: whether there is one if the policy has `alerts`, and whether each can send.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt as _, path::Path};

use super::{
    Check, Line,
    instances::{Instance, Instances, Template, unreadable},
    systemctl::Unit,
};
use crate::{
    report::doctor::Grade,
    webhook::{CANNOT_SEND, Proxy, Receiver, Secret},
};

/// The unit that sends them.
const TEMPLATE: Template = Template {
    check: Check::Alerts,
    key: "alerts",
    in_policy: "alerts:",
    to: "https://HOST/PATH",
    never: "no alert is sent",
    not_now: "alerts wait for it, for a day or until the daemon ends",
};

/// The senders that are configured in a folder, or enabled.
pub(super) struct Senders {
    instances: Instances,
    /// The user to whom secrets have to belong: root.
    owner: u32,
}

impl Senders {
    /// Those of a folder, and those that the folders of systemd's links have.
    pub(super) fn of(folder: &Path, enabled: &[&Path]) -> Self {
        Self {
            instances: Instances::of(&TEMPLATE, folder, enabled),
            owner: 0,
        }
    }

    /// Their units.
    pub(super) fn units(&self) -> Vec<String> {
        self.instances.units()
    }

    /// Examines them. Whether the policy has `alerts` may not be known, and neither the states of the units.
    pub(super) fn lines(&self, has_alerts: Option<bool>, units: &[Unit]) -> Vec<Line> {
        if self.instances.is_empty() && has_alerts == Some(true) {
            return vec![Line::warn(
                Check::Alerts,
                "the policy has `alerts`, and no service sends them: `op25b alerts` lists them, and nobody is told",
                format!(
                    "`TO=https://HOST/PATH` in {0}/alerts-NAME.conf, a secret in {0}/alerts-NAME.secret, and `systemctl enable --now \
                     op25b-alerts@NAME`",
                    self.instances.folder.display()
                ),
            )];
        }
        let senders = self.instances.with(units);
        let lines = senders.flat_map(|(sender, unit)| self.sender(&sender, has_alerts, unit));
        // The filter does not depend on it.
        lines.map(|line| line.at_most(Grade::Warn)).collect()
    }

    /// Examines one.
    fn sender(&self, sender: &Instance<'_>, has_alerts: Option<bool>, unit: Option<&Unit>) -> Vec<Line> {
        let configuration = Configuration::of(sender);
        let mut lines = Vec::new();
        lines.extend(secret(&sender.file("secret"), self.owner));
        lines.extend(unit.and_then(|unit| {
            let state = sender.state(has_alerts != Some(false), unit);
            state.or_else(|| cannot_send(sender, unit))
        }));
        match configuration {
            Err(line) => lines.push(line),
            Ok(Configuration { to, proxy }) => {
                lines.extend(match &proxy {
                    None => sender.unreachable("", &to.host),
                    Some(Proxy(proxy)) => sender.unreachable("the proxy ", proxy),
                });
                if lines.is_empty() {
                    lines.push(sender.sends(&to, unit));
                }
            }
        }
        lines
    }
}

/// Where alerts are sent to.
struct Configuration {
    to: Receiver,
    proxy: Option<Proxy>,
}

impl Configuration {
    /// That of a sender, or what is wrong with it.
    fn of(sender: &Instance<'_>) -> Result<Self, Line> {
        let settings = sender.settings()?;
        let path = sender.file("conf");
        let shown = path.display();
        let to = Receiver::parse(settings.value("TO")).map_err(|wanted| {
            Line::warn(
                Check::Alerts,
                format!("`TO=` in {shown} is no URL that alerts can be sent to"),
                wanted,
            )
        })?;
        let mut options = settings.value("OPTIONS").split_whitespace();
        let proxy = options.find_map(|option| match option.strip_prefix("--proxy")? {
            "" => Some(""),
            with_value => with_value.strip_prefix('='),
        });
        let proxy = match proxy {
            Some("") => options.next(),
            proxy => proxy,
        };
        let proxy = proxy.map(Proxy::parse).transpose().map_err(|wanted| {
            Line::warn(
                Check::Alerts,
                format!("`--proxy` in {shown} is no URL of a proxy"),
                wanted,
            )
        })?;
        Ok(Self { to, proxy })
    }
}

/// What is wrong with the file of a secret, which has to belong to a user.
fn secret(path: &Path, owner: u32) -> Option<Line> {
    let shown = path.display();
    let read = fs::metadata(path).and_then(|metadata| Ok((metadata, fs::read_to_string(path)?)));
    let (metadata, text) = match read {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(Line::warn(
                Check::Alerts,
                format!("there is no secret in {shown}, with which alerts are signed"),
                format!(
                    "`(umask 077; echo whsec_$(openssl rand -base64 32) > {shown})`; the receiver needs it, too"
                ),
            ));
        }
        Err(error) => return Some(unreadable(Check::Alerts, path, &error)),
    };
    if Secret::parse(&text).is_none() {
        let message = format!("{shown} has no secret");
        return Some(Line::warn(Check::Alerts, message, Secret::WANTED));
    }
    (metadata.uid() != owner || metadata.mode() & 0o077 != 0).then(|| {
        Line::warn(
            Check::Alerts,
            format!("others than root may read or change the secret in {shown}, and sign alerts of their own"),
            format!("`chown root:root {shown} && chmod 600 {shown}`, and a new secret if somebody may have read it"),
        )
    })
}

/// That the last alert could not be sent, if it could not.
fn cannot_send(sender: &Instance<'_>, unit: &Unit) -> Option<Line> {
    let state = unit.of("StatusText");
    state.starts_with(CANNOT_SEND).then(|| {
        Line::warn(
            Check::Alerts,
            format!("{}: {state}", sender.unit()),
            format!(
                "`journalctl -u {}` has since when; what the error names, on this side or on the receiver's",
                sender.command()
            ),
        )
    })
}

#[cfg(test)]
mod tests;
