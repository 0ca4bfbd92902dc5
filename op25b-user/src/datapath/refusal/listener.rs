//! Listens for the message with which the kernel refuses an XDP link.
//!
//! bpf(2) returns an error number alone. Netlink would return the message too, but only for another attempt, which some drivers
//! meet with a reset of the interface; and while the filter's mode changes, it would prolong the moment without a filter. The
//! tracepoint is passive.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use aya::{Ebpf, EbpfLoader, maps::Array, programs::RawTracePoint};
use nix::unistd::gettid;
use op25b_common::refusal::{MESSAGE, Message, PIDNS_DEVICE, PIDNS_INODE, PROGRAM, THREAD, TRACEPOINT};
use tracing::debug;

/// The program, compiled by the build script; aligned as the ELF parser requires.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/refusal"));

/// Keeps the message of the last link that the kernel refused this thread, until it is dropped.
///
/// There are none on a kernel without the tracepoint (before 6.6), or where it may not be used.
#[derive(Debug)]
pub(crate) struct Listener(Option<Ebpf>);

impl Listener {
    /// Listens from now on for what happens in this thread. That takes a while, as the loader reads the types of the whole kernel:
    /// who is to attach as soon as an interface appears has started before.
    pub(crate) fn start() -> Self {
        let loaded = load();
        if let Err(error) = &loaded {
            debug!("the kernel's messages about refused XDP programs are not read: {error:#}");
        }
        Self(loaded.ok())
    }

    /// Forgets the message of a refusal before.
    pub(crate) fn forget(&mut self) {
        self.message();
    }

    /// The message of the last refusal.
    pub(crate) fn message(&mut self) -> Option<String> {
        let mut message = Array::<_, Message>::try_from(self.0.as_mut()?.map_mut(MESSAGE)?).ok()?;
        let bytes = message.get(&0, 0).ok()?;
        // It is told once: the next refusal may have none.
        message.set(0, [0; size_of::<Message>()], 0).ok()?;
        text(&bytes)
    }
}

/// The text up to the first zero byte, without what would disturb a log: the kernel's messages end in no line feed, those of
/// drivers may.
fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next()?);
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let text = words.join(" ");
    let text = text.trim().trim_end_matches('.');
    (!text.is_empty()).then(|| text.to_owned())
}

fn load() -> anyhow::Result<Ebpf> {
    let namespace = fs::metadata(Path::new("/proc/self/ns/pid"))?;
    let (device, inode) = (namespace.dev(), namespace.ino());
    let thread = gettid().as_raw().cast_unsigned();
    let mut ebpf = EbpfLoader::new()
        .override_global(PIDNS_DEVICE, &device, true)
        .override_global(PIDNS_INODE, &inode, true)
        .override_global(THREAD, &thread, true)
        .load(OBJECT)?;
    let program = ebpf.program_mut(PROGRAM);
    let program: &mut RawTracePoint = program.ok_or_else(|| anyhow::anyhow!("no program"))?.try_into()?;
    program.load()?;
    program.attach(TRACEPOINT)?;
    Ok(ebpf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_at_its_zero_byte_and_is_one_line() {
        assert_eq!(
            text(b"Peer MTU is too large to set XDP\0rest"),
            Some("Peer MTU is too large to set XDP".into())
        );
        assert_eq!(text(b"MTU too large.\n\0"), Some("MTU too large".into()));
        assert_eq!(text(b"no end"), Some("no end".into()));
        for nothing in [&b"\0"[..], b"", b" \n\0"] {
            assert_eq!(text(nothing), None);
        }
    }
}
