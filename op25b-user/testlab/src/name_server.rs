//! A name server in a host of the lab (dnsmasq) that says which mail servers a domain has.

use std::{
    net::IpAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{lab::NetNs, paths};

/// The domain that it is the authority for.
const DOMAIN: &str = "lab.example";
const START: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const PORT: u16 = 53;

/// A domain below the lab's, and the addresses of its mail exchangers, the preferred one first.
#[derive(Clone, Debug)]
pub struct MailDomain {
    /// Its name.
    pub name: String,
    /// A host each.
    pub exchangers: Vec<IpAddr>,
}

/// A running name server; dropping it ends it.
#[derive(Debug)]
pub struct NameServer {
    child: Child,
}

impl NameServer {
    /// Starts one on all addresses of a host, and waits until it answers.
    pub fn start(host: &NetNs, domains: &[MailDomain]) -> anyhow::Result<Self> {
        let mut command = Command::new(paths::unpacked("dnsmasq-base")?.join("usr/sbin/dnsmasq"));
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="]);
        // The machine's names are none of the lab's, and nothing else is asked.
        command.args(["--no-hosts", "--no-resolv", "--user=root", "--group=root"]);
        command.arg(format!("--port={PORT}"));
        command.arg(format!("--local=/{DOMAIN}/"));
        for domain in domains {
            for (preference, address) in (1..).zip(&domain.exchangers) {
                let (name, exchanger) = (&domain.name, format!("mx{preference}.{}", domain.name));
                command.arg(format!("--mx-host={name},{exchanger},{}", preference * 10));
                command.arg(format!("--host-record={exchanger},{address}"));
            }
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = host.run(move || command.spawn().context("cannot run dnsmasq"))?;
        let mut server = Self { child };
        server.await_port(host)?;
        Ok(server)
    }

    fn await_port(&mut self, host: &NetNs) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        // It listens on TCP, too.
        let connects = || Ok(std::net::TcpStream::connect(("127.0.0.1", PORT)).is_ok());
        while !host.run(connects)? {
            if let Some(status) = self.child.try_wait().context("cannot wait for dnsmasq")? {
                bail!("dnsmasq ended instead of serving ({status})");
            }
            if Instant::now() > deadline {
                bail!("dnsmasq does not listen after {START:?}");
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
