//! Frames of several buffers are filtered by their headers, and the program leaves frames unchanged.

use etherparse::IpNumber;
use op25b::{datapath::LoadOptions, policy::Role};
use op25b_common::Verdict;

use crate::support::{
    NOT_TCP, OTHER_PORT, blocked, check, filter,
    framing::{Framing, PppProtocol},
    hex, kernel,
    packet::{Extension, syn_header},
    row, runner,
    world::{V6, WORLDS, bare, policy},
};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Frames of one page and more are given to the program in several buffers.
const SIZES: [usize; 7] = [1_500, 3_400, 3_600, 4_096, 9_000, 9_216, 60_000];

#[test]
fn a_frame_of_several_buffers_is_filtered_by_its_headers() {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for world in WORLDS {
            for size in SIZES {
                let ends = world.outbound();
                let data = vec![0x25; size];
                for (port, expected) in [(25, blocked(0)), (443, OTHER_PORT)] {
                    let packet = ends.carrying(IpNumber::TCP, &ends.segment(syn_header(port), &data));
                    rows.push(row(
                        format!("{size} bytes to port {port} over {}, {framing}", world.name),
                        framing.frame(&packet),
                        expected,
                    ));
                }
                rows.push(row(
                    format!("{size} bytes of UDP over {}, {framing}", world.name),
                    framing.frame(&ends.carrying(IpNumber::UDP, &data)),
                    NOT_TCP,
                ));
            }
        }
    }
    check(&mut runner(&policy("")), &rows);
}

#[test]
fn ports_are_found_before_on_and_after_the_border_of_two_buffers() {
    // The first buffer is a page without headroom and the kernel's own data, somewhat over 3,500 bytes on most
    // machines. Extension headers move the ports across it in steps of 8; framings fill the steps.
    let framings = [
        Framing::default(),
        Framing {
            tags: Vec::new(),
            session: Some(PppProtocol::OneByte),
        },
        Framing::tags(&[0x8100]),
        Framing {
            tags: vec![0x8100],
            session: Some(PppProtocol::OneByte),
        },
    ];
    let options = IpNumber(60);
    let mut rows = Vec::new();
    for framing in &framings {
        for units in 140..=254 {
            let chain = [Extension::Common(options, 255), Extension::Common(options, units)];
            for (port, expected) in [(25, blocked(0)), (587, OTHER_PORT)] {
                let ends = V6.outbound();
                let packet = ends.v6(
                    &chain,
                    IpNumber::TCP,
                    &ends.segment(syn_header(port), &[0; 5_000]),
                );
                let ports = framing.length() + packet.bytes.len() - 5_000 - 20;
                rows.push(row(
                    format!("port {port} at byte {ports}, {framing}"),
                    framing.frame(&packet),
                    expected,
                ));
            }
        }
    }
    check(&mut runner(&policy("")), &rows);
}

#[test]
fn a_filtered_frame_is_not_changed() {
    // The runner does not return the output, so the kernel is called directly.
    let mut filter = filter(&policy(""), LoadOptions::default());
    let info = filter.program_info(Role::Subscriber).unwrap();
    let assert_unchanged = |frame: &[u8], verdict: Verdict| {
        let action = match verdict {
            Verdict::Drop => XDP_DROP,
            Verdict::Pass => XDP_PASS,
            Verdict::Reject => panic!("this policy sends no replies"),
        };
        let (answer, out) = kernel::run(&info, frame);
        assert_eq!(answer, action, "{}", hex(frame));
        assert_eq!(hex(&out), hex(frame));
    };
    for framing in Framing::every() {
        for world in WORLDS {
            for (_, packet, expected) in world.packets() {
                assert_unchanged(&framing.frame(&packet), expected.verdict);
            }
        }
    }
    for world in WORLDS {
        let segment = world.outbound().segment(syn_header(25), &[0x5a; 9_000]);
        assert_unchanged(
            &bare(&world.outbound().carrying(IpNumber::TCP, &segment)),
            Verdict::Drop,
        );
    }
}
