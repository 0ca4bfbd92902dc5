//! Messages as a collector of others decodes them: the crate `netflow_parser`, which has the types of the elements from IANA's registry.

use std::fmt::Write as _;

use netflow_parser::{
    FieldValue, NetflowPacket, NetflowParser,
    variable_versions::ipfix::{FlowSetBody, IPFixFieldPair, lookup::IPFixField},
};
use op25b_common::Verdict;

use super::*;
use crate::report::{EventCount, TcpFlags};

/// What a collector decodes of a session, a text for each record.
#[derive(Default)]
struct Collector {
    parser: NetflowParser,
    records: Vec<String>,
}

impl Collector {
    /// Decodes a message: all of it, with templates that were sent before.
    #[track_caller]
    fn decode(&mut self, message: &[u8]) {
        let result = self.parser.parse_bytes(message);
        assert!(result.error.is_none(), "{result:?}");
        let [NetflowPacket::IPFix(decoded)] = &result.packets[..] else {
            panic!("{result:?}");
        };
        assert_eq!(decoded.header.observation_domain_id, 9);
        for set in &decoded.flowsets {
            match &set.body {
                FlowSetBody::Template(_) | FlowSetBody::OptionsTemplate(_) => {}
                FlowSetBody::Data(data) => {
                    assert_eq!(data.padding, Vec::<u8>::new());
                    self.records.extend(data.fields.iter().map(|record| text(record)));
                }
                FlowSetBody::OptionsData(data) => {
                    self.records.extend(data.fields.iter().map(|record| text(record)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The elements of a record by their names.
fn text(record: &[IPFixFieldPair]) -> String {
    let mut text = String::new();
    for (field, value) in record {
        let IPFixField::IANA(field) = field else {
            panic!("{field:?}");
        };
        let value = match value {
            FieldValue::DataNumber(number) => number.as_u64().unwrap().to_string(),
            FieldValue::Duration(time) => time.as_duration().as_millis().to_string(),
            FieldValue::Ip4Addr(address) => address.to_string(),
            FieldValue::Ip6Addr(address) => address.to_string(),
            FieldValue::TcpControlBits(flags, 2) => flags.to_string(),
            // The crate's names of the reasons belong to the next numbers of the registry: 129 is "ACL deny" there.
            FieldValue::ForwardingStatus(status) => u8::from(*status).to_string(),
            other => format!("{other:?}"),
        };
        writeln!(text, "{field:?} {value}").unwrap();
    }
    text
}

/// What is decoded of a page of events.
fn decoded(events: Vec<Event>) -> Vec<String> {
    let page = EventPage {
        events,
        counts: vec![
            EventCount {
                reason: "blocked".to_owned(),
                shown: 3,
                sampled_out: 90,
                lost: 7,
            },
            EventCount {
                reason: "monitored".to_owned(),
                shown: 1,
                sampled_out: 0,
                lost: 0,
            },
        ],
        ..EventPage::default()
    };
    let mut collector = Collector::default();
    for message in Session::new(9, true).messages(&page, |_| 3) {
        collector.decode(&message);
    }
    collector.records
}

#[test]
fn a_record_of_ipv4_has_what_the_event_has() {
    let event = Event {
        destination: Some("203.0.113.0/24".parse().unwrap()),
        flags: Some(TcpFlags(0b1100_0010)),
        vlans: vec![100, 42],
        ..Event::fake(1_796_000_000_123_457, "homes")
    };
    let records = decoded(vec![event]);
    assert_eq!(
        records[1],
        "FlowStartMilliseconds 1796000000123\nFlowEndMilliseconds 1796000000123\nIngressInterface 3\n\
         SourceIpv4address 198.51.100.20\nDestinationIpv4address 203.0.113.0\nDestinationIpv4prefixLength 24\n\
         ProtocolIdentifier ProtocolType(Tcp)\nSourceTransportPort 40000\nDestinationTransportPort 25\n\
         TcpControlBits CWR|ECE|SYN\nPacketDeltaCount 1\nLayer2octetDeltaCount 74\nVlanId 100\n\
         ForwardingStatus 130\nFirewallEvent FirewallEvent(FlowDenied)\n"
    );
}

#[test]
fn a_record_of_ipv6_has_what_the_event_has() {
    let event = Event {
        source: Some("2001:db8:100::/64".parse().unwrap()),
        source_port: None,
        destination: None,
        verdict: Verdict::Reject,
        ..Event::fake(1_000, "homes")
    };
    let records = decoded(vec![event]);
    assert_eq!(
        records[1],
        "FlowStartMilliseconds 1\nFlowEndMilliseconds 1\nIngressInterface 3\n\
         SourceIpv6address 2001:db8:100::\nDestinationIpv6address ::\nDestinationIpv6prefixLength 0\n\
         ProtocolIdentifier ProtocolType(Tcp)\nSourceTransportPort 0\nDestinationTransportPort 25\n\
         TcpControlBits none\nPacketDeltaCount 1\nLayer2octetDeltaCount 74\nVlanId 0\n\
         ForwardingStatus 129\nFirewallEvent FirewallEvent(FlowDenied)\n"
    );
}

#[test]
fn a_packet_that_passes_is_forwarded_and_no_event_of_a_firewall() {
    let event = Event {
        verdict: Verdict::Pass,
        ..Event::fake(1, "homes")
    };
    let records = decoded(vec![event]);
    let status = "ForwardingStatus 64\nFirewallEvent FirewallEvent(Ignore)\n";
    assert!(records[1].ends_with(status), "{records:?}");
}

#[test]
fn the_option_record_has_how_many_packets_there_were_and_how_many_of_them_have_a_record() {
    assert_eq!(
        decoded(Vec::new()),
        ["SelectorId 1\nSelectorIdTotalPktsObserved 101\nSelectorIdTotalPktsSelected 4\n"]
    );
}

#[test]
fn each_of_many_records_is_decoded_once_in_order() {
    let events = (0..500_u16).map(|port| Event {
        source_port: Some(port),
        ..Event::fake(1, "homes")
    });
    let records = decoded(events.collect());
    let ports = records.iter().skip(1).map(|record| {
        let port = record
            .lines()
            .find_map(|line| line.strip_prefix("SourceTransportPort "));
        port.unwrap().parse::<u16>().unwrap()
    });
    assert_eq!(ports.collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
}
