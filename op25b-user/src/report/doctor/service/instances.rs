//! The instances of a template of units, each of which sends to another host what the daemon keeps: which there are, and what each lacks.

use std::{
    collections::BTreeSet,
    fmt::Display,
    fs,
    io::{self, ErrorKind},
    net::{TcpStream, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Check, Line, state::Wanted, systemctl::Unit};
use crate::remote_host::Host;

/// How long a host may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// A template of units.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) check: Check,
    /// The key of what is sent in the policy, in the names of the units and in those of their files: `op25b-KEY@NAME`, `KEY-NAME.conf`.
    pub(super) key: &'static str,
    /// The key with a value, for a policy that has none.
    pub(super) in_policy: &'static str,
    /// An example of what is sent to.
    pub(super) to: &'static str,
    /// What happens without the unit.
    pub(super) never: &'static str,
    /// What happens as long as it does not run.
    pub(super) not_now: &'static str,
}

/// The instances that are configured in a folder, or enabled.
pub(super) struct Instances {
    template: &'static Template,
    pub(super) folder: PathBuf,
    names: Vec<String>,
}

impl Instances {
    /// Those of a folder, and those that the folders of systemd's links have; none of one that cannot be listed.
    pub(super) fn of(template: &'static Template, folder: &Path, enabled: &[&Path]) -> Self {
        let key = template.key;
        let configured = entries(folder).filter_map(|file| between(&file, &format!("{key}-"), ".conf"));
        let wanted = enabled.iter().flat_map(|folder| entries(folder));
        let wanted = wanted.filter(|folder| folder.extension().is_some_and(|end| end == "wants"));
        let links = wanted.flat_map(|folder| entries(&folder));
        let enabled = links.filter_map(|link| between(&link, &format!("op25b-{key}@"), ".service"));
        let names: BTreeSet<_> = configured.chain(enabled).collect();
        Self {
            template,
            folder: folder.to_owned(),
            names: names.into_iter().collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Their units.
    pub(super) fn units(&self) -> Vec<String> {
        self.each().map(|instance| instance.unit()).collect()
    }

    /// Each of them.
    fn each(&self) -> impl Iterator<Item = Instance<'_>> {
        self.names.iter().map(|name| Instance {
            template: self.template,
            folder: &self.folder,
            name,
        })
    }

    /// Each of them with what systemd shows of its unit, if that is known.
    pub(super) fn with<'a>(
        &'a self,
        units: &'a [Unit],
    ) -> impl Iterator<Item = (Instance<'a>, Option<&'a Unit>)> {
        let units = units.iter().map(Some).chain(std::iter::repeat(None));
        self.each().zip(units)
    }
}

/// One of them.
pub(super) struct Instance<'a> {
    template: &'static Template,
    folder: &'a Path,
    name: &'a str,
}

impl Instance<'_> {
    /// Its name in commands.
    pub(super) fn command(&self) -> String {
        format!("op25b-{}@{}", self.template.key, self.name)
    }

    /// Its unit.
    pub(super) fn unit(&self) -> String {
        format!("{}.service", self.command())
    }

    /// One of its files, by its ending.
    pub(super) fn file(&self, end: &str) -> PathBuf {
        self.folder
            .join(format!("{}-{}.{end}", self.template.key, self.name))
    }

    /// What its configuration has, or what is wrong with that.
    pub(super) fn settings(&self) -> Result<Settings, Line> {
        let Template { check, to, never, .. } = *self.template;
        let path = self.file("conf");
        let shown = path.display();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Settings(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let command = self.command();
                Err(Line::warn(
                    check,
                    format!("{command} is enabled, and there is no {shown}: it does not start, and {never}"),
                    format!("`TO={to}` in {shown}, or `systemctl disable --now {command}`"),
                ))
            }
            Err(error) => Err(unreadable(check, &path, &error)),
        }
    }

    /// What is wrong with its unit, for a policy that has what it sends, or has not.
    pub(super) fn state(&self, is_in_policy: bool, unit: &Unit) -> Option<Line> {
        let Template {
            check,
            key,
            in_policy,
            never,
            not_now,
            ..
        } = *self.template;
        let (name, command, service) = (self.name, self.command(), self.unit());
        if !is_in_policy {
            return Some(Line::warn(
                check,
                format!(
                    "{service} is set up, and the policy has no `{key}`: it is refused, ends and is started again"
                ),
                format!(
                    "`{in_policy}` in the policy, or `systemctl disable --now {command}` and no {key}-{name}.conf"
                ),
            ));
        }
        let wanted = Wanted {
            unit: &service,
            check,
            never,
            not_at_a_boot: &format!("after a boot {never}"),
            not_now,
        };
        wanted
            .not_loaded(unit)
            .or_else(|| wanted.not_running(unit))
            .or_else(|| wanted.not_enabled(unit))
    }

    /// That no connection can be made to what it sends to, if it cannot; `what` is before the host.
    pub(super) fn unreachable(&self, what: &str, host: &Host) -> Option<Line> {
        let error = connect(host).err()?;
        Some(Line::warn(
            self.template.check,
            format!(
                "{} sends to {what}{host}, and no connection can be made to it from here: {error}",
                self.command()
            ),
            "its name, the route to it, and the firewalls on the way",
        ))
    }

    /// That it sends, with what its unit shows of that.
    pub(super) fn sends(&self, to: &impl Display, unit: Option<&Unit>) -> Line {
        let state = unit.map_or("", |unit| unit.of("StatusText"));
        let message = format!("{} sends to {to}", self.unit());
        Line::ok(
            self.template.check,
            if state.is_empty() {
                message
            } else {
                format!("{message}: {state}")
            },
        )
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

/// What a file of `EnvironmentFile=` has.
pub(super) struct Settings(String);

impl Settings {
    /// A value, without the quotes around it; the last of that name counts, and one that is not there is empty.
    pub(super) fn value(&self, key: &str) -> &str {
        let lines = self.0.lines().map(str::trim);
        let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        values.next_back().map(unquoted).unwrap_or_default()
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

/// That a file of an instance cannot be read.
pub(super) fn unreadable(check: Check, path: &Path, error: &io::Error) -> Line {
    let message = format!("cannot read {}: {error}", path.display());
    if error.kind() == ErrorKind::PermissionDenied {
        Line::unknown(check, message)
    } else {
        let remedy = "the file as docs/observability.md has it";
        Line::warn(check, message, remedy)
    }
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
pub(super) mod fixture;
