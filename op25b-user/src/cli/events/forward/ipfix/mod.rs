//! Events as IPFIX (RFC 7011): a record for each, and the templates and counts that a collector needs to read them.
//!
//! Written here: the crates that encode IPFIX are a registry of all its elements, or not kept.

#[cfg(test)]
mod decoded;
mod record;
mod template;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::template::{IPV4, IPV6, SAMPLING, Template};
use crate::report::{Event, EventPage};

/// The longest message: with the headers of UDP and IPv6 it fits into an Ethernet frame (RFC 7011, 10.3.3).
const LONGEST: usize = 1400;
/// The length of a message's header, and of a set's.
const MESSAGE_HEADER: usize = 16;
const SET_HEADER: usize = 4;
/// How often templates are sent again where they may be lost (RFC 7011, 8.4), and the counts.
const AGAIN: Duration = Duration::from_mins(1);

/// One transport session with a collector.
#[derive(Debug)]
pub(super) struct Session {
    /// The observation domain.
    domain: u32,
    /// How many data records were sent (RFC 7011, 3.1).
    sequence: u32,
    /// When templates were sent last.
    templates_sent: Option<Instant>,
    /// Whether a template may be lost.
    is_datagrams: bool,
}

impl Session {
    /// A session in which nothing was sent.
    pub(super) fn new(domain: u32, is_datagrams: bool) -> Self {
        Self {
            domain,
            sequence: 0,
            templates_sent: None,
            is_datagrams,
        }
    }

    /// The messages for a page of events, and those that are due.
    pub(super) fn messages(&mut self, page: &EventPage, index: impl Fn(&str) -> u32) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let is_due = self.templates_sent.is_none_or(|sent| sent.elapsed() >= AGAIN);
        if is_due {
            if self.templates_sent.is_none() || self.is_datagrams {
                let sets =
                    [&IPV4, &IPV6, &SAMPLING].map(|template| set(template.set_id(), &template.definition()));
                messages.push(self.message(&sets.concat(), 0));
            }
            let (template, record) = record::of_sampling(&page.counts);
            messages.push(self.message(&set(template.id, &record), 1));
            self.templates_sent = Some(Instant::now());
        }
        for template in [&IPV4, &IPV6] {
            self.data(&page.events, template, &index, &mut messages);
        }
        messages
    }

    /// Appends the records of one family, as many to a message as it can hold.
    fn data(
        &mut self,
        events: &[Event],
        template: &Template,
        index: impl Fn(&str) -> u32,
        messages: &mut Vec<Vec<u8>>,
    ) {
        let records: Vec<Vec<u8>> = events
            .iter()
            .filter_map(|event| record::of_event(event, index(&event.interface)))
            .filter(|(of, _)| of.id == template.id)
            .map(|(_, record)| record)
            .collect();
        let most = (LONGEST - MESSAGE_HEADER - SET_HEADER) / template.record_length();
        for records in records.chunks(most) {
            let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
            messages.push(self.message(&set(template.id, &records.concat()), count));
        }
    }

    /// A message with these sets, which hold so many data records.
    fn message(&mut self, sets: &[u8], records: u32) -> Vec<u8> {
        let length = u16::try_from(MESSAGE_HEADER + sets.len()).unwrap_or(u16::MAX);
        // Seconds since the epoch, in 32 bits (RFC 7011, 3.1).
        let now = u32::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let mut message = Vec::with_capacity(usize::from(length));
        message.extend(10_u16.to_be_bytes());
        message.extend(length.to_be_bytes());
        message.extend(now.to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend(self.domain.to_be_bytes());
        message.extend(sets);
        self.sequence = self.sequence.wrapping_add(records);
        message
    }
}

/// A set: its id, its length and what it holds.
fn set(id: u16, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(SET_HEADER + contents.len()).unwrap_or(u16::MAX);
    [&id.to_be_bytes(), &length.to_be_bytes(), contents].concat()
}
