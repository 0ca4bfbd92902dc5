//! An nftables table on an interface, and which frames it lets through.

use std::{
    path::Path,
    process,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use op25b_testlab::{lab::NetNs, packet_socket::PacketSocket, process::output_of};

/// How long a frame may take from one end of a pair to the other.
const PATIENCE: Duration = Duration::from_secs(15);
/// An `EtherType` for experiments (IEEE 802), which no frame of the tests has: a frame with it follows each of theirs.
const MARKER: [u8; 2] = [0x88, 0xb5];
/// What the table under test lets through goes on to another interface, where it is seen after its verdict.
const ONWARD: &str = r#"
table netdev onward {
    chain onward {
        type filter hook ingress device "eth1" priority 100; policy accept;
        fwd to "out0"
    }
}
"#;

/// A namespace with the interface `eth1`, whose packets meet the table.
pub struct Table {
    namespace: NetNs,
}

impl Table {
    /// Loads a file that names `eth1`.
    pub fn load(file: &Path) -> Self {
        let namespace = NetNs::create(format!("op25b-nft-{}", process::id())).expect("a namespace");
        let run = |program: &str, arguments: &[&str]| {
            let result = output_of(namespace.command(program).args(arguments));
            result.unwrap_or_else(|error| panic!("{error:#}; `cargo xtask setup --tests` installs nftables"));
        };
        // Without it no interface sends packets of its own.
        let quiet = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";
        run("sh", &["-c", quiet]);
        for [near, far] in [["eth1", "line1"], ["out0", "out1"]] {
            run(
                "ip",
                &["link", "add", near, "up", "type", "veth", "peer", "name", far],
            );
            run("ip", &["link", "set", far, "up"]);
        }
        run("nft", &["-f", file.to_str().expect("a path in UTF-8")]);
        run("nft", &[ONWARD]);
        Self { namespace }
    }

    /// Whether it lets each of these frames through.
    pub fn passes(&self, frames: Vec<Vec<u8>>) -> Vec<bool> {
        let passed = self.namespace.run(move || {
            // On one CPU frames keep their order.
            let mut cpu = CpuSet::new();
            cpu.set(0)?;
            sched_setaffinity(Pid::from_raw(0), &cpu)?;
            let (line, mut out) = (PacketSocket::open("line1")?, PacketSocket::open("out1")?);
            let mut passed = Vec::with_capacity(frames.len());
            for (frame, number) in frames.iter().zip(0u32..) {
                let marker = [
                    &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
                    &MARKER[..],
                    &number.to_be_bytes(),
                ]
                .concat();
                line.send(frame)?;
                line.send(&marker)?;
                let deadline = Instant::now() + PATIENCE;
                let mut count = 0;
                loop {
                    let seen = out.receive(deadline)?;
                    let seen = seen.ok_or_else(|| anyhow::anyhow!("no frame {number} comes through"))?;
                    if seen == marker {
                        break;
                    }
                    count += 1;
                }
                anyhow::ensure!(count < 2, "frame {number} came {count} times");
                passed.push(count == 1);
            }
            Ok(passed)
        });
        passed.expect("frames can be sent")
    }
}
