//! Asks nftables which flowtables of this network namespace are in hardware (`flags offload`), and on which interfaces.

use std::{io, path::Path};

use rtnetlink::{
    packet_core::{NlaBuffer, NlasIterator},
    sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER},
};

// Of `linux/netlink.h`, `linux/netfilter/nfnetlink.h` and `linux/netfilter/nf_tables.h`.
const HEADER: usize = 16;
const REQUEST: u32 = 20;
const NFGENMSG: usize = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_GETFLOWTABLE: u16 = 23;
const NFTA_FLOWTABLE_TABLE: u16 = 1;
const NFTA_FLOWTABLE_NAME: u16 = 2;
const NFTA_FLOWTABLE_HOOK: u16 = 3;
const NFTA_FLOWTABLE_FLAGS: u16 = 7;
const NFT_FLOWTABLE_HW_OFFLOAD: u32 = 1;
const NFTA_FLOWTABLE_HOOK_DEVS: u16 = 3;
const NFTA_DEVICE_NAME: u16 = 1;

/// A flowtable in hardware: an established connection of it passes no CPU, and no XDP program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HardwareFlowtable {
    /// Its table.
    pub(crate) table: String,
    /// Its name in the table.
    pub(crate) name: String,
    /// The interfaces that it is on.
    pub(crate) interfaces: Vec<String>,
}

/// The flowtables in hardware; none where nftables is not loaded, which a question would do.
pub(crate) fn in_hardware() -> io::Result<Vec<HardwareFlowtable>> {
    if !Path::new("/sys/module/nf_tables").exists() {
        return Ok(Vec::new());
    }
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(), 0)?;
    let mut found = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        if read(&datagram, &mut found)? {
            return Ok(found);
        }
    }
}

/// A request for all flowtables of all families.
fn request() -> Vec<u8> {
    let kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETFLOWTABLE;
    let flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = Vec::new();
    message.extend(REQUEST.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.resize(REQUEST as usize, 0);
    message
}

/// Reads the messages of a datagram; whether they were the last ones.
fn read(datagram: &[u8], found: &mut Vec<HardwareFlowtable>) -> io::Result<bool> {
    let mut rest = datagram;
    while let Some((length, kind)) = length_and_kind(rest) {
        let message = rest.get(HEADER..length).ok_or_else(cut)?;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let number = message.first_chunk().copied().ok_or_else(cut)?;
                return Err(io::Error::from_raw_os_error(-i32::from_ne_bytes(number)));
            }
            _ => found.extend(flowtable(message.get(NFGENMSG..).ok_or_else(cut)?)?),
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn length_and_kind(message: &[u8]) -> Option<(usize, u16)> {
    let (length, rest) = message.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
    (length >= HEADER).then_some((length, u16::from_ne_bytes(*kind)))
}

/// The flowtable that a message describes, if it is in hardware.
fn flowtable(attributes: &[u8]) -> io::Result<Option<HardwareFlowtable>> {
    let mut flowtable = HardwareFlowtable {
        table: String::new(),
        name: String::new(),
        interfaces: Vec::new(),
    };
    let mut is_in_hardware = false;
    for attribute in each(attributes)? {
        let value = attribute.value();
        match attribute.kind() {
            NFTA_FLOWTABLE_TABLE => flowtable.table = text(value),
            NFTA_FLOWTABLE_NAME => flowtable.name = text(value),
            NFTA_FLOWTABLE_FLAGS => {
                let flags = value.first_chunk().copied().ok_or_else(cut)?;
                is_in_hardware = u32::from_be_bytes(flags) & NFT_FLOWTABLE_HW_OFFLOAD != 0;
            }
            NFTA_FLOWTABLE_HOOK => {
                for hook in each(value)? {
                    if hook.kind() == NFTA_FLOWTABLE_HOOK_DEVS {
                        let devices = each(hook.value())?;
                        let named = devices.iter().filter(|device| device.kind() == NFTA_DEVICE_NAME);
                        flowtable
                            .interfaces
                            .extend(named.map(|device| text(device.value())));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(is_in_hardware.then_some(flowtable))
}

fn each(attributes: &[u8]) -> io::Result<Vec<NlaBuffer<&[u8]>>> {
    let attributes: Result<_, _> = NlasIterator::new(attributes).collect();
    attributes.map_err(io::Error::other)
}

/// A text, which ends in a zero byte.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn cut() -> io::Error {
    io::Error::other("nftables sent a message that is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    /// As nftables describes `flowtable fast { hook ingress priority 0; devices = { eth1, eth2 }; flags offload; }`.
    fn described(flags: u32) -> Vec<u8> {
        const NESTED: u16 = 1 << 15;
        const NFT_MSG_NEWFLOWTABLE: u16 = 0x16;
        let devices = [
            attribute(NFTA_DEVICE_NAME, b"eth1\0"),
            attribute(NFTA_DEVICE_NAME, b"eth2\0"),
        ];
        let hook = [
            attribute(1, &0_u32.to_be_bytes()),
            attribute(NFTA_FLOWTABLE_HOOK_DEVS | NESTED, &devices.concat()),
        ];
        let body = [
            vec![0; NFGENMSG],
            attribute(NFTA_FLOWTABLE_TABLE, b"edge\0"),
            attribute(NFTA_FLOWTABLE_NAME, b"fast\0"),
            attribute(NFTA_FLOWTABLE_FLAGS, &flags.to_be_bytes()),
            attribute(NFTA_FLOWTABLE_HOOK | NESTED, &hook.concat()),
        ];
        message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE, &body.concat())
    }

    #[test]
    fn a_flowtable_counts_if_it_is_in_hardware() {
        let mut found = Vec::new();
        let datagram = [described(0), described(NFT_FLOWTABLE_HW_OFFLOAD)].concat();
        assert!(!read(&datagram, &mut found).unwrap());
        assert!(read(&message(NLMSG_DONE, &[0; 4]), &mut found).unwrap());
        let expected = HardwareFlowtable {
            table: "edge".to_owned(),
            name: "fast".to_owned(),
            interfaces: vec!["eth1".to_owned(), "eth2".to_owned()],
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn an_error_is_one_and_a_message_that_is_cut_off_too() {
        let refused = message(NLMSG_ERROR, &(-libc::EPERM).to_ne_bytes());
        let error = read(&refused, &mut Vec::new()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let described = described(NFT_FLOWTABLE_HW_OFFLOAD);
        assert!(read(&described[..described.len() - 8], &mut Vec::new()).is_err());
    }
}
