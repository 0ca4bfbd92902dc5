//! The ports that are blocked, and the segments in which they are.

use etherparse::TcpHeader;

use crate::support::{
    OTHER_PORT, Row, blocked, check,
    framing::Framing,
    packet::syn_header,
    row, runner,
    world::{WORLDS, bare, policy},
};

#[test]
fn only_the_destination_port_counts() {
    let mut rows = Vec::new();
    for framing in Framing::usual() {
        for world in WORLDS {
            for port in [
                0, 1, 24, 26, 80, 443, 465, 587, 2525, 0x1900, 0x1919, 0xff19, 0xffff,
            ] {
                rows.push(row(
                    format!("port {port} over {} {framing}", world.name),
                    framing.frame(&world.outbound().syn(port)),
                    OTHER_PORT,
                ));
            }
            for (destination, expected) in [(443, OTHER_PORT), (25, blocked(0))] {
                let mut header = syn_header(destination);
                header.source_port = 25;
                rows.push(row(
                    format!("from port 25 to port {destination} over {} {framing}", world.name),
                    framing.frame(&world.outbound().tcp(header)),
                    expected,
                ));
            }
        }
    }
    check(&mut runner(&policy("")), &rows);
}

#[test]
fn of_all_ports_exactly_the_listed_ones_are_blocked() {
    for ports in [
        &[25_u16][..],
        &[25, 2525],
        &[2525, 25],
        &[1, 65535],
        &[25, 26, 2525, 10025, 1, 65535, 24, 7],
    ] {
        let mut runner = runner(&policy(&format!("block: {{ ports: {ports:?} }}\n")));
        for world in WORLDS {
            let frame = bare(&world.outbound().syn(0));
            // Of the TCP header, the last one in the frame: after the source port.
            let field = frame.len() - TcpHeader::MIN_LEN + 2;
            let rows: Vec<Row> = (0..=u16::MAX)
                .step_by(if ports.len() == 1 { 1 } else { 97 })
                .chain(
                    ports
                        .iter()
                        .flat_map(|port| [port - 1, *port, port.saturating_add(1)]),
                )
                .map(|port| {
                    let mut frame = frame.clone();
                    frame[field..field + 2].copy_from_slice(&port.to_be_bytes());
                    let expected = if ports.contains(&port) {
                        blocked(0)
                    } else {
                        OTHER_PORT
                    };
                    row(
                        format!("port {port} with {ports:?} over {}", world.name),
                        frame,
                        expected,
                    )
                })
                .collect();
            check(&mut runner, &rows);
        }
    }
}

#[test]
fn every_combination_of_flags_is_blocked() {
    let mut rows = Vec::new();
    for world in WORLDS {
        for flags in 0..=u8::MAX {
            let mut header = syn_header(25);
            header.syn = flags & 0x02 != 0;
            header.fin = flags & 0x01 != 0;
            header.rst = flags & 0x04 != 0;
            header.psh = flags & 0x08 != 0;
            header.ack = flags & 0x10 != 0;
            header.urg = flags & 0x20 != 0;
            header.ece = flags & 0x40 != 0;
            header.cwr = flags & 0x80 != 0;
            rows.push(row(
                format!("flags {flags:08b} to port 25 over {}", world.name),
                bare(&world.outbound().tcp(header.clone())),
                blocked(0),
            ));
            header.destination_port = 587;
            rows.push(row(
                format!("flags {flags:08b} to port 587 over {}", world.name),
                bare(&world.outbound().tcp(header)),
                OTHER_PORT,
            ));
        }
    }
    check(&mut runner(&policy("")), &rows);
}
