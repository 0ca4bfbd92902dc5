//! Events as syslog messages: RFC 5424, framed by octet counting as RFC 5425 and RFC 6587 have it.

use std::fmt::{self, Write as _};

use super::fields::{FACILITY, Sentence, fields, severity};
use crate::report::Event;

/// The structured data's id. 32473 is the enterprise number for examples (RFC 5612): op25b has none.
const SD_ID: &str = "packet@32473";

/// Appends an event as a message with its length before it.
pub(super) fn write(event: &Event, host: &str, to: &mut Vec<u8>) {
    let text = message(event, host);
    to.extend_from_slice(text.len().to_string().as_bytes());
    to.push(b' ');
    to.extend_from_slice(text.as_bytes());
}

/// `<133>1 2027-01-15T08:00:05.123456Z edge1 op25b - blocked [packet@32473 sequence="7" …] blocked 198.51.100.20:40000 …`
fn message(event: &Event, host: &str) -> String {
    let mut text = format!(
        "<{}>1 {} {host} op25b - {} [{SD_ID}",
        FACILITY * 8 + severity(event),
        event.time,
        event.reason.name()
    );
    for (name, value) in fields(event) {
        // Writing to a string does not fail.
        let _ = write!(text, " {name}=\"{}\"", Escaped(&value));
    }
    let _ = write!(text, "] {}", Sentence(event));
    text
}

/// A parameter's value: RFC 5424, 6.3.3.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if matches!(letter, '"' | '\\' | ']') {
                f.write_char('\\')?;
            }
            f.write_char(letter)?;
        }
        Ok(())
    }
}

/// A host's name as a header may have it: printable ASCII (RFC 5424, 6).
pub(super) fn host_name(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use op25b_common::Reason;

    use super::*;

    #[test]
    fn a_message_has_the_time_of_the_packet_its_fields_and_a_sentence() {
        let event = Event {
            destination: Some("203.0.113.0/24".parse().unwrap()),
            vlans: vec![100, 20],
            pppoe_session: Some(7),
            first: true,
            ..Event::fake(7, "homes")
        };
        let mut written = Vec::new();
        write(&event, "edge1", &mut written);
        let text = String::from_utf8(written).unwrap();
        let (length, message) = text.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len());
        assert_eq!(
            message,
            "<133>1 1970-01-01T00:00:00.000007Z edge1 op25b - blocked [packet@32473 sequence=\"7\" interface=\"eth1\" role=\"subscriber\" verdict=\"drop\" \
             reason=\"blocked\" pool=\"homes\" source=\"198.51.100.20\" source_port=\"40000\" destination=\"203.0.113.0/24\" \
             destination_port=\"25\" vlans=\"100,20\" pppoe_session=\"7\" length=\"74\" first=\"true\"] \
             blocked 198.51.100.20 port 40000 to 203.0.113.0/24 port 25 in pool homes"
        );
    }

    #[test]
    fn what_passed_is_informational_and_what_is_unknown_left_out() {
        let event = Event {
            reason: Reason::Exempt,
            pool: None,
            source: None,
            source_port: None,
            destination_port: None,
            ..Event::fake(1, "homes")
        };
        let text = message(&event, "-");
        assert!(text.starts_with("<134>1 "), "{text}");
        assert!(text.ends_with("] exempt"), "{text}");
        assert!(!text.contains("port"), "{text}");
    }

    #[test]
    fn a_value_cannot_end_its_parameter_and_a_host_name_its_field() {
        let event = Event::fake(1, r#"a"] \b"#);
        assert!(message(&event, "-").contains(r#" pool="a\"\] \\b" "#));
        assert_eq!(host_name("edge 1\n"), "edge1");
        assert_eq!(host_name("\u{e9}"), "-");
    }
}
