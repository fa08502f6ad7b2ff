//! What a plan costs: floating-point operations and bytes moved, per step and in all.

use downhill_graph::kernel::{Kernel, MapSpec};
use downhill_graph::{Expr, ExprOp};

use crate::{Arg, Plan, StateLayout};

/// What one run of a plan costs; shown to the user and compared with limits before anything is allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Trainable numbers, without padding.
    pub parameters: u64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes that kernels read and write.
    pub traffic_bytes: u64,
    /// Bytes of the arena: parameters, gradients, optimizer slots, metrics, activations.
    pub arena_bytes: u64,
    /// Bytes of the data buffer.
    pub data_bytes: u64,
    /// Kernels that run.
    pub kernels: u32,
}

/// What one run of the plan costs; `layout` is the one it was compiled for.
pub fn estimate(plan: &Plan, layout: &StateLayout) -> Estimate {
    Estimate {
        parameters: layout.entries.iter().map(|e| u64::from(e.len)).sum(),
        flops: plan.flops(),
        traffic_bytes: plan.steps.iter().map(|s| s.bytes).sum(),
        arena_bytes: u64::from(plan.arena_len) * 4,
        data_bytes: u64::from(plan.data_len) * 4,
        kernels: plan.steps.len() as u32,
    }
}

/// Floating-point operations of a kernel over these operands; `parameters` with padding.
pub(crate) fn flops(kernel: &Kernel, reads: &[Arg], parameters: u32) -> u64 {
    let numel = |map: &MapSpec| map.shape.iter().map(|&n| u64::from(n)).product::<u64>();
    match kernel {
        Kernel::Map(map) => numel(map) * operations(&map.expr),
        Kernel::Reduce { map, .. } => numel(map) * (operations(&map.expr) + 1),
        Kernel::MatMul(s) => {
            let [batch, m, n, k] = [s.batch, s.m, s.n, s.k].map(u64::from);
            let tail = s.epilogue.as_ref().map_or(0, |e| operations(&e.expr));
            batch * (m * n * (2 * k + tail) + if s.row_sum { m * k } else { 0 })
        }
        // Largest, exponential, sum, logarithm or quotient, gradient: about five passes of one operation.
        Kernel::Rows { rows, cols, .. } => 5 * u64::from(*rows) * u64::from(*cols),
        Kernel::IndexAdd { rows, width, .. } => u64::from(*rows) * u64::from(*width),
        Kernel::Norm => reads.iter().map(|a| 2 * u64::from(a.region.len)).sum(),
        Kernel::FlatUpdate { rule, scaled, .. } => u64::from(parameters) * (operations(&rule.expr) + u64::from(*scaled)),
        Kernel::IndexSelect(_) | Kernel::CopyInto { .. } | Kernel::Record => 0,
    }
}

/// Bytes that a kernel reads and writes.
pub(crate) fn bytes(kernel: &Kernel, reads: &[Arg], writes: &[Arg], parameters: u32) -> u64 {
    let all = |args: &[Arg]| args.iter().map(|a| u64::from(a.region.len)).sum::<u64>();
    4 * match kernel {
        Kernel::IndexSelect(s) => u64::from(s.rows) * (s.element.words(s.width as usize) as u64 + u64::from(s.width) + 1),
        Kernel::CopyInto { outer, len, .. } => 2 * u64::from(*outer) * u64::from(*len),
        // Weight, gradient and slots are read; weight and slots are written.
        Kernel::FlatUpdate { rule, .. } => u64::from(parameters) * (3 + 2 * rule.slots.len() as u64),
        _ => all(reads) + all(writes),
    }
}

fn operations(expr: &Expr) -> u64 {
    expr.ops.iter().filter(|op| !matches!(op, ExprOp::Read(_) | ExprOp::Const(_) | ExprOp::Scalar(_))).count() as u64
}
