//! Computing changes of the active set before they are in the kernel, and undoing those that do not come there.

use op25b_common::values::RuleIndex;
use ulid::Ulid;

use super::{ActiveSet, exemption};
use crate::{
    policy::{CompileError, RuleChange},
    store::Record,
};

/// Changes of the set that are not in the kernel yet.
#[derive(Debug, Default)]
pub(in crate::enforcer::exemptions) struct Staged {
    steps: Vec<Step>,
}

/// One change of the set, with what undoes it.
#[derive(Debug)]
enum Step {
    /// An exemption got a number.
    Added {
        number: RuleIndex,
        /// Its number before.
        before: Option<RuleIndex>,
        /// Its record, if it was left out before.
        left_out: Option<Record>,
        change: RuleChange,
    },
    /// The exemption of a number ended.
    Removed {
        number: RuleIndex,
        record: Record,
        change: Option<RuleChange>,
    },
    /// One that was left out was removed.
    Forgotten { record: Record },
}

impl Staged {
    /// What is to be written to the maps, in this order.
    pub(in crate::enforcer::exemptions) fn changes(&self) -> impl Iterator<Item = &RuleChange> {
        self.steps.iter().filter_map(|step| match step {
            Step::Added { change, .. } => Some(change),
            Step::Removed { change, .. } => change.as_ref(),
            Step::Forgotten { .. } => None,
        })
    }
}

impl ActiveSet {
    /// Makes the set as it is after these changes; returns what changes in the maps. After an error it is as before.
    pub(in crate::enforcer::exemptions) fn stage(
        &mut self,
        records: &[Record],
    ) -> Result<Staged, CompileError> {
        let mut staged = Staged::default();
        for record in records {
            let result = if record.removed_at.is_some() {
                self.stage_removal(record.id, &mut staged)
            } else {
                // The addition comes first, so that the customer is never blocked in between.
                let before = self.numbers.get(&record.id).copied();
                self.stage_addition(record, &mut staged)
                    .and_then(|()| match before {
                        Some(number) => self.stage_end(number, &mut staged),
                        None => Ok(()),
                    })
            };
            if let Err(error) = result {
                self.unstage(staged);
                return Err(error);
            }
        }
        Ok(staged)
    }

    fn stage_addition(&mut self, record: &Record, staged: &mut Staged) -> Result<(), CompileError> {
        let (number, change) = self.rules()?.add(exemption(record))?;
        staged.steps.push(Step::Added {
            number,
            before: self.numbers.get(&record.id).copied(),
            left_out: self.take_left_out(record.id),
            change,
        });
        self.insert(number, record.clone());
        Ok(())
    }

    fn stage_removal(&mut self, id: Ulid, staged: &mut Staged) -> Result<(), CompileError> {
        if let Some(record) = self.take_left_out(id) {
            staged.steps.push(Step::Forgotten { record });
        }
        match self.numbers.get(&id).copied() {
            Some(number) => {
                self.stage_end(number, staged)?;
                self.numbers.remove(&id);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The exemption of a number ends; its id may have another number.
    fn stage_end(&mut self, number: RuleIndex, staged: &mut Staged) -> Result<(), CompileError> {
        // Nothing changes if it had expired when the tables were compiled.
        let change = self.rules()?.remove(number)?;
        if let Some(record) = self.take(number) {
            staged.steps.push(Step::Removed {
                number,
                record,
                change,
            });
        }
        Ok(())
    }

    /// Makes the set as it was before changes that are not in the kernel.
    pub(in crate::enforcer::exemptions) fn unstage(&mut self, staged: Staged) {
        for step in staged.steps.into_iter().rev() {
            match step {
                Step::Added {
                    number,
                    before,
                    left_out,
                    change,
                } => {
                    if let Some(record) = self.take(number) {
                        match before {
                            Some(before) => self.numbers.insert(record.id, before),
                            None => self.numbers.remove(&record.id),
                        };
                    }
                    if let Some(record) = left_out {
                        self.leave_out(record);
                    }
                    if let Some(index) = &mut self.index {
                        index.rules.undo_add(number, &change);
                    }
                }
                Step::Removed {
                    number,
                    record,
                    change,
                } => {
                    self.insert(number, record);
                    if let (Some(index), Some(change)) = (&mut self.index, change) {
                        index.rules.undo_remove(number, &change);
                    }
                }
                Step::Forgotten { record } => {
                    self.leave_out(record);
                }
            }
        }
    }

    /// Notes that a change could not be written to the maps, or not as a whole.
    pub(in crate::enforcer::exemptions) fn not_applied(&mut self, change: &RuleChange) {
        if let Some(index) = &mut self.index {
            index.rules.not_applied(change);
        }
    }
}
