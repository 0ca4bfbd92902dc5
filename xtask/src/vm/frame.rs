//! The frames on the wires: numbered SYNs of one subscriber to one server.

/// The header of Ethernet.
const ETHERNET: usize = 14;
/// A header of IPv4 and one of TCP, without options.
const PACKET: usize = 40;
/// The router's address on the subscribers' side, and the subscriber's.
const LINK: [[u8; 6]; 2] = [[0x52, 0x54, 0, 0x25, 0, 0x01], [0x52, 0x54, 0, 0x25, 0, 0x10]];
/// The subscriber, who is in the pool, and the server.
const ADDRESSES: [[u8; 4]; 2] = [[192, 0, 2, 10], [198, 51, 100, 25]];
/// Any port above the privileged ones.
const SOURCE_PORT: u16 = 40_025;
/// TCP in IPv4.
const TCP: u8 = 6;

/// A SYN as the subscriber's modem sends it.
pub fn syn(port: u16, number: u32) -> [u8; ETHERNET + PACKET] {
    let mut frame = [0; ETHERNET + PACKET];
    frame[..6].copy_from_slice(&LINK[0]);
    frame[6..12].copy_from_slice(&LINK[1]);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    let (network, transport) = frame[ETHERNET..].split_at_mut(20);
    // 40 bytes, not fragmented, 64 hops.
    network[..10].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, TCP]);
    network[12..16].copy_from_slice(&ADDRESSES[0]);
    network[16..].copy_from_slice(&ADDRESSES[1]);
    let sum = checksum(&[network]);
    network[10..12].copy_from_slice(&sum);
    transport[..2].copy_from_slice(&SOURCE_PORT.to_be_bytes());
    transport[2..4].copy_from_slice(&port.to_be_bytes());
    transport[4..8].copy_from_slice(&number.to_be_bytes());
    // Five words, SYN, a window of 64,240 bytes.
    transport[12..16].copy_from_slice(&[0x50, 0x02, 0xfa, 0xf0]);
    let pseudo = [0, TCP, 0, 20];
    let sum = checksum(&[&ADDRESSES.concat(), &pseudo, transport]);
    transport[16..18].copy_from_slice(&sum);
    frame
}

/// The port and the number of a SYN that the router has passed on; nothing of other frames.
pub fn read(frame: &[u8]) -> Option<(u16, u32)> {
    let packet = frame.get(ETHERNET..ETHERNET + PACKET)?;
    let is_ours = frame[12..14] == [0x08, 0x00]
        && packet[0] == 0x45
        && packet[9] == TCP
        && packet[12..20] == ADDRESSES.concat();
    let number = u32::from_be_bytes(packet[24..28].try_into().ok()?);
    is_ours.then(|| (u16::from_be_bytes([packet[22], packet[23]]), number))
}

/// The checksum of the Internet (RFC 1071) over parts of an even length.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_example_in_rfc_1071() {
        let sum = checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5], &[0xf6, 0xf7]]);
        assert_eq!(sum, (!0xddf2_u16).to_be_bytes());
    }

    #[test]
    fn a_syn_with_its_checksums_sums_up_to_nothing() {
        let frame = syn(25, 7);
        let (network, transport) = frame[ETHERNET..].split_at(20);
        assert_eq!(checksum(&[network]), [0, 0]);
        assert_eq!(
            checksum(&[&ADDRESSES.concat(), &[0, TCP, 0, 20], transport]),
            [0, 0]
        );
    }

    #[test]
    fn what_is_read_is_what_was_sent_also_after_a_hop() {
        let mut frame = syn(587, 0x0102_0304);
        frame[..6].fill(1);
        frame[ETHERNET + 8] -= 1;
        assert_eq!(read(&frame), Some((587, 0x0102_0304)));
        frame[ETHERNET + 9] = 17;
        assert_eq!(read(&frame), None);
        assert_eq!(read(&frame[..ETHERNET]), None);
    }
}
