//! The kernels that are booted: those of Debian's releases.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use clap::ValueEnum;
use op25b_host::process::{output_of, run_quietly};

use super::debian::Archive;

/// A kernel of Debian's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kernel {
    /// Debian 11's, older than op25b needs: it has to be refused.
    #[value(name = "5.10")]
    Bullseye,
    /// Debian 12's.
    #[value(name = "6.1")]
    Bookworm,
    /// The newer one that Debian 12 has.
    #[value(name = "6.12")]
    Newer,
    /// The newest one, of Debian 13's backports.
    #[value(name = "newest")]
    Newest,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bullseye, Self::Bookworm, Self::Newer, Self::Newest];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "5.10",
            Self::Bookworm => "6.1",
            Self::Newer => "6.12",
            Self::Newest => "newest",
        }
    }

    /// Whether op25b has to run on it.
    pub const fn is_supported(self) -> bool {
        !matches!(self, Self::Bullseye)
    }

    /// The suite and the package with its newest version there.
    pub const fn package(self) -> (&'static str, &'static str) {
        match self {
            Self::Bullseye => ("bullseye", "linux-image-amd64"),
            Self::Bookworm => ("bookworm-security", "linux-image-amd64"),
            Self::Newer => ("bookworm-security", "linux-image-6.12-amd64"),
            Self::Newest => ("trixie-backports", "linux-image-amd64"),
        }
    }

    /// Fetches the package and unpacks it below a directory, unless it is there.
    pub fn unpack(self, archive: &Archive, directory: &Path) -> anyhow::Result<Unpacked> {
        let unpacked = directory.join(self.name());
        if !unpacked.is_dir() {
            eprintln!("==> kernel {}", self.name());
            let partial = directory.join(format!("{}.partial-{}", self.name(), std::process::id()));
            self.fetch(archive, &partial)?;
            fs::rename(&partial, &unpacked)
                .with_context(|| format!("cannot rename {}", partial.display()))?;
        }
        Unpacked::find(&unpacked)
    }

    fn fetch(self, archive: &Archive, into: &Path) -> anyhow::Result<()> {
        let (suite, meta) = self.package();
        let lists = tempfile::tempdir().context("cannot make a temporary directory")?;
        let apt = archive.apt(suite, lists.path())?;
        let depends = |package: &str| -> anyhow::Result<Vec<String>> {
            let text = output_of(apt.command("apt-cache").args(["depends", "--important", package]))?;
            let names = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("Depends: "));
            Ok(names.map(String::from).collect())
        };
        let of_meta = depends(meta)?;
        let image = of_meta.iter().find(|name| name.starts_with("linux-image-"));
        let image = image.with_context(|| format!("{meta} of {suite} depends on no kernel"))?;
        let release = image.trim_start_matches("linux-image-");
        // Newer releases have the modules in a package of their own.
        let parts = depends(image)?;
        let parts = parts.iter().filter(|name| name.ends_with(release));
        for package in parts.chain([image]) {
            apt.unpack(package, into)?;
        }
        Ok(())
    }
}

/// A kernel's files, with all its modules.
#[derive(Debug)]
pub struct Unpacked {
    release: String,
    image: PathBuf,
    config: PathBuf,
    modules: PathBuf,
}

impl Unpacked {
    /// Looks for them in a directory that packages were unpacked into.
    fn find(root: &Path) -> anyhow::Result<Self> {
        // Newer releases have them in /usr.
        let modules = ["usr/lib/modules", "lib/modules"]
            .iter()
            .filter_map(|folder| fs::read_dir(root.join(folder)).ok())
            .flatten()
            .find_map(|entry| entry.ok().map(|entry| entry.path()))
            .with_context(|| format!("there are no modules in {}", root.display()))?;
        let release = modules
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let find = |names: [String; 2]| {
            let files = names.map(|name| root.join(name));
            files
                .into_iter()
                .find(|file| file.is_file())
                .with_context(|| format!("there is no kernel {release} in {}", root.display()))
        };
        Ok(Self {
            image: find([
                format!("boot/vmlinuz-{release}"),
                format!("usr/lib/modules/{release}/vmlinuz"),
            ])?,
            config: find([
                format!("boot/config-{release}"),
                format!("usr/lib/modules/{release}/config"),
            ])?,
            modules,
            release,
        })
    }

    /// Copies the modules into a root, makes the kernel's list of them and its initial RAM disk there, and copies that and the kernel into
    /// a directory.
    pub fn install(&self, root: &Path, boot: &Path) -> anyhow::Result<()> {
        let release = &self.release;
        let modules = root.join("usr/lib/modules");
        fs::create_dir_all(&modules).context("cannot make the directory of modules")?;
        run_quietly(
            Command::new("cp")
                .args(["-a", "--"])
                .arg(&self.modules)
                .arg(&modules),
        )?;
        for folder in NEEDLESS {
            let folder = modules.join(release).join("kernel").join(folder);
            if folder.is_dir() {
                fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
            }
        }
        fs::create_dir_all(boot).with_context(|| format!("cannot make {}", boot.display()))?;
        // The tool that makes the initial RAM disk reads the configuration.
        let config = root.join(format!("boot/config-{release}"));
        for (from, to) in [(&self.image, &boot.join("vmlinuz")), (&self.config, &config)] {
            fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        for words in [
            vec!["depmod", release],
            vec!["mkinitramfs", "-o", "/boot/initrd", release],
        ] {
            run_quietly(Command::new("chroot").arg(root).args(words))?;
        }
        // Across file systems, perhaps.
        let initrd = root.join("boot/initrd");
        fs::copy(&initrd, boot.join("initrd"))
            .and_then(|_| fs::remove_file(&initrd))
            .context("cannot move the initial RAM disk")
    }
}

/// The folders of a kernel's drivers that a router of a test has no use for, and which are most of it.
const NEEDLESS: [&str; 11] = [
    "sound",
    "drivers/gpu",
    "drivers/media",
    "drivers/infiniband",
    "drivers/scsi",
    "drivers/usb",
    "drivers/staging",
    "drivers/hid",
    "drivers/iio",
    "drivers/net/wireless",
    "drivers/net/ethernet",
];
