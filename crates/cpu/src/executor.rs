//! Runs plans on this thread, whenever it is pumped.

use downhill_compile::{
    Completed, ExecError, Executor, Item, Plan, ProgramId, Progress, Queue, ReadId, Region, Slots, Space, Ticket,
};
use downhill_graph::StepScalars;
use web_time::Instant;

use crate::arena::{Buffer, Memory};
use crate::budget::Budget;
use crate::kernels::{Cursor, Cx, Scratch};
use crate::load;
use crate::load::Program;

/// Where the program at the head of the queue goes on.
#[derive(Clone, Copy, Default)]
struct Position {
    op: usize,
    cursor: Cursor,
}

/// Runs plans on this thread, whenever it is pumped.
#[derive(Default)]
pub struct CpuExecutor {
    pub(crate) arena: Buffer,
    pub(crate) data: Buffer,
    pub(crate) programs: Slots<Program>,
    pub(crate) scratch: Scratch,
    queue: Queue,
    position: Position,
}

impl CpuExecutor {
    /// An executor with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole arena as words, for snapshots and tests. What was submitted and not pumped has not happened yet.
    pub fn arena(&self) -> &[u32] {
        self.arena.words()
    }

    fn buffer(&self, space: Space) -> &Buffer {
        match space {
            Space::Arena => &self.arena,
            Space::Data => &self.data,
        }
    }

    fn check(&self, region: &Region) -> Result<(), ExecError> {
        let end = u64::from(region.offset) + u64::from(region.len);
        if end <= self.buffer(region.space).len() as u64 {
            Ok(())
        } else {
            Err(ExecError::Unsupported(format!("{region} lies outside its buffer")))
        }
    }

    fn write(&mut self, space: Space, at: usize, words: &[u32]) {
        let buffer = match space {
            Space::Arena => &mut self.arena,
            Space::Data => &mut self.data,
        };
        buffer.words_mut()[at..at + words.len()].copy_from_slice(words);
    }

    fn collect(&mut self, id: ReadId, regions: &[Region]) {
        let mut words = Vec::with_capacity(regions.iter().map(|r| r.len as usize).sum());
        for r in regions {
            words.extend_from_slice(&self.buffer(r.space).words()[r.offset as usize..r.end() as usize]);
        }
        self.queue.completed.push(Completed::Read(id, words));
    }

    /// Runs up to `left` steps of a program; returns how many are left.
    fn advance(&mut self, program: ProgramId, mut left: usize, budget: &mut Budget) -> usize {
        let Some(program) = self.programs.get(program) else {
            self.queue.steps.drain(..left.min(self.queue.steps.len()));
            self.position = Position::default();
            return 0;
        };
        let memory = Memory::new(&mut self.arena, &mut self.data);
        while let (1.., Some(step)) = (left, self.queue.steps.front()) {
            let memory = memory.with_batch(step.batch);
            let mut cx = Cx { scratch: &mut self.scratch, memory, step, budget };
            let mut go_on = true;
            while let Some(op) = program.ops.get(self.position.op) {
                if !op.run(&mut self.position.cursor, &mut cx) {
                    return left;
                }
                go_on = cx.budget.spend(program.costs[self.position.op]);
                self.position.op += 1;
                if !go_on && self.position.op < program.ops.len() {
                    return left;
                }
            }
            self.position = Position::default();
            self.queue.steps.pop_front();
            left -= 1;
            if !go_on {
                break;
            }
        }
        left
    }
}

impl Executor for CpuExecutor {
    fn load(&mut self, plan: &Plan) -> Result<ProgramId, ExecError> {
        let program = load::program(plan)?;
        let needed = 4 * (u64::from(plan.arena_len) + u64::from(plan.data_len));
        let out_of_memory = |_| ExecError::OutOfMemory { needed };
        self.arena.grow(plan.arena_len as usize).map_err(out_of_memory)?;
        self.data.grow(plan.data_len as usize).map_err(out_of_memory)?;
        for op in &program.ops {
            op.reserve(&mut self.scratch).map_err(out_of_memory)?;
        }
        Ok(self.programs.put(program))
    }

    fn unload(&mut self, program: ProgramId) {
        self.programs.take(program);
    }

    fn upload(&mut self, space: Space, at: u32, words: &[u32]) -> Result<(), ExecError> {
        let len = u32::try_from(words.len()).unwrap_or(u32::MAX);
        self.check(&Region { space, offset: at, len })?;
        if self.queue.is_empty() {
            self.write(space, at as usize, words);
        } else {
            self.queue.upload(space, at, words);
        }
        Ok(())
    }

    fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Result<Ticket, ExecError> {
        let Some(loaded) = self.programs.get(program) else {
            return Err(ExecError::Unsupported("the program is not loaded".to_string()));
        };
        if let Some(step) = steps.iter().find(|s| u64::from(s.batch) >= loaded.batches) {
            return Err(ExecError::Unsupported(format!("there is no batch {}", step.batch)));
        }
        Ok(self.queue.submit(program, steps))
    }

    fn pump(&mut self, deadline: Instant) -> Progress {
        let mut budget = Budget::until(deadline);
        while let Some(item) = self.queue.items.pop_front() {
            match item {
                Item::Upload { space, at, words } => self.write(space, at as usize, &words),
                Item::Read { id, regions } => self.collect(id, &regions),
                Item::Steps { ticket, program, left } => {
                    let left = self.advance(program, left, &mut budget);
                    if left > 0 {
                        self.queue.items.push_front(Item::Steps { ticket, program, left });
                        return Progress::Busy;
                    }
                    self.queue.completed.push(Completed::Steps(ticket));
                }
            }
        }
        Progress::Idle
    }

    fn request_read(&mut self, regions: &[Region]) -> Result<ReadId, ExecError> {
        regions.iter().try_for_each(|r| self.check(r))?;
        if !self.queue.is_empty() {
            return Ok(self.queue.read(regions));
        }
        let id = self.queue.read_id();
        self.collect(id, regions);
        Ok(id)
    }

    fn take_completed(&mut self, out: &mut Vec<Completed>) {
        out.append(&mut self.queue.completed);
    }
}
