//! Replies to rejected packets: those that were sent, and the packets that got none.

use aya::maps::{Map, MapData, PerCpuArray};
use op25b_common::{Action, counters::Answer, names::ANSWER_COUNTS};

use crate::datapath::sys::bpf::map::MapError;

/// What became of the packets that were rejected under one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerCount {
    /// The action.
    pub action: Action,
    /// How many replies were handed to the driver.
    pub sent: u64,
    /// How many were not sent, to keep the policy's rate.
    pub suppressed: u64,
    /// How many packets there are that no reply is sent to: resets, fragments, packets from groups and the like.
    pub unanswerable: u64,
}

/// Reads the map.
pub(crate) fn answer_counts(map: &Map) -> Result<Vec<AnswerCount>, MapError> {
    let read = || -> Result<Vec<AnswerCount>, aya::maps::MapError> {
        let map = PerCpuArray::<&MapData, u64>::try_from(map)?;
        let read = |action: Action, answer: Answer| -> Result<u64, aya::maps::MapError> {
            Ok(map.get(&answer.slot(action as u8), 0)?.iter().sum())
        };
        let replying = [Action::Reset, Action::Prohibit].into_iter();
        let counts = replying.map(|action| {
            // In this order: a packet that is counted meanwhile is not one that has no reply for another reason.
            let none = read(action, Answer::None)?;
            let suppressed = read(action, Answer::Limited)?;
            Ok(AnswerCount {
                action,
                sent: read(action, Answer::Sent)?,
                suppressed,
                unanswerable: none.saturating_sub(suppressed),
            })
        });
        counts.collect()
    };
    read().map_err(MapError::read(ANSWER_COUNTS))
}
