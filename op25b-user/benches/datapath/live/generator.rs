//! Sends frames into a wire as fast as one CPU makes them and the other end accepts them.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use aya::{
    Ebpf, Pod,
    maps::{Array, MapData},
    programs::{TestRun as _, TestRunAttrs, TestRunOptions},
};
use etherparse::{PacketBuilder, TcpOptionElement};

use crate::{
    programs,
    scenario::{Family, Scenario},
    veth::{self, Pair},
};

/// How many frames the kernel makes before it sends them; a NAPI budget.
const BATCH: u32 = 64;
/// The shortest frame on an Ethernet, without its checksum.
const SHORTEST: usize = 60;

/// As in op25b-ebpf/src/bench/generate.rs.
#[derive(Clone, Copy)]
#[repr(C)]
struct Source {
    bits: [u8; 4],
    network_checksum: [u8; 2],
    transport_checksum: [u8; 2],
}

// SAFETY: arrays of bytes after `repr(C)`, without padding; any bit pattern is valid.
unsafe impl Pod for Source {}

/// The program that sends, with all its sources.
#[derive(Debug)]
pub struct Generator {
    ebpf: Ebpf,
    name: &'static str,
    template: Vec<u8>,
}

impl Generator {
    /// One that sends SYNs to port 25 from the scenario's sources in turn.
    pub fn new(scenario: &Scenario) -> anyhow::Result<Self> {
        let name = match scenario.family {
            Family::V4 => "generate_v4",
            Family::V6 => "generate_v6",
        };
        let mut ebpf = programs::load(name, &[])?;
        let map = ebpf.map_mut("ADDRESSES").context("there is no map ADDRESSES")?;
        let mut table = Array::<&mut MapData, Source>::try_from(map)?;
        let mut template = Vec::new();
        for (index, bits) in (0..).zip(&scenario.sources) {
            template = syn(scenario.family.address(*bits))?;
            table.set(index, source(scenario.family, *bits, &template), 0)?;
        }
        Ok(Self { ebpf, name, template })
    }

    /// Sends so many frames; it returns when the receiver is done with them.
    pub fn send(&mut self, pair: &Pair, frames: u32) -> anyhow::Result<()> {
        let context = context(self.template.len(), pair.sender_index())?;
        let options = TestRunOptions {
            data_in: Some(&self.template),
            ctx_in: Some(&context),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        };
        let program = programs::program(&mut self.ebpf, self.name)?;
        program
            .test_run(options)
            .context("the kernel does not send frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18)")?;
        Ok(())
    }
}

/// A SYN to port 25 somewhere, as a client sends it, with all checksums.
pub fn syn(source: IpAddr) -> anyhow::Result<Vec<u8>> {
    let ethernet = PacketBuilder::ethernet2(veth::SENDER, veth::RECEIVER);
    let ip = match source {
        IpAddr::V4(source) => ethernet.ipv4(source.octets(), [203, 0, 113, 1], 64),
        IpAddr::V6(source) => {
            let remote = [0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            ethernet.ipv6(source.octets(), remote, 64)
        }
    };
    let tcp = ip.tcp(50_000, 25, 1, 65_535).syn();
    let Ok(tcp) = tcp.options(&[TcpOptionElement::MaximumSegmentSize(1460)]) else {
        bail!("there is no room for an option of TCP");
    };
    let mut bytes = Vec::new();
    tcp.write(&mut bytes, &[])?;
    bytes.resize(bytes.len().max(SHORTEST), 0);
    Ok(bytes)
}

/// What differs between a frame and the next one.
fn source(family: Family, bits: u32, frame: &[u8]) -> Source {
    const NETWORK: usize = 14;
    let transport = NETWORK
        + match family {
            Family::V4 => 20,
            Family::V6 => 40,
        };
    let pair = |at: usize| [frame[at], frame[at + 1]];
    Source {
        bits: bits.to_be_bytes(),
        network_checksum: pair(NETWORK + 10),
        transport_checksum: pair(transport + 16),
    }
}

/// `struct xdp_md` (`linux/bpf.h`) of a frame that came in on an interface.
fn context(length: usize, interface: u32) -> anyhow::Result<Vec<u8>> {
    let length = u32::try_from(length).context("a long frame")?;
    let (data, data_meta, queue, egress) = (0, 0, 0, 0);
    let fields: [u32; 6] = [data, length, data_meta, interface, queue, egress];
    Ok(fields.into_iter().flat_map(u32::to_ne_bytes).collect())
}
