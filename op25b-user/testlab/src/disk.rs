//! A small disk of its own, an ext4 file system in a file, that can be filled and that can hang.
//!
//! A hung disk is a frozen file system (`FIFREEZE`): every write to it waits in the kernel, and no signal ends the wait. A
//! process that waits there cannot end and the file system cannot be unmounted, so a disk is always thawed before it goes.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use nix::mount::{MntFlags, umount2};

use crate::process::{find_program, run_quietly};

/// Where disks are, each in a directory named after the process that made it.
const ROOT: &str = "/run/op25b-lab-disks";
/// How many disks this process has made: each has a name of its own.
static NUMBER: AtomicU32 = AtomicU32::new(0);
/// The file that takes all space.
const FILLER: &str = "filler";
/// Of `linux/fs.h`: `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)`.
const FIFREEZE: libc::Ioctl = 0xc004_5877_u32 as libc::Ioctl;
const FITHAW: libc::Ioctl = 0xc004_5878_u32 as libc::Ioctl;

/// A disk; dropping it thaws, unmounts and removes it.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Makes a disk of so many MiB.
    pub fn new(megabytes: u64) -> anyhow::Result<Self> {
        remove_leftovers()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(ROOT).join(format!("{}-{number}", std::process::id()));
        let disk = Self { folder };
        let image = disk.folder.join("image");
        fs::create_dir_all(disk.path()).with_context(|| format!("cannot make {}", disk.path().display()))?;
        File::create(&image)
            .and_then(|file| file.set_len(megabytes << 20))
            .with_context(|| format!("cannot make {}", image.display()))?;
        // No blocks are reserved for root: a full disk is full for everybody.
        run_quietly(command("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
        run_quietly(command("mount").args(["-o", "loop"]).arg(&image).arg(disk.path()))?;
        Ok(disk)
    }

    /// The directory that it is mounted at.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// Makes it hang: whatever writes to it waits.
    pub fn freeze(&self) -> anyhow::Result<()> {
        control(&self.path(), FIFREEZE).with_context(|| format!("cannot freeze {}", self.path().display()))
    }

    /// The same until what is returned is dropped. Whatever ends a process that writes to it has to come after that.
    pub fn frozen(&self) -> anyhow::Result<Frozen<'_>> {
        self.freeze()?;
        Ok(Frozen(self))
    }

    /// Ends that; no error if it does not hang.
    pub fn thaw(&self) -> anyhow::Result<()> {
        thaw(&self.path())
    }

    /// Leaves no space on it.
    pub fn fill(&self) -> anyhow::Result<()> {
        let path = self.path().join(FILLER);
        let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let mut size = 1 << 20;
        while size > 0 {
            match file.write_all(&vec![1; size]).and_then(|()| file.sync_data()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => size /= 2,
                Err(error) => return Err(error).with_context(|| format!("cannot fill {}", path.display())),
            }
        }
        Ok(())
    }

    /// Frees the space that [`Self::fill`] took.
    pub fn free(&self) -> anyhow::Result<()> {
        let path = self.path().join(FILLER);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }
}

/// A disk that hangs; dropping this ends it.
#[derive(Debug)]
pub struct Frozen<'a>(&'a Disk);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.thaw() {
            eprintln!("{error:#}");
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.folder) {
            eprintln!("could not remove the disk {}: {error:#}", self.folder.display());
        }
    }
}

/// Removes the disks of processes that were killed: a frozen one would hold whatever writes to it for ever.
fn remove_leftovers() -> anyhow::Result<()> {
    let folders = match fs::read_dir(ROOT) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {ROOT}")),
    };
    for folder in folders {
        let folder = folder.with_context(|| format!("cannot read {ROOT}"))?;
        let name = folder.file_name();
        let owner = name.to_str().and_then(|name| name.split_once('-'));
        let lives = owner.is_some_and(|(pid, _)| Path::new("/proc").join(pid).exists());
        if !lives {
            remove(&folder.path())?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    let mounted = folder.join("disk");
    if is_mounted(&mounted)? {
        thaw(&mounted)?;
        // Lazily: a process may still be about to end. The loop device goes with the mount.
        umount2(&mounted, MntFlags::MNT_DETACH)
            .with_context(|| format!("cannot unmount {}", mounted.display()))?;
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn is_mounted(path: &Path) -> anyhow::Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    Ok(points.any(|point| Path::new(point) == path))
}

fn thaw(path: &Path) -> anyhow::Result<()> {
    match control(path, FITHAW) {
        // It is not frozen.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        done => done.with_context(|| format!("cannot thaw {}", path.display())),
    }
}

fn control(path: &Path, request: libc::Ioctl) -> io::Result<()> {
    let directory = File::open(path)?;
    // SAFETY: both requests ignore their argument, and the descriptor is open for the duration of the call.
    let done = unsafe { libc::ioctl(directory.as_raw_fd(), request, 0) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn command(name: &str) -> Command {
    Command::new(find_program(name).unwrap_or_else(|| name.into()))
}
