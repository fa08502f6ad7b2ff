//! What an executor has been asked for and has not done: uploads, steps and reads in their order, and what is done and not collected. Every backend
//! holds one; how things are done is its own.

use std::collections::VecDeque;

use downhill_graph::StepScalars;

use crate::{Completed, ProgramId, ReadId, Region, Space, Ticket};

/// Something that waits for its turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Runs of a program: the next `left` entries of [`Queue::steps`].
    Steps {
        /// What is completed with the last of them.
        ticket: Ticket,
        /// What runs.
        program: ProgramId,
        /// How many are left.
        left: usize,
    },
    /// Words for a buffer.
    Upload {
        /// Which buffer.
        space: Space,
        /// First element.
        at: u32,
        /// What is written.
        words: Vec<u32>,
    },
    /// Regions to be read.
    Read {
        /// What is completed with them.
        id: ReadId,
        /// Which.
        regions: Vec<Region>,
    },
}

/// The queue of an executor.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// What waits, oldest first.
    pub items: VecDeque<Item>,
    /// Scalars of all steps that wait, in the order of their items.
    pub steps: VecDeque<StepScalars>,
    /// What is done, oldest first.
    pub completed: Vec<Completed>,
    asked: u64,
}

impl Queue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends runs of a program, one per entry.
    pub fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Ticket {
        let ticket = Ticket(self.next());
        self.steps.extend(steps);
        self.items.push_back(Item::Steps { ticket, program, left: steps.len() });
        ticket
    }

    /// Appends an upload.
    pub fn upload(&mut self, space: Space, at: u32, words: &[u32]) {
        self.items.push_back(Item::Upload { space, at, words: words.to_vec() });
    }

    /// Appends a read.
    pub fn read(&mut self, regions: &[Region]) -> ReadId {
        let id = self.read_id();
        self.items.push_back(Item::Read { id, regions: regions.to_vec() });
        id
    }

    /// The id of a read that does not have to wait.
    pub fn read_id(&mut self) -> ReadId {
        ReadId(self.next())
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.items.clear();
        self.steps.clear();
    }

    fn next(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }
}
