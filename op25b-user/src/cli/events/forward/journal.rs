//! Events as entries of the journal, in systemd's protocol for it: each a datagram of fields (systemd.io, "Native Journal Protocol").

use super::fields::{FACILITY, Sentence, fields, severity};
use crate::report::Event;

/// Where journald takes entries.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The entry of an event: `OP25B_` and its name for each field, as names without a prefix are those of systemd.
pub(super) fn entry(event: &Event) -> Vec<u8> {
    let mut entry = Vec::new();
    for (name, value) in [
        ("MESSAGE", Sentence(event).to_string()),
        ("PRIORITY", severity(event).to_string()),
        ("SYSLOG_FACILITY", FACILITY.to_string()),
        ("SYSLOG_IDENTIFIER", "op25b".to_owned()),
        ("OP25B_TIME", event.time.to_string()),
    ] {
        add(name, &value, &mut entry);
    }
    for (name, value) in fields(event) {
        add(
            &format!("OP25B_{}", name.to_ascii_uppercase()),
            &value,
            &mut entry,
        );
    }
    entry
}

/// Appends a field, with the length of its value, so that the value may have any character.
fn add(name: &str, value: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(name.as_bytes());
    to.push(b'\n');
    to.extend_from_slice(&(value.len() as u64).to_le_bytes());
    to.extend_from_slice(value.as_bytes());
    to.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_sentence_a_priority_and_each_field_with_its_length() {
        let event = Event {
            pool: Some("ho\nmes".to_owned()),
            ..Event::fake(7, "homes")
        };
        let entry = entry(&event);
        let has = |field: &[u8]| entry.windows(field.len()).any(|part| part == field);
        assert!(entry.starts_with(b"MESSAGE\n"), "{entry:?}");
        assert!(has(b"\nPRIORITY\n\x01\0\0\0\0\0\0\x005\n"), "{entry:?}");
        assert!(
            has(b"\nOP25B_SOURCE_PORT\n\x05\0\0\0\0\0\0\x0040000\n"),
            "{entry:?}"
        );
        assert!(has(b"\nOP25B_POOL\n\x06\0\0\0\0\0\0\0ho\nmes\n"), "{entry:?}");
        assert!(!has(b"OP25B_FIRST"), "what is unknown is left out: {entry:?}");
    }
}
