//! Each kernel family as dispatches: text and numbers only, so that everything here is checked without a device.

mod copy;
mod index;
mod loss;
mod map;
mod matmul;
mod norm;
mod product;
mod record;
mod reduce;
mod rows;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod tile;
mod update;

use downhill_compile::{Arg, ExecError, Plan, Space, Step};
use downhill_graph::kernel::{Kernel, RowsKind};

use crate::shader::{Dispatch, GROUP, Params, Width, assemble};

const EACH: &str = wgsl!("each.wgsl");
const OUTPUTS: &str = wgsl!("outputs.wgsl");

/// What a kind of device likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether passing operands through workgroup memory pays.
    pub workgroup_memory: bool,
}

impl Style {
    /// GPUs.
    pub const HARDWARE: Self = Self { workgroup_memory: true };
    /// Adapters that are programs on the CPU.
    pub const SOFTWARE: Self = Self { workgroup_memory: false };

    /// Elements up to which one workgroup reduces them all; beyond, several do, a quarter of that each, and another dispatch joins their
    /// sums. A GPU has many more workgroups under way than a software adapter.
    fn one_group(self) -> u32 {
        if self.workgroup_memory { 1 << 11 } else { 1 << 14 }
    }
}

/// A step being turned into dispatches.
pub(crate) struct Lower<'a> {
    pub style: Style,
    pub plan: &'a Plan,
    pub step: &'a Step,
    /// First word behind the plan's arena: partial results from one dispatch of a step to the next.
    pub scratch_at: u32,
    /// Words of it that this step needs.
    pub scratch: u32,
    /// The dispatches.
    pub out: Vec<Dispatch>,
}

impl Lower<'_> {
    fn fail(&self, what: &str) -> ExecError {
        ExecError::Unsupported(format!("{} of plan {}: {what}", self.step.kernel.family(), self.plan.name))
    }

    fn read(&self, index: usize) -> Result<&Arg, ExecError> {
        self.step.reads.get(index).ok_or_else(|| self.fail("an operand is missing"))
    }

    fn write(&self, index: usize) -> Result<&Arg, ExecError> {
        match self.step.writes.get(index) {
            Some(arg) if arg.region.space == Space::Arena => Ok(arg),
            _ => Err(self.fail("it writes outside the arena")),
        }
    }

    /// Adds a dispatch of one invocation per item, which the generated function `item` handles.
    fn each(
        &mut self,
        name: &'static str,
        width: Width,
        mut params: Params,
        functions: &str,
        items: u32,
    ) -> Result<(), ExecError> {
        params.add("items", items);
        self.out.push(assemble(name, width, params, functions, EACH, items.div_ceil(GROUP))?);
        Ok(())
    }

    /// Adds a dispatch of so many lanes per output, all of which call the function `output`. Neighbours are lanes where lanes read
    /// neighbouring elements.
    fn outputs(
        &mut self,
        name: &'static str,
        mut params: Params,
        functions: &str,
        outputs: u32,
        lanes: u32,
        lanes_are_neighbours: bool,
    ) -> Result<(), ExecError> {
        let (lane_step, slot_step) = if lanes_are_neighbours { (1, lanes) } else { (GROUP / lanes, 1) };
        params.add("lanes", lanes);
        params.add("lane_step", lane_step);
        params.add("slot_step", slot_step);
        self.out.push(assemble(name, Width::One, params, functions, OUTPUTS, outputs.div_ceil(GROUP / lanes))?);
        Ok(())
    }
}

/// The dispatches of one step, and the words of scratch that they need.
///
/// # Errors
/// When an operand is missing or there are more than a dispatch can have.
pub(crate) fn lower(style: Style, plan: &Plan, step: &Step, scratch_at: u32) -> Result<(Vec<Dispatch>, u32), ExecError> {
    let mut cx = Lower { style, plan, step, scratch_at, scratch: 0, out: Vec::new() };
    match &step.kernel {
        Kernel::Map(spec) => map::lower(&mut cx, spec),
        Kernel::Reduce { map, kind } => reduce::lower(&mut cx, map, *kind),
        Kernel::MatMul(spec) => matmul::lower(&mut cx, spec),
        Kernel::Rows { kind: RowsKind::Loss { kind, weighted }, rows, cols } => {
            loss::lower(&mut cx, *kind, *weighted, *rows, *cols)
        }
        Kernel::Rows { kind: RowsKind::Accuracy { weighted }, rows, cols } => loss::accuracy(&mut cx, *weighted, *rows, *cols),
        Kernel::Rows { kind, rows, cols } => rows::lower(&mut cx, *kind, *rows, *cols),
        Kernel::IndexSelect(spec) => index::index_select(&mut cx, spec),
        Kernel::IndexAdd { rows, width, entries } => index::index_add(&mut cx, *rows, *width, *entries),
        Kernel::CopyInto { outer, len, stride, start } => copy::lower(&mut cx, *outer, *len, *stride, *start),
        Kernel::Norm => norm::lower(&mut cx),
        Kernel::FlatUpdate { rule, groups, scaled } => update::lower(&mut cx, rule, groups, *scaled),
        Kernel::Record => record::lower(&mut cx),
    }?;
    Ok((cx.out, cx.scratch))
}
