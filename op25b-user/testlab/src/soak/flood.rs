//! A flood of blocked SYNs: live frames (`BPF_PROG_TEST_RUN`), each with another source, out of a host's interface.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::Context as _;
use etherparse::PacketBuilder;

use crate::{
    bpf,
    lab::{HOST_END, NetNs},
};

/// How many frames a call sends.
const REPEAT: u32 = 50_000;

/// The flood; dropping it ends it.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Flood {
    /// Sends SYNs to this address and port from everywhere in 198.18.0.0/15, as fast as they go.
    pub(crate) fn start(host: &NetNs, to: Ipv4Addr, port: u16) -> anyhow::Result<Self> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1])
            .ipv4([198, 18, 0, 1], to.octets(), 64)
            .tcp(40_000, port, 1, 64_240)
            .syn()
            .write(&mut frame, &[])
            .context("cannot write a SYN")?;
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = host.spawn(move || {
            let interface = nix::net::if_::if_nametoindex(HOST_END).context("the host has no interface")?;
            let program = load().context("cannot load the generator's program")?;
            while !stopped.load(Ordering::Relaxed) {
                send(&program, &frame, interface).context("cannot send live frames")?;
                counted.fetch_add(u64::from(REPEAT), Ordering::Relaxed);
            }
            Ok(())
        });
        Ok(Self {
            stop,
            sent,
            thread: Some(thread),
        })
    }

    /// How many were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it; how many were sent.
    pub(crate) fn stop(mut self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("the generator panicked"))??;
        }
        Ok(self.sent())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct ProgLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
}

/// For `BPF_PROG_TEST_RUN`.
#[repr(C)]
struct TestRun {
    program: u32,
    result: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    _padding: u32,
}

/// `struct xdp_md`.
#[repr(C)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    interface: u32,
    queue: u32,
    egress: u32,
}

/// One instruction: operation, registers, offset, immediate value.
const fn instruction(operation: u8, to: u8, from: u8, offset: i16, immediate: i32) -> u64 {
    let registers = to | (from << 4);
    operation as u64
        | (registers as u64) << 8
        | (offset.cast_unsigned() as u64) << 16
        | (immediate.cast_unsigned() as u64) << 32
}

/// Writes a random source into the IPv4 header and sends the frame out of the interface that it "came in" on.
#[rustfmt::skip]
const PROGRAM: [u64; 16] = [
    instruction(0xbf, 6, 1, 0, 0),   // r6 = r1, the context
    instruction(0x85, 0, 0, 0, 7),   // r0 = bpf_get_prandom_u32()
    instruction(0x61, 1, 6, 0, 0),   // r1 = data
    instruction(0x61, 2, 6, 4, 0),   // r2 = data_end
    instruction(0xbf, 3, 1, 0, 0),   // r3 = r1
    instruction(0x07, 3, 0, 0, 54),  // r3 += the headers' length
    instruction(0x2d, 3, 2, 7, 0),   // if r3 > r2, drop
    instruction(0x6b, 1, 0, 28, 0),  // the source's last two bytes = r0
    instruction(0x77, 0, 0, 0, 16),  // r0 >>= 16
    instruction(0x57, 0, 0, 0, 1),   // r0 &= 1
    instruction(0x47, 0, 0, 0, 18),  // r0 |= 18
    instruction(0x73, 1, 0, 27, 0),  // the source's second byte = r0
    instruction(0xb7, 0, 0, 0, 3),   // XDP_TX
    instruction(0x95, 0, 0, 0, 0),
    instruction(0xb7, 0, 0, 0, 1),   // XDP_DROP
    instruction(0x95, 0, 0, 0, 0),
];

fn load() -> io::Result<OwnedFd> {
    const BPF_PROG_LOAD: libc::c_int = 5;
    const BPF_PROG_TYPE_XDP: u32 = 6;
    let mut load = ProgLoad {
        kind: BPF_PROG_TYPE_XDP,
        instruction_count: u32::try_from(PROGRAM.len()).map_err(io::Error::other)?,
        instructions: PROGRAM.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    let fd = i32::try_from(bpf::call(BPF_PROG_LOAD, &mut load)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn send(program: &OwnedFd, frame: &[u8], interface: u32) -> io::Result<()> {
    const BPF_PROG_TEST_RUN: libc::c_int = 10;
    const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 1 << 1;
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    let context = Context {
        data: 0,
        data_end: length,
        data_meta: 0,
        interface,
        queue: 0,
        egress: 0,
    };
    let mut run = TestRun {
        program: program.as_raw_fd().cast_unsigned(),
        result: 0,
        size_in: length,
        size_out: 0,
        data_in: frame.as_ptr() as u64,
        data_out: 0,
        repeat: REPEAT,
        duration: 0,
        context_size_in: u32::try_from(size_of::<Context>()).map_err(io::Error::other)?,
        context_size_out: 0,
        context_in: (&raw const context) as u64,
        context_out: 0,
        flags: BPF_F_TEST_XDP_LIVE_FRAMES,
        cpu: 0,
        batch_size: 64,
        _padding: 0,
    };
    bpf::call(BPF_PROG_TEST_RUN, &mut run).map(drop)
}
