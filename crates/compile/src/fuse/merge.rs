//! What all fusion rules need of tasks: their limits, what a merged task is made of, and how results that nobody reads are dropped.

use downhill_graph::kernel::{Epilogue, Kernel};
use downhill_graph::{Expr, ExprOp};
use downhill_tensor::sort_short;
use smallvec::SmallVec;

use crate::simplify::{compact_reads, keep_outputs};
use crate::work::Task;

/// Operands that one elementwise kernel reads at most: each needs a register with its address.
const MAX_READS: usize = 8;
/// Results that one elementwise kernel writes at most.
const MAX_OUTPUTS: usize = 4;
/// Instructions of one expression at most: longer ones spill on every backend.
const MAX_INSTRUCTIONS: usize = 64;

/// Whether one elementwise kernel can compute this.
pub(super) fn fits(expr: &Expr, reads: usize) -> bool {
    reads <= MAX_READS && expr.outputs.len() <= MAX_OUTPUTS && expr.ops.len() <= MAX_INSTRUCTIONS
}

/// A task with the nodes of both, in order; everything but the kernel is that of `keep`.
pub(super) fn merged_task(keep: &Task, other: &Task, kernel: Kernel) -> Task {
    let mut nodes: SmallVec<_> = keep.nodes.iter().chain(&other.nodes).copied().collect();
    sort_short(&mut nodes);
    nodes.dedup();
    Task {
        kernel,
        nodes,
        reads: keep.reads.clone(),
        writes: keep.writes.clone(),
        uses: keep.uses.clone(),
        scope: keep.scope.clone(),
        origin: keep.origin,
    }
}

/// The task without the results that are not wanted, and without the reads that only they needed. None where it has to stay as it is.
pub(super) fn without_unread(task: &Task, wanted: &[bool]) -> Option<Task> {
    let (expr, fixed) = match &task.kernel {
        Kernel::Map(map) => (&map.expr, 0),
        Kernel::MatMul(spec) => match &spec.epilogue {
            Some(tail) if wanted[..tail.expr.outputs.len()].contains(&true) => (&tail.expr, 2),
            _ => return None,
        },
        _ => return None,
    };
    let outputs = expr.outputs.len();
    let mut task = task.clone();
    let mut expr = keep_outputs(expr, |o| wanted[o]);
    let keeps = |i: usize| i >= outputs || wanted[i];
    task.writes = task.writes.iter().enumerate().filter(|(i, _)| keeps(*i)).map(|(_, w)| *w).collect();
    drop_reads(&mut task, &mut expr, fixed);
    Some(task)
}

/// Gives the task an expression, without the reads that no longer occur in it. The first `fixed` reads stay.
fn drop_reads(task: &mut Task, expr: &mut Expr, fixed: usize) {
    match &mut task.kernel {
        Kernel::Map(map) => {
            let used = compact_reads(expr);
            task.reads = used.iter().map(|&i| task.reads[i]).collect();
            map.read_strides = used.iter().map(|&i| map.read_strides[i].clone()).collect();
            map.expr = std::mem::take(expr);
        }
        Kernel::MatMul(spec) => {
            let Some(tail) = &spec.epilogue else { return };
            let (used, strides) = (epilogue_reads(expr), &tail.read_strides);
            let fixed_reads = task.reads[..fixed].iter().copied();
            let (reads, read_strides) = (
                fixed_reads.chain(used.iter().map(|&i| task.reads[fixed + i])).collect(),
                used.iter().map(|&i| strides[i]).collect(),
            );
            task.reads = reads;
            // Storing the product as it is needs no epilogue.
            let plain = expr.outputs.len() == 1 && expr.ops[usize::from(expr.outputs[0])] == ExprOp::Read(0);
            spec.epilogue = (!plain).then(|| Epilogue { expr: std::mem::take(expr), read_strides });
        }
        _ => {}
    }
}

/// Renumbers the extra reads of an epilogue, where `Read(0)` is the product; returns the old number of each, counted without it.
pub(super) fn epilogue_reads(expr: &mut Expr) -> Vec<usize> {
    let product = expr.read(0);
    debug_assert!(usize::from(product) < expr.ops.len());
    compact_reads(expr).into_iter().filter(|&i| i > 0).map(|i| i - 1).collect()
}
