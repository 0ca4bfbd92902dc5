//! LLC/SNAP headers (RFC 1042) are skipped, wherever they are among the tags.

use op25b::datapath::Decision;
use op25b_common::Verdict;

use crate::support::{
    NOT_IP, Row, check,
    framing::{Framing, MAX_TAGS, PppProtocol},
    row, runner,
    world::{WORLDS, policy},
};

/// LLC and SNAP for an `EtherType`.
const LLC_SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];

/// The frame with this header and a length before the `EtherType` at an offset.
fn encapsulated(frame: &[u8], ethertype: usize, length: u16, header: [u8; 6]) -> Vec<u8> {
    let (before, after) = frame.split_at(ethertype);
    [before, &length.to_be_bytes(), &header, after].concat()
}

/// Where each `EtherType` of a framing is.
fn ethertypes(framing: &Framing) -> impl Iterator<Item = usize> + use<> {
    (0..=framing.tags.len()).map(|tag| 12 + 4 * tag)
}

#[test]
fn every_row_has_one_verdict_after_llc_snap_among_up_to_four_tags_and_before_a_session() {
    let mut runner = runner(&policy(""));
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for world in WORLDS {
            for (words, packet, expected) in world.packets() {
                for at in ethertypes(&framing) {
                    for length in [0, 46, 1500, 0x05ff] {
                        rows.push(row(
                            format!("{words}, {} {framing}, LLC/SNAP at {at}", world.name),
                            encapsulated(&framing.frame(&packet), at, length, LLC_SNAP),
                            expected,
                        ));
                    }
                }
            }
        }
    }
    check(&mut runner, &rows);
}

#[test]
fn other_llc_headers_two_of_them_and_what_is_no_length_are_not_ip() {
    let mut rows: Vec<Row> = Vec::new();
    for tags in [&[][..], &[0x88a8, 0x8100], &[0x8100; MAX_TAGS]] {
        let framing = Framing::tags(tags);
        for world in WORLDS {
            let frame = framing.frame(&world.outbound().syn(25));
            let at = 12 + 4 * tags.len();
            for byte in 0..6 {
                let mut other = LLC_SNAP;
                other[byte] ^= 0x01;
                rows.push(row(
                    format!("byte {byte} of LLC/SNAP is another one, {framing}"),
                    encapsulated(&frame, at, 46, other),
                    NOT_IP,
                ));
            }
            let once = encapsulated(&frame, at, 46, LLC_SNAP);
            rows.push(row(
                format!("twice, {framing}"),
                encapsulated(&once, at, 46, LLC_SNAP),
                NOT_IP,
            ));
            rows.push(row(
                format!("0x0600, {framing}"),
                encapsulated(&frame, at, 0x0600, LLC_SNAP),
                NOT_IP,
            ));
            rows.push(row(
                format!("the frame ends in the header, {framing}"),
                once[..at + 9].to_vec(),
                NOT_IP,
            ));
        }
    }
    check(&mut runner(&policy("block: { unlisted: drop }\n")), &rows);
}

#[test]
fn after_llc_snap_a_segment_is_dropped_without_a_reply() {
    for action in [
        "action: reset",
        "action: prohibit, prohibit_from: [192.0.2.1, '2001:db8::1']",
    ] {
        let mut runner = runner(&policy(&format!("block: {{ {action} }}\n")));
        for framing in [
            Framing::default(),
            Framing::tags(&[0x8100]),
            Framing {
                tags: Vec::new(),
                session: Some(PppProtocol::TwoBytes),
            },
        ] {
            for world in WORLDS {
                let frame = framing.frame(&world.outbound().syn(25));
                let Decision { verdict, .. } = runner.run(&frame).unwrap();
                assert_eq!(verdict, Verdict::Reject, "{action} {framing}");
                let Decision { verdict, .. } = runner.run(&encapsulated(&frame, 12, 46, LLC_SNAP)).unwrap();
                assert_eq!(verdict, Verdict::Drop, "{action} {framing}");
            }
        }
    }
}
