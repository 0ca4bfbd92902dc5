//! The disk that is booted: a Debian 12 with systemd, the kernels' modules and the agent.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use op25b_host::{
    paths,
    process::{find_program, run_quietly},
    toolchain::on_path,
};

use super::{debian::Archive, kernel::Kernel};

/// What is installed beyond the smallest Debian: what a router has, what the tests of op25b run, and both ends of PPP lines.
const PACKAGES: [&str; 18] = [
    "dbus",
    "e2fsprogs",
    "ethtool",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "kmod",
    "netcat-openbsd",
    "nftables",
    "ppp",
    "pppoe",
    "procps",
    "strace",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "xl2tpd",
];

/// The modules by which the initial RAM disk finds the root.
const MODULES: &str = "virtio_pci\nvirtio_blk\next4\n";

/// How it is made, for all kernels alike.
const INITRAMFS: &str = "MODULES=list\nCOMPRESS=gzip\n";

/// What a router has that is no file of [`files`]: run in the root, after the packages are installed.
const SET_UP: &str = "\
echo router > /etc/hostname
echo 00000000000000000000000000000025 > /etc/machine-id
mkdir -p /var/log/journal
systemctl --quiet enable systemd-networkd.service vm-agent.service
systemctl --quiet disable xl2tpd.service
systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    getty@.service serial-getty@.service systemd-networkd-wait-online.service";

/// How large the disk is; most of it is a hole.
const SIZE: &str = "3G";

/// An image that is there.
#[derive(Clone, Debug)]
pub struct Image {
    directory: PathBuf,
}

impl Image {
    /// The image of this recipe: made if it is not there.
    pub fn get(fresh: bool) -> anyhow::Result<Self> {
        let image = Self {
            directory: super::directory()?.join("image"),
        };
        let recipe = recipe()?;
        let is_there = image.disk().exists()
            && fs::read_to_string(image.directory.join("recipe")).is_ok_and(|stored| stored == recipe);
        if fresh {
            for old in ["base.tar", "kernels"].map(|name| image.directory.with_file_name(name)) {
                if old.is_dir() {
                    fs::remove_dir_all(&old)
                } else {
                    fs::remove_file(&old)
                }
                .or_else(|error| {
                    if error.kind() == io::ErrorKind::NotFound {
                        Ok(())
                    } else {
                        Err(error)
                    }
                })
                .with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        if fresh || !is_there {
            image.make(&recipe)?;
        }
        Ok(image)
    }

    /// The root's file system.
    pub fn disk(&self) -> PathBuf {
        self.directory.join("root.img")
    }

    /// A kernel and its initial RAM disk.
    pub fn boot_files(&self, kernel: Kernel) -> [PathBuf; 2] {
        ["vmlinuz", "initrd"].map(|file| self.directory.join(kernel.name()).join(file))
    }

    fn make(&self, recipe: &str) -> anyhow::Result<()> {
        for program in ["mmdebstrap", "mkfs.ext4", "unshare"] {
            ensure!(
                on_path(program).or_else(|| find_program(program)).is_some(),
                "{program} is missing: `apt-get install mmdebstrap e2fsprogs util-linux`"
            );
        }
        let archive = Archive::of_this_machine()?;
        let work = self
            .directory
            .with_extension(format!("partial-{}", std::process::id()));
        fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        let result = make_in(&work, &archive);
        let root = work.join("root");
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
        }
        result?;
        fs::write(work.join("recipe"), recipe).context("cannot write the recipe")?;
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory).context("cannot remove the old image")?;
        }
        fs::rename(&work, &self.directory).context("cannot rename the new image")
    }
}

/// Makes all files of an image in a directory, in which the root is left behind.
fn make_in(work: &Path, archive: &Archive) -> anyhow::Result<()> {
    let root = work.join("root");
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    run_quietly(
        Command::new("tar")
            .args(["--extract", "--numeric-owner", "--xattrs", "--file"])
            .arg(base(archive)?)
            .arg("--directory")
            .arg(&root),
    )?;
    run_quietly(
        Command::new("cp")
            .args(["-a", "--no-preserve=ownership", "--"])
            .arg(files().join("."))
            .arg(&root),
    )?;
    fs::write(root.join("etc/initramfs-tools/modules"), MODULES)
        .and_then(|()| fs::write(root.join("etc/initramfs-tools/conf.d/test"), INITRAMFS))
        .context("cannot write the configuration of the initial RAM disk")?;
    run_quietly(Command::new("chroot").arg(&root).args(["sh", "-euc", SET_UP]))?;
    let kernels = super::directory()?.join("kernels");
    for kernel in Kernel::ALL {
        kernel
            .unpack(archive, &kernels)?
            .install(&root, &work.join(kernel.name()))?;
    }
    eprintln!("==> file system");
    run_quietly(
        Command::new("mkfs.ext4")
            .args(["-q", "-F", "-E", "root_owner=0:0", "-d"])
            .arg(&root)
            .arg(work.join("root.img"))
            .arg(SIZE),
    )
}

/// The archive of a Debian with the packages, made unless it is there.
fn base(archive: &Archive) -> anyhow::Result<PathBuf> {
    let path = super::directory()?.join("base.tar");
    let packages = PACKAGES.join(",");
    let listed = path.with_extension("packages");
    if path.is_file() && fs::read_to_string(&listed).is_ok_and(|stored| stored == packages) {
        return Ok(path);
    }
    eprintln!("==> Debian 12");
    let partial = path.with_extension(format!("partial-{}.tar", std::process::id()));
    // In a mount namespace: what it mounts in the root ends with it, also if it is killed.
    let mut mmdebstrap = Command::new("unshare");
    mmdebstrap
        .args(["--mount", "mmdebstrap", "--mode=root", "--variant=minbase"])
        .arg(format!("--include={packages}"));
    for folder in ["doc", "info", "locale"] {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
    }
    mmdebstrap.arg("bookworm").arg(&partial);
    for suite in ["bookworm", "bookworm-updates", "bookworm-security"] {
        mmdebstrap.arg(archive.line(suite));
    }
    run_quietly(&mut mmdebstrap)?;
    fs::rename(&partial, &path)
        .and_then(|()| fs::write(&listed, packages))
        .context("cannot keep what mmdebstrap made")?;
    Ok(path)
}

/// The files that are copied into the root as they are.
fn files() -> PathBuf {
    paths::workspace().join("xtask/guest")
}

/// Everything that the image is made of, but for the packages' versions.
fn recipe() -> anyhow::Result<String> {
    let mut texts = vec![
        PACKAGES.join(" "),
        MODULES.into(),
        INITRAMFS.into(),
        SET_UP.into(),
        SIZE.into(),
    ];
    texts.extend(Kernel::ALL.map(|kernel| format!("{:?}", kernel.package())));
    add_files(&files(), &mut texts)?;
    Ok(texts.join("\n"))
}

/// The paths and contents of all files below a directory, in order.
fn add_files(directory: &Path, texts: &mut Vec<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_files(&path, texts)?;
        } else {
            texts.push(path.display().to_string());
            texts.push(fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Ok(())
}
