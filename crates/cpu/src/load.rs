//! From the steps of a plan to loaded kernels.

use downhill_compile::{ExecError, Plan};

use crate::bind::Loader;
use crate::kernels::Op;

/// A loaded plan.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub ops: Vec<Op>,
    /// Nanoseconds of each op, roughly.
    pub costs: Vec<f64>,
    /// First batch row that a feed does not have.
    pub batches: u64,
}

/// Turns a plan into a program.
///
/// # Errors
/// When an operand leaves its buffer or a kernel cannot run here.
pub(crate) fn program(plan: &Plan) -> Result<Program, ExecError> {
    let mut loader = Loader::new(plan);
    let mut ops = Vec::with_capacity(plan.steps.len());
    let mut costs = Vec::with_capacity(plan.steps.len());
    for (i, step) in plan.steps.iter().enumerate() {
        loader.begin(i);
        step.kernel.check().map_err(|what| loader.fail(&what))?;
        let operands = loader.bind(step)?;
        ops.push(Op::load(&step.kernel, operands, &mut loader)?);
        costs.push(step.flops as f64 * 0.05 + step.bytes as f64 * 0.1 + 40.0);
    }
    Ok(Program { ops, costs, batches: loader.batches() })
}
