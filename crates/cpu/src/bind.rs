//! The operands of a plan's steps, each checked against its buffer.

use downhill_compile::{Arg, ExecError, Plan, Region, Space, StateOffsets, Step};
use smallvec::SmallVec;

use crate::arena::Operand;

/// The operands of a step, checked against their buffers, in the kernel's order.
pub(crate) struct Bound {
    pub reads: SmallVec<[Operand; 4]>,
    pub writes: SmallVec<[Operand; 2]>,
}

/// A plan while its steps are being loaded.
pub(crate) struct Loader<'a> {
    plan: &'a Plan,
    step: usize,
    batches: u64,
}

impl<'a> Loader<'a> {
    /// Before the first step.
    pub fn new(plan: &'a Plan) -> Self {
        Self { plan, step: 0, batches: u64::MAX }
    }

    /// The step with this number is loaded now.
    pub fn begin(&mut self, step: usize) {
        self.step = step;
    }

    /// First batch row that a feed of the operands so far does not have.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// Why the step cannot be loaded.
    pub fn fail(&self, what: &str) -> ExecError {
        let kernel = self.plan.steps.get(self.step).map_or("", |s| s.kernel.family());
        ExecError::Unsupported(format!("step {} ({kernel}) of plan {}: {what}", self.step, self.plan.name))
    }

    /// Where the parts of the state lie.
    pub fn offsets(&self) -> StateOffsets {
        self.plan.state
    }

    /// A part of the state.
    pub fn state(&mut self, offset: u32, len: u32) -> Result<Operand, ExecError> {
        let region = Region { space: Space::Arena, offset, len };
        self.operand(&Arg { region, start: 0, per_batch: 0 }, u64::from(len))
    }

    /// The operands that the kernel names, each checked for what the kernel touches of it.
    pub fn bind(&mut self, step: &Step) -> Result<Bound, ExecError> {
        let operands = step.kernel.operands();
        if (operands.reads.len(), operands.writes.len()) != (step.reads.len(), step.writes.len()) {
            return Err(self.fail("an operand is missing or one too many"));
        }
        if step.writes.iter().any(|arg| arg.region.space != Space::Arena) {
            return Err(self.fail("it writes outside the arena"));
        }
        let reads = operands.reads.iter().zip(&step.reads).map(|(access, arg)| self.operand(arg, access.extent));
        let reads = reads.collect::<Result<_, _>>()?;
        let writes = operands.writes.iter().zip(&step.writes).map(|(access, arg)| self.operand(arg, access.extent));
        Ok(Bound { reads, writes: writes.collect::<Result<_, _>>()? })
    }

    /// An operand of which the kernel touches `needed` elements.
    fn operand(&mut self, arg: &Arg, needed: u64) -> Result<Operand, ExecError> {
        let (start, len) = (u64::from(arg.start), u64::from(arg.region.len));
        let buffer = match arg.region.space {
            Space::Arena => self.plan.arena_len,
            Space::Data => self.plan.data_len,
        };
        let end = u64::from(arg.region.offset) + start + needed;
        if end > u64::from(buffer) || (arg.per_batch == 0 && start + needed > len) {
            return Err(self.fail("an operand leaves its region"));
        }
        if let Some(more) = (u64::from(buffer) - end).checked_div(u64::from(arg.per_batch)) {
            self.batches = self.batches.min(more + 1);
        }
        Ok(Operand { len: needed as usize, ..Operand::from(arg) })
    }
}
