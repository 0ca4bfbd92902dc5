//! Who hides ports from the filter is in the list of subscribers.

use std::net::Ipv4Addr;

use etherparse::{EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header};

use super::{ETHERNET, FOUR, SIX, line, syn};
use crate::support::scene::{SMALL, Scene, eventually};

/// A customer's forgotten mail client.
const CUSTOMER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

/// The middle of a TCP segment, at the offset at which it could overwrite its flags (RFC 3128).
fn fragment() -> Vec<u8> {
    let part = [0; 12];
    let mut ip = Ipv4Header::new(12, 64, IpNumber::TCP, FOUR.octets(), [203, 0, 113, 25]).unwrap();
    ip.fragment_offset = IpFragOffset::try_new(1).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let ethernet = Ethernet2Header {
        source: ETHERNET[0],
        destination: ETHERNET[1],
        ether_type: EtherType::IPV4,
    };
    [&ethernet.to_bytes()[..], &ip.to_bytes(), &part, &[0; 14]].concat()
}

#[test]
fn who_hides_ports_is_listed_with_how_often_beside_who_is_blocked() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let line = line(&scene);
    for frame in [syn(CUSTOMER), syn(SIX), fragment(), fragment(), fragment()] {
        line.send(&frame).unwrap();
    }
    eventually("all are counted", || {
        ["blocked", "uninspectable"].map(|reason| filter.count(reason).unwrap()) == [2, 3]
    });

    let answer = scene.op25b(&["subscribers", "--sort", "hidden", "--json"]).json();
    let rows = answer["filters"][0]["subscribers"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{answer}");
    assert_eq!(rows[0]["subscriber"], FOUR.to_string());
    let counts =
        ["hidden", "packets", "blocked_syns", "destinations"].map(|key| rows[0][key].as_u64().unwrap());
    assert_eq!(counts, [3, 0, 0, 0]);
    assert!(
        rows[1..]
            .iter()
            .all(|row| row["hidden"] == 0 && row["packets"].as_u64() > Some(0))
    );

    let text = scene.op25b(&["subscribers", "--in", "198.51.100.77"]).stdout;
    let lines: Vec<_> = text.lines().collect();
    let column = lines[1].find("HIDDEN").unwrap() + "HIDDEN".len();
    assert!(lines[2][..column].ends_with(" 3"), "{text}");
}
