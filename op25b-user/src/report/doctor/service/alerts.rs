//! The services that send alerts about subscribers: whether there is one if the policy has `alerts`, and whether each can send.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    net::{TcpStream, ToSocketAddrs as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Check, Line, state::Wanted, systemctl::Unit};
use crate::{
    remote_host::Host,
    report::doctor::Grade,
    webhook::{CANNOT_SEND, Proxy, Receiver, Secret},
};

/// How long a host may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// The senders that are configured in a folder, or enabled.
pub(super) struct Senders {
    folder: PathBuf,
    names: Vec<String>,
    /// The user to whom secrets have to belong: root.
    owner: u32,
}

impl Senders {
    /// Those of a folder, and those that the folders of systemd's links have; none of one that cannot be listed.
    pub(super) fn of(folder: &Path, enabled: &[&Path]) -> Self {
        let configured = entries(folder).filter_map(|file| between(&file, "alerts-", ".conf"));
        let wanted = enabled.iter().flat_map(|folder| entries(folder));
        let wanted = wanted.filter(|folder| folder.extension().is_some_and(|end| end == "wants"));
        let links = wanted.flat_map(|folder| entries(&folder));
        let enabled = links.filter_map(|link| between(&link, "op25b-alerts@", ".service"));
        let names: BTreeSet<_> = configured.chain(enabled).collect();
        Self {
            folder: folder.to_owned(),
            names: names.into_iter().collect(),
            owner: 0,
        }
    }

    /// Their units.
    pub(super) fn units(&self) -> Vec<String> {
        self.names.iter().map(|name| unit_of(name)).collect()
    }

    /// Examines them. Whether the policy has `alerts` may not be known, and neither the states of the units.
    pub(super) fn lines(&self, has_alerts: Option<bool>, units: &[Unit]) -> Vec<Line> {
        if self.names.is_empty() && has_alerts == Some(true) {
            return vec![Line::warn(
                Check::Alerts,
                "the policy has `alerts`, and no service sends them: `op25b alerts` lists them, and nobody is told",
                format!(
                    "`TO=https://HOST/PATH` in {0}/alerts-NAME.conf, a secret in {0}/alerts-NAME.secret, and `systemctl enable --now \
                     op25b-alerts@NAME`",
                    self.folder.display()
                ),
            )];
        }
        let units = units.iter().map(Some).chain(std::iter::repeat(None));
        let senders = self.names.iter().zip(units);
        let lines = senders.flat_map(|(name, unit)| self.sender(name, has_alerts, unit));
        // The filter does not depend on it.
        lines.map(|line| line.at_most(Grade::Warn)).collect()
    }

    /// Examines one.
    fn sender(&self, name: &str, has_alerts: Option<bool>, unit: Option<&Unit>) -> Vec<Line> {
        let file = |end: &str| self.folder.join(format!("alerts-{name}.{end}"));
        let configuration = Configuration::of(name, &file("conf"));
        let mut lines = Vec::new();
        lines.extend(secret(&file("secret"), self.owner));
        lines.extend(unit.and_then(|unit| state(name, has_alerts != Some(false), unit)));
        match configuration {
            Err(line) => lines.push(line),
            Ok(configuration) => {
                lines.extend(unreachable(name, &configuration));
                if lines.is_empty() {
                    let state = unit.map_or("", |unit| unit.of("StatusText"));
                    let message = format!("{} sends to {}", unit_of(name), configuration.to);
                    lines.push(Line::ok(
                        Check::Alerts,
                        if state.is_empty() {
                            message
                        } else {
                            format!("{message}: {state}")
                        },
                    ));
                }
            }
        }
        lines
    }
}

/// The paths of what is in a folder.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// What of the name of a file or link is between two parts; of a template's that is nothing, and nobody's name.
fn between(path: &Path, before: &str, after: &str) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_prefix(before)?.strip_suffix(after)?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn unit_of(name: &str) -> String {
    format!("op25b-alerts@{name}.service")
}

/// Where alerts are sent to.
struct Configuration {
    to: Receiver,
    proxy: Option<Proxy>,
}

impl Configuration {
    /// That of a file, or what is wrong with it.
    fn of(name: &str, path: &Path) -> Result<Self, Line> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| {
            if error.kind() != ErrorKind::NotFound {
                return unreadable(path, &error);
            }
            Line::warn(
                Check::Alerts,
                format!("op25b-alerts@{name} is enabled, and there is no {shown}: it does not start, and no alert is sent"),
                format!("`TO=https://HOST/PATH` in {shown}, or `systemctl disable --now op25b-alerts@{name}`"),
            )
        })?;
        let value = |key: &str| {
            let lines = text.lines().map(str::trim);
            let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            values.next_back().map(unquoted)
        };
        let to = Receiver::parse(value("TO").unwrap_or_default());
        let to = to.map_err(|wanted| {
            Line::warn(
                Check::Alerts,
                format!("`TO=` in {shown} is no URL that alerts can be sent to"),
                wanted,
            )
        })?;
        let mut options = value("OPTIONS").unwrap_or_default().split_whitespace();
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

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        value
            .strip_prefix(quote)
            .and_then(|value| value.strip_suffix(quote))
    });
    quoted.unwrap_or(value)
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
        Err(error) => return Some(unreadable(path, &error)),
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

fn unreadable(path: &Path, error: &io::Error) -> Line {
    let message = format!("cannot read {}: {error}", path.display());
    if error.kind() == ErrorKind::PermissionDenied {
        Line::unknown(Check::Alerts, message)
    } else {
        let remedy = "the file as docs/observability.md has it";
        Line::warn(Check::Alerts, message, remedy)
    }
}

/// What is wrong with the unit of a sender, or with what it does.
fn state(name: &str, has_alerts: bool, unit: &Unit) -> Option<Line> {
    let service = unit_of(name);
    if !has_alerts {
        return Some(Line::warn(
            Check::Alerts,
            format!(
                "{service} is set up, and the policy has no `alerts`: it is refused, ends and is started again"
            ),
            format!(
                "`alerts:` in the policy, or `systemctl disable --now op25b-alerts@{name}` and no alerts-{name}.conf"
            ),
        ));
    }
    let wanted = Wanted {
        unit: &service,
        check: Check::Alerts,
        never: "no alert is sent",
        not_at_a_boot: "after a boot no alert is sent",
        not_now: "alerts wait for it, for a day or until the daemon ends",
    };
    let fails = || {
        let state = unit.of("StatusText");
        state.starts_with(CANNOT_SEND).then(|| {
            Line::warn(
                Check::Alerts,
                format!("{service}: {state}"),
                format!("`journalctl -u op25b-alerts@{name}` has since when; what the error names, on this side or on the receiver's"),
            )
        })
    };
    wanted
        .not_loaded(unit)
        .or_else(|| wanted.not_running(unit))
        .or_else(|| wanted.not_enabled(unit))
        .or_else(fails)
}

/// That no connection can be made to where alerts are sent to, if it cannot.
fn unreachable(name: &str, configuration: &Configuration) -> Option<Line> {
    let (what, host) = match &configuration.proxy {
        None => ("", &configuration.to.host),
        Some(Proxy(proxy)) => ("the proxy ", proxy),
    };
    let error = connect(host).err()?;
    Some(Line::warn(
        Check::Alerts,
        format!(
            "op25b-alerts@{name} sends to {what}{host}, and no connection can be made to it from here: {error}"
        ),
        "its name, the route to it, and the firewalls on the way",
    ))
}

/// Makes a connection, and closes it.
fn connect(host: &Host) -> io::Result<()> {
    let mut outcome = Err(io::Error::new(ErrorKind::NotFound, "the name has no address"));
    for address in (host.name.as_str(), host.port).to_socket_addrs()? {
        outcome = TcpStream::connect_timeout(&address, PATIENCE).map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

#[cfg(test)]
mod tests;
