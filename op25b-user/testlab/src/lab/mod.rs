//! The lab: an ISP in network namespaces. Dropping the value removes all of it.

mod netns;
pub(crate) mod record;
mod servers;
mod topology;

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io::Write as _,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, bail, ensure};

pub use self::{
    netns::NetNs,
    servers::Servers,
    topology::{ACCESS, Family, HOST_END, Host},
};

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    name: String,
    hosts: Vec<(Host, NetNs)>,
    owned: bool,
}

impl Lab {
    /// Brings a lab up under a name of its own, so that any number can run side by side.
    pub fn unique(prefix: &str) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The random part is for processes that count alike: those of other PID namespaces.
        let random = RandomState::new().hash_one(std::process::id()) & 0xffff;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::create(&format!("{prefix}-{}-{count}-{random:04x}", std::process::id()))
    }

    /// Brings a lab up.
    pub fn create(name: &str) -> anyhow::Result<Self> {
        let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        ensure!(
            valid,
            "a lab's name is made of letters, digits and hyphens: {name:?}"
        );
        record::claim(name)?;
        // From here on dropping it removes what was made so far.
        let mut lab = Self {
            name: name.to_owned(),
            hosts: Vec::new(),
            owned: true,
        };
        for host in Host::ALL {
            lab.hosts.push((host, NetNs::create(namespace(name, host))?));
        }
        for host in Host::ALL {
            lab.host(host).run(move || configure(host))?;
        }
        lab.join()?;
        Ok(lab)
    }

    /// One that was brought up earlier, to be used and not to be removed.
    pub fn existing(name: &str) -> anyhow::Result<Self> {
        ensure!(
            record::exists(name),
            "there is no lab named {name}: `cargo xtask lab up` makes one"
        );
        let hosts = Host::ALL
            .map(|host| (host, NetNs::existing(namespace(name, host))))
            .into();
        Ok(Self {
            name: name.to_owned(),
            hosts,
            owned: false,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its hosts.
    ///
    /// # Panics
    ///
    /// Never: a lab has all hosts from its creation on.
    #[must_use]
    pub fn host(&self, host: Host) -> &NetNs {
        let found = self.hosts.iter().find(|(this, _)| *this == host);
        &found.expect("a lab has every host").1
    }

    /// Another handle to it, which leaves it in place.
    #[must_use]
    pub fn handle(&self) -> Self {
        let hosts = self
            .hosts
            .iter()
            .map(|(host, namespace)| (*host, namespace.handle()))
            .collect();
        Self {
            name: self.name.clone(),
            hosts,
            owned: false,
        }
    }

    /// Leaves it up after this process.
    pub(crate) fn keep(mut self) {
        self.owned = false;
        for (_, namespace) in &mut self.hosts {
            namespace.keep();
        }
    }

    fn join(&self) -> anyhow::Result<()> {
        let commands = topology::joining(|host| namespace(&self.name, host));
        // Grouped by namespace, in the given order as far as neighbours go.
        for group in commands.chunk_by(|a, b| a.0 == b.0) {
            let host = group[0].0;
            let batch = group
                .iter()
                .map(|(_, command)| command.as_str())
                .collect::<Vec<_>>()
                .join("\n")
                + "\n";
            let mut child = netns::ip(&["-n", self.host(host).name(), "-batch", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .context("cannot run ip (of iproute2)")?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(batch.as_bytes()).context("cannot talk to ip")?;
            }
            let output = child.wait_with_output().context("cannot wait for ip")?;
            if !output.status.success() {
                bail!(
                    "cannot set up {}: {}\n{batch}",
                    host.name(),
                    String::from_utf8_lossy(&output.stderr).trim()
                );
            }
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.hosts.clear();
        if self.owned {
            record::remove(&self.name);
        }
    }
}

/// Removes what killed processes left behind, and returns what that was.
pub fn remove_stale() -> anyhow::Result<Vec<String>> {
    let mut stale = record::names();
    stale.retain(|name| !record::owner(name).is_some_and(record::Owner::is_alive));
    for name in &stale {
        remove(name)?;
    }
    Ok(stale)
}

/// Removes a lab, whoever made it, and what runs in it.
pub(crate) fn remove(name: &str) -> anyhow::Result<()> {
    for host in Host::ALL {
        let namespace = namespace(name, host);
        netns::end_processes(&namespace)?;
        netns::remove(&namespace)?;
    }
    record::remove(name);
    Ok(())
}

fn namespace(lab: &str, host: Host) -> String {
    format!("op25b-{lab}-{}", host.name())
}

/// The settings of a namespace's kernel. Runs inside.
fn configure(host: Host) -> anyhow::Result<()> {
    let mut settings = vec![
        // Addresses are given, not to be found out.
        ("ipv6/conf/all/accept_ra", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv6/conf/all/disable_ipv6", "0"),
        ("ipv6/conf/default/disable_ipv6", "0"),
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
    ];
    if host == Host::Router {
        settings.extend([
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv6/conf/default/forwarding", "1"),
        ]);
    }
    for (name, value) in settings {
        let path = format!("/proc/sys/net/{name}");
        fs::write(&path, value).with_context(|| format!("cannot set {path} to {value}"))?;
    }
    Ok(())
}
