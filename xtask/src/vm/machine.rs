//! An emulated machine that has booted the image.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use op25b_host::{paths, process::shown};
use tempfile::TempDir;

use super::{
    agent::{Agent, Answer},
    emulator,
    image::Image,
    kernel::Kernel,
    printer::Printer,
};

/// How long a boot may take: the machine is emulated, and the host may be busy.
const BOOT: Duration = Duration::from_mins(10);
/// How long a script may take that is not known to take long.
const SCRIPT: Duration = Duration::from_mins(5);

/// What a machine has.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Two network interfaces, whose other ends are sockets in this directory; none without it.
    pub wires: Option<PathBuf>,
    /// More directories of this host that the guest sees, read-only, under their own paths.
    pub shares: Vec<PathBuf>,
    /// What each line begins with that is printed of it: of which machine it is, where there are several.
    pub label: Option<String>,
}

/// The machine; dropped, it is switched off.
#[derive(Debug)]
pub struct Machine {
    emulator: Child,
    agent: Agent,
    monitor: UnixStream,
    console: PathBuf,
    shares: Vec<PathBuf>,
    label: Option<String>,
    _directory: TempDir,
}

impl Machine {
    /// Starts the emulator and waits until the agent runs; the directories that are shared are mounted then.
    pub fn boot(image: &Image, kernel: Kernel, options: &Options) -> anyhow::Result<Self> {
        let mut machine = Self::start(image, kernel, options)?;
        machine.wait_until_booted()?;
        Ok(machine)
    }

    /// Starts the emulator.
    pub fn start(image: &Image, kernel: Kernel, options: &Options) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
        let console = super::directory()?.join(format!("console-{}.log", kernel.name()));
        let socket = |name: &str| directory.path().join(name);
        let mut shares = vec![paths::workspace().to_owned()];
        let target = paths::target()?;
        if !target.starts_with(paths::workspace()) {
            shares.push(target);
        }
        shares.extend(options.shares.iter().cloned());

        let mut command = emulator::command()?;
        hardware(&mut command, image, kernel, &console);
        connections(&mut command, directory.path());
        for (number, share) in shares.iter().enumerate() {
            command.arg("-virtfs").arg(format!(
                "local,path={},mount_tag=share{number},security_model=none,readonly=on,multidevs=remap",
                share.display()
            ));
        }
        if let Some(wires) = &options.wires {
            network(&mut command, wires);
        }
        let log = log_file(kernel)?;
        let log_writer = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let emulator = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_writer)
            .spawn()
            .with_context(|| format!("cannot run `{}`", shown(&command)))?;
        let mut emulator = Started {
            child: Some(emulator),
            log,
        };
        let wires = options
            .wires
            .iter()
            .flat_map(|wires| Nic::ALL.map(|nic| nic.socket(wires, "guest")));
        for path in [socket("monitor"), socket("agent")].into_iter().chain(wires) {
            emulator.wait_for(&path)?;
        }
        let monitor = UnixStream::connect(socket("monitor"))
            .with_context(|| format!("cannot connect to the emulator: {}", emulator.errors()))?;
        let agent = Agent::connect(&socket("agent"))?;
        Ok(Self {
            emulator: emulator.release()?,
            agent,
            monitor,
            console,
            shares,
            label: options.label.clone(),
            _directory: directory,
        })
    }

    /// Waits until the agent runs, and mounts what is shared.
    pub fn wait_until_booted(&mut self) -> anyhow::Result<()> {
        let context = format!("the guest did not boot: see {}", self.console.display());
        self.agent.wait_until_ready(BOOT).context(context)?;
        for (number, share) in self.shares.iter().enumerate() {
            let path = share.display();
            // The driver of the shares may find them only after the agent runs.
            let script = format!(
                "modprobe 9pnet_virtio\n\
                 for _ in $(seq 300); do\n\
                 cat /sys/bus/virtio/drivers/9pnet_virtio/*/mount_tag 2>/dev/null | grep -qa share{number} && break\n\
                 sleep 0.1\n\
                 done\n\
                 mkdir -p {path} && mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro share{number} {path}"
            );
            let answer = self.agent.run(&script, SCRIPT)?;
            if !answer.is_good() {
                bail!("the guest cannot mount {path}: {}", answer.text);
            }
        }
        Ok(())
    }

    /// Runs a script in the guest.
    pub fn run(&mut self, script: &str) -> anyhow::Result<Answer> {
        self.agent
            .run(script, SCRIPT)
            .with_context(|| format!("the guest's console is in {}", self.console.display()))
    }

    /// What a script prints that has to succeed.
    pub fn output(&mut self, script: &str) -> anyhow::Result<String> {
        let answer = self.run(script)?;
        if !answer.is_good() {
            bail!(
                "this script ended with {} in the guest:\n{script}\n{}",
                answer.code,
                answer.text
            );
        }
        Ok(answer.text)
    }

    /// Runs a script in the guest that may take so long, and prints what it prints while it runs.
    pub fn show(&mut self, script: &str, limit: Duration) -> anyhow::Result<Answer> {
        let mut printer = Printer::new(io::stdout(), self.label.as_deref());
        self.agent
            .follow(script, limit, &mut |part| printer.add(part))
            .with_context(|| format!("the guest's console is in {}", self.console.display()))
    }

    /// Prints something about it, as lines.
    pub fn say(&self, text: &str) {
        let mut printer = Printer::new(io::stdout(), self.label.as_deref());
        printer.add(text.trim_end().as_bytes());
        printer.add(b"\n");
    }

    /// Begins a reboot.
    pub fn reboot(&mut self) -> anyhow::Result<()> {
        self.agent.send("systemctl reboot")
    }

    /// A command for the emulator itself, such as `device_del sub0`.
    pub fn monitor(&mut self, command: &str) -> anyhow::Result<()> {
        self.monitor
            .write_all(format!("{command}\n").as_bytes())
            .context("cannot write to the emulator's monitor")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The disk is a temporary copy: nothing has to be written.
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}

/// An emulator that ends with an error on the way.
struct Started {
    child: Option<Child>,
    /// Where its errors are.
    log: PathBuf,
}

/// The file with the errors of an emulator.
fn log_file(kernel: Kernel) -> anyhow::Result<PathBuf> {
    Ok(super::directory()?.join(format!("emulator-{}.log", kernel.name())))
}

impl Started {
    /// What the emulator has printed about itself.
    fn errors(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.trim_end().to_owned()
    }

    /// Waits until it has made a socket.
    fn wait_for(&mut self, socket: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !socket.exists() {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("the emulator ended ({status}): {}", self.errors());
            }
            if Instant::now() > deadline {
                bail!("the emulator did not start in time");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn release(mut self) -> anyhow::Result<Child> {
        self.child.take().context("the emulator is gone")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn hardware(command: &mut Command, image: &Image, kernel: Kernel, console: &Path) {
    let [vmlinuz, initrd] = image.boot_files(kernel);
    command
        .args([
            "-machine",
            "pc",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "2048",
        ])
        .args(["-display", "none", "-nodefaults"])
        .arg("-kernel")
        .arg(vmlinuz)
        .arg("-initrd")
        .arg(initrd)
        .args([
            // On a busy host the kernel's check of the timer fails, and with it the boot.
            "-append",
            "root=/dev/vda rw console=ttyS0 quiet no_timer_check panic=-1 systemd.show_status=no",
        ])
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .arg("-drive")
        // What is written is lost with the process, and survives a reboot.
        .arg(format!(
            "file={},format=raw,if=virtio,snapshot=on",
            image.disk().display()
        ))
        .args(["-device", "virtio-rng-pci"]);
}

/// The agent's port, and the emulator's own monitor.
fn connections(command: &mut Command, directory: &Path) {
    command
        .arg("-monitor")
        .arg(format!(
            "unix:{},server=on,wait=off",
            directory.join("monitor").display()
        ))
        .arg("-chardev")
        .arg(format!(
            "socket,id=agent,path={},server=on,wait=off",
            directory.join("agent").display()
        ))
        .args(["-device", "virtio-serial-pci"])
        .args(["-device", "virtserialport,chardev=agent,name=vm-agent"]);
}

/// A network interface of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nic {
    /// Towards the subscribers: `sub0`.
    Subscribers,
    /// Towards the Internet: `up0`.
    Uplink,
}

impl Nic {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Subscribers, Self::Uplink];

    /// The socket at an end of its wire, in the directory of the wires.
    pub fn socket(self, wires: &Path, end: &str) -> PathBuf {
        wires.join(format!("{}-{end}", self.name()))
    }

    /// Its name in the guest, and of its sockets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribers => "sub0",
            Self::Uplink => "up0",
        }
    }

    /// How the emulator is to make it.
    pub fn device(self) -> String {
        let number = match self {
            Self::Subscribers => 1,
            Self::Uplink => 2,
        };
        let name = self.name();
        format!("virtio-net-pci,id={name},netdev=wire-{name},mac=52:54:00:25:00:0{number},romfile=")
    }
}

fn network(command: &mut Command, wires: &Path) {
    for nic in Nic::ALL {
        let name = nic.name();
        let [near, far] = ["guest", "host"].map(|end| nic.socket(wires, end));
        command
            .arg("-netdev")
            .arg(format!(
                "dgram,id=wire-{name},local.type=unix,local.path={},remote.type=unix,remote.path={}",
                near.display(),
                far.display()
            ))
            .arg("-device")
            .arg(nic.device());
    }
}
