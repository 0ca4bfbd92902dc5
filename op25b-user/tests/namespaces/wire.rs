//! Frames on a wire get the verdict of a test run, in native and generic mode, in one buffer or several.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv6Header, Ipv6RawExtHeader, PacketBuilder, TcpHeader,
};
use op25b_testlab::{
    filter::Filter,
    frames::pppoe_syn,
    lab::{HOST_END, Host},
    packet_socket::PacketSocket,
};

use crate::support::scene::{PATIENCE, Scene, eventually};

fn policy(xdp: &str) -> String {
    format!(
        "\
version: 1
interfaces: [{{ name: sub0, role: subscriber, xdp: {xdp} }}]
pools: [{{ name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }}]
relays: [{{ name: post, prefixes: [192.0.2.25, 2001:db8:2::25] }}]
exemptions: [{{ customer: Example KK, prefixes: [198.51.100.136/29, 2001:db8:101::/48] }}]
"
    )
}

/// Addresses of one family.
struct Addresses {
    subscriber: IpAddr,
    exempt: IpAddr,
    stranger: IpAddr,
    server: IpAddr,
    relay: IpAddr,
}

const V4: Addresses = Addresses {
    subscriber: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10)),
    exempt: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 138)),
    stranger: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
    server: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 25)),
    relay: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 25)),
};

const V6: Addresses = Addresses {
    subscriber: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x10)),
    exempt: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 0x10)),
    stranger: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 9)),
    server: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x25)),
    relay: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x25)),
};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It comes in; counted under this reason, if under any.
    Passes(Option<&'static str>),
    /// It does not, and is counted under this reason.
    Dropped(&'static str),
}

use Fate::{Dropped, Passes};

/// A frame that is sent, and what is looked for after the filter.
struct Sent {
    words: String,
    frame: Vec<u8>,
    /// From IP on: this arrives unchanged if a tag is removed.
    packet: Vec<u8>,
    fate: Fate,
}

/// What stands before IP.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Bare,
    QinQ,
}

/// The frames of a test; every packet is another one, by its sequence number.
struct Frames {
    mtu: usize,
    sequence: u32,
    sent: Vec<Sent>,
}

impl Frames {
    fn all(mtu: usize) -> Vec<Sent> {
        let mut frames = Self {
            mtu,
            sequence: 0x5000_0000,
            sent: Vec::new(),
        };
        for addresses in [&V4, &V6] {
            frames.segments(addresses);
            frames.rules(addresses);
            frames.pppoe(addresses);
        }
        frames.fragment();
        if mtu > 4_500 {
            frames.ports_in_the_second_buffer();
        }
        frames.sent
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    fn push(&mut self, words: &str, framing: Framing, packet: Vec<u8>, fate: Fate) {
        let ethertype: [u8; 2] = if packet[0] >> 4 == 4 {
            [0x08, 0]
        } else {
            [0x86, 0xdd]
        };
        let tags: &[u8] = match framing {
            Framing::Bare => &[],
            Framing::QinQ => &[0x88, 0xa8, 0, 100, 0x81, 0, 0, 42],
        };
        // Locally administered addresses, the destination's unused: what arrives goes no further.
        let macs: &[u8] = &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        self.sent.push(Sent {
            words: format!("{words}, {framing:?}, {} bytes", packet.len()),
            frame: [macs, tags, &ethertype, &packet].concat(),
            packet,
            fate,
        });
    }

    /// A segment that makes a packet of so many bytes.
    fn segment(&mut self, from: IpAddr, to: IpAddr, port: u16, length: usize) -> Vec<u8> {
        let sequence = self.next_sequence();
        let tcp = |builder: etherparse::PacketBuilderStep<etherparse::IpHeaders>| {
            builder.tcp(40_000, port, sequence, 64_240).syn()
        };
        let builder = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => tcp(PacketBuilder::ipv4(from.octets(), to.octets(), 64)),
            (IpAddr::V6(from), IpAddr::V6(to)) => tcp(PacketBuilder::ipv6(from.octets(), to.octets(), 64)),
            _ => panic!("two families"),
        };
        let data = vec![0x25; length.saturating_sub(builder.size(0))];
        let mut packet = Vec::new();
        builder.write(&mut packet, &data).unwrap();
        packet
    }

    fn segments(&mut self, addresses: &Addresses) {
        let (from, to) = (addresses.subscriber, addresses.server);
        let lengths = [0, self.mtu / 2, self.mtu - 1, self.mtu];
        for framing in [Framing::Bare, Framing::QinQ] {
            for length in lengths {
                // A packet socket grants two tags no bytes of their own.
                let length = match framing {
                    Framing::Bare => length,
                    Framing::QinQ => length.saturating_sub(8),
                };
                for (port, fate) in [(25, Dropped("blocked")), (443, Passes(None))] {
                    let packet = self.segment(from, to, port, length);
                    self.push(&format!("TCP to port {port}"), framing, packet, fate);
                }
            }
        }
    }

    fn rules(&mut self, addresses: &Addresses) {
        let cases = [
            ("to the relay", addresses.subscriber, addresses.relay, "relay"),
            (
                "from an exempt customer",
                addresses.exempt,
                addresses.server,
                "exempt",
            ),
            ("from no pool", addresses.stranger, addresses.server, "not_pooled"),
        ];
        for (words, from, to, reason) in cases {
            let packet = self.segment(from, to, 25, self.mtu);
            self.push(words, Framing::Bare, packet, Passes(Some(reason)));
        }
    }

    fn pppoe(&mut self, addresses: &Addresses) {
        for (port, fate) in [(25, Dropped("blocked")), (587, Passes(None))] {
            let sequence = self.next_sequence();
            let syn = pppoe_syn(addresses.subscriber, addresses.server, port, sequence).unwrap();
            self.sent.push(Sent {
                words: format!("PPPoE to port {port}"),
                frame: syn.frame,
                packet: syn.packet,
                fate,
            });
        }
    }

    /// A fragment that could overwrite the flags (RFC 3128), and one that cannot.
    fn fragment(&mut self) {
        let (IpAddr::V4(from), IpAddr::V4(to)) = (V4.subscriber, V4.server) else {
            panic!("not IPv4");
        };
        for (offset, fate) in [(1, Dropped("uninspectable")), (2, Passes(None))] {
            let mut header = Ipv4Header::new(64, 64, IpNumber::TCP, from.octets(), to.octets()).unwrap();
            header.dont_fragment = false;
            header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
            header.header_checksum = header.calc_header_checksum();
            let packet = [&header.to_bytes()[..], &[0x25; 64]].concat();
            self.push(&format!("a fragment at {offset}"), Framing::Bare, packet, fate);
        }
    }

    /// After two extension headers of 2 KiB each: a program that reads the first buffer only does not see them.
    fn ports_in_the_second_buffer(&mut self) {
        const OPTIONS: IpNumber = IpNumber(60);
        let (IpAddr::V6(from), IpAddr::V6(to)) = (V6.subscriber, V6.server) else {
            panic!("not IPv6");
        };
        for (port, fate) in [(25, Dropped("blocked")), (443, Passes(None))] {
            let mut tcp = TcpHeader::new(40_000, port, self.next_sequence(), 64_240);
            tcp.syn = true;
            let options = |next| {
                Ipv6RawExtHeader::new_raw(next, &[0; 6 + 8 * 255])
                    .unwrap()
                    .to_bytes()
                    .to_vec()
            };
            let payload = [options(OPTIONS), options(IpNumber::TCP), tcp.to_bytes().to_vec()].concat();
            let header = Ipv6Header {
                payload_length: payload.len().try_into().unwrap(),
                next_header: OPTIONS,
                hop_limit: 64,
                source: from.octets(),
                destination: to.octets(),
                ..Ipv6Header::default()
            };
            let packet = [&header.to_bytes()[..], &payload].concat();
            self.push(&format!("port {port} after 4 KiB"), Framing::Bare, packet, fate);
        }
    }
}

/// How many frames were counted under each reason that is met here.
fn counted(filter: &Filter) -> Vec<u64> {
    let counters = filter.status().unwrap().counters;
    REASONS.iter().map(|reason| counters[*reason]).collect()
}

const REASONS: [&str; 5] = ["blocked", "uninspectable", "relay", "exempt", "not_pooled"];

fn expected(sent: &[Sent]) -> Vec<u64> {
    let under = |reason: &str| {
        let meant = sent
            .iter()
            .filter(|sent| matches!(sent.fate, Dropped(is) | Passes(Some(is)) if is == reason));
        meant.count() as u64
    };
    REASONS.map(under).into()
}

fn assert_filtered(xdp: &'static str, mtu: usize) {
    println!(
        "net.core.bpf_jit_enable = {}",
        fs::read_to_string("/proc/sys/net/core/bpf_jit_enable")
            .unwrap()
            .trim()
    );
    let scene = Scene::new();
    scene.ip(&[&format!("link set sub0 mtu {mtu}")]);
    let subscriber = scene.lab.host(Host::Subscriber);
    let status = subscriber
        .command("ip")
        .args(["link", "set", HOST_END, "mtu", &mtu.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let filter = scene.filter(&scene.policy(&policy(xdp)));
    assert_eq!(scene.modes(), [("sub0".to_owned(), xdp)]);
    let mut after = scene.router().run(|| PacketSocket::open("sub0")).unwrap();
    let before = subscriber.run(|| PacketSocket::open(HOST_END)).unwrap();

    let sent = Frames::all(mtu);
    for sent in &sent {
        before.send(&sent.frame).unwrap();
    }
    // Once all counters are as expected, a last frame comes in after whatever passed.
    eventually("each frame is counted", || counted(&filter) == expected(&sent));
    let mut last = Frames {
        mtu,
        sequence: 0x6000_0000,
        sent: Vec::new(),
    };
    let packet = last.segment(V4.subscriber, V4.server, 443, 0);
    last.push("the last", Framing::Bare, packet, Passes(None));
    before.send(&last.sent[0].frame).unwrap();

    let deadline = Instant::now() + PATIENCE;
    let mut seen = vec![false; sent.len()];
    let mut is_over = false;
    let all_are_there = |seen: &[bool]| {
        sent.iter()
            .zip(seen)
            .all(|(sent, seen)| *seen || matches!(sent.fate, Dropped(_)))
    };
    while !is_over || !all_are_there(&seen) {
        let Some(frame) = after.receive(deadline).unwrap() else {
            break;
        };
        is_over |= frame.ends_with(&last.sent[0].packet);
        for (sent, seen) in sent.iter().zip(&mut seen) {
            *seen |= frame.ends_with(&sent.packet);
        }
    }
    assert!(is_over, "the last frame did not come");
    for (sent, seen) in sent.iter().zip(seen) {
        assert_eq!(
            seen,
            matches!(sent.fate, Passes(_)),
            "{}: {:?}",
            sent.words,
            sent.fate
        );
    }
    assert_eq!(counted(&filter), expected(&sent), "{REASONS:?}");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn frames_of_up_to_1500_bytes_are_filtered_in_native_mode() {
    assert_filtered("native", 1_500);
}

#[test]
fn frames_of_up_to_1500_bytes_are_filtered_in_generic_mode() {
    assert_filtered("generic", 1_500);
}

#[test]
fn frames_of_up_to_9000_bytes_are_filtered_in_native_mode() {
    assert_filtered("native", 9_000);
}

#[test]
fn frames_of_up_to_9000_bytes_are_filtered_in_generic_mode() {
    assert_filtered("generic", 9_000);
}
