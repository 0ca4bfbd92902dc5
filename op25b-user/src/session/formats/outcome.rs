//! What was found in a log besides its sessions.

use crate::exemption::formats::Mistakes;

/// What was found in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many rows or records it has.
    pub(crate) records: usize,
    /// What is wrong in it.
    pub(crate) mistakes: Mistakes,
    left_out: [Count; LeftOut::ALL.len()],
}

/// How many records, and in which line the first is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    records: usize,
    first_line: u32,
}

/// Why a record that is as it should be says nothing about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// It has no address.
    NoAddress,
    /// It has no customer.
    NoCustomer,
    /// It is the end of a session whose beginning is not known.
    NoBeginning,
    /// It is about something else than a session.
    OtherKind,
}

impl LeftOut {
    const ALL: [Self; 4] = [
        Self::NoAddress,
        Self::NoCustomer,
        Self::NoBeginning,
        Self::OtherKind,
    ];

    /// Why, after the number of records.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::NoAddress => "without an address",
            Self::NoCustomer => "without a customer",
            Self::NoBeginning => "of an end whose beginning is not known",
            Self::OtherKind => "about something else than a session",
        }
    }
}

impl Outcome {
    /// Counts a record that is left out.
    pub(super) fn leave_out(&mut self, why: LeftOut, line: u32) {
        let count = &mut self.left_out[why as usize];
        if count.records == 0 {
            count.first_line = line;
        }
        count.records += 1;
    }

    /// Why records were left out, how many, and the line of the first.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (LeftOut, usize, u32)> {
        LeftOut::ALL
            .into_iter()
            .zip(self.left_out)
            .filter(|(_, count)| count.records > 0)
            .map(|(why, count)| (why, count.records, count.first_line))
    }
}
