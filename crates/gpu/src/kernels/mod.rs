//! Each kernel family as dispatches: text and numbers only, so that everything here is checked without a device.

mod accuracy;
mod assign;
mod attention;
mod copy_into;
mod flat_update;
mod grad_norm;
mod index_add;
mod index_select;
mod layer_norm;
mod loss;
mod map;
mod matmul;
mod pool;
mod product;
mod record;
mod reduce;
mod rows;
mod scan;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod tile;

use downhill_compile::{Arg, ExecError, Plan, Region, Space, Step};
use downhill_graph::kernel::{Access, Kernel, Operands};

use crate::shader::{Dispatch, GROUP, Operand, Params, Width, assemble};

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

    /// Rows that one invocation adds up; where there are more, another dispatch joins the sums.
    fn block(self) -> u32 {
        if self.workgroup_memory { 1 << 5 } else { 1 << 10 }
    }
}

/// A step being turned into dispatches.
pub(crate) struct Lower<'a> {
    pub style: Style,
    pub plan: &'a Plan,
    pub step: &'a Step,
    operands: Operands,
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

    /// The operand that the kernel calls so.
    fn arg(&self, name: &str) -> Result<&Arg, ExecError> {
        let at = |list: &[Access]| list.iter().position(|access| access.name == *name);
        let read = at(&self.operands.reads).and_then(|i| self.step.reads.get(i));
        let found = read.or_else(|| at(&self.operands.writes).and_then(|i| self.step.writes.get(i)));
        found.ok_or_else(|| self.fail(&format!("it has no operand {name}")))
    }

    /// Declares the operand that the kernel calls so, under that name.
    fn bind(&self, params: &mut Params, name: &str) -> Result<Operand, ExecError> {
        Ok(Operand::new(params, name, self.arg(name)?))
    }

    /// Words of scratch, to hand results from one dispatch of this step to the next; `at` is a multiple of four.
    fn part(&mut self, at: u32, len: u32) -> Arg {
        self.scratch = self.scratch.max(at + len);
        Arg { region: Region { space: Space::Arena, offset: self.scratch_at + at, len }, start: 0, per_batch: 0 }
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
    let operands = step.kernel.operands();
    let mut cx = Lower { style, plan, step, operands, scratch_at, scratch: 0, out: Vec::new() };
    step.kernel.check().map_err(|what| cx.fail(&what))?;
    if step.writes.iter().any(|arg| arg.region.space != Space::Arena) {
        return Err(cx.fail("it writes outside the arena"));
    }
    match &step.kernel {
        Kernel::Map(spec) => map::lower(&mut cx, spec),
        Kernel::Reduce(spec) => reduce::lower(&mut cx, spec),
        Kernel::MatMul(spec) => matmul::lower(&mut cx, spec),
        Kernel::Pool(spec) => pool::lower(&mut cx, spec),
        Kernel::Rows(spec) => rows::lower(&mut cx, spec),
        Kernel::Attention(spec) => attention::lower(&mut cx, spec),
        Kernel::LayerNorm(spec) => layer_norm::lower(&mut cx, spec),
        Kernel::Loss(spec) => loss::lower(&mut cx, spec),
        Kernel::Accuracy(spec) => accuracy::lower(&mut cx, spec),
        Kernel::IndexSelect(spec) => index_select::lower(&mut cx, spec),
        Kernel::IndexAdd(spec) => index_add::lower(&mut cx, spec),
        Kernel::Scan(spec) => scan::lower(&mut cx, spec),
        Kernel::CopyInto(spec) => copy_into::lower(&mut cx, spec),
        Kernel::GradNorm(spec) => grad_norm::lower(&mut cx, spec),
        Kernel::FlatUpdate(spec) => flat_update::lower(&mut cx, spec),
        Kernel::Assign(spec) => assign::lower(&mut cx, spec),
        Kernel::Record(spec) => record::lower(&mut cx, spec),
    }?;
    Ok((cx.out, cx.scratch))
}
