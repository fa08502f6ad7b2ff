//! Puts elementwise work into the kernels around it, so that values stay in registers and fewer kernels run.
//!
//! Each rule sits in a file of its own and says why it pays. Rules look at two tasks at a time and are applied in a fixed order until
//! none applies, so that the result is a function of the program.

mod append;
mod inline;
mod row_sum;

use downhill_graph::kernel::{Epilogue, Kernel};
use downhill_graph::{Expr, ExprOp};
use downhill_tensor::sort_short;
use smallvec::SmallVec;

use crate::program::{BufferId, Home, Program, Task};
use crate::simplify::{compact_reads, keep_outputs};

/// Operands that one elementwise kernel reads at most: each needs a register with its address.
const MAX_READS: usize = 8;
/// Results that one elementwise kernel writes at most.
const MAX_OUTPUTS: usize = 4;
/// Instructions of one expression at most: longer ones spill on every backend.
const MAX_INSTRUCTIONS: usize = 64;

/// Applies all rules until none applies.
pub(crate) fn fuse(program: &mut Program) {
    loop {
        while inline::inline(program) {}
        prune(program);
        if !(append::append(program) || row_sum::row_sum(program)) {
            return;
        }
    }
}

fn fits(expr: &Expr, reads: usize) -> bool {
    reads <= MAX_READS && expr.outputs.len() <= MAX_OUTPUTS && expr.ops.len() <= MAX_INSTRUCTIONS
}

/// Which tasks lead to which, to keep fused tasks free of cycles.
struct Reach {
    deps: Vec<Vec<usize>>,
}

impl Reach {
    fn new(program: &Program) -> Self {
        Self { deps: program.dependencies() }
    }

    /// Whether `to` needs `from`, directly or not.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.deps.len()];
        let mut stack = vec![to];
        while let Some(task) = stack.pop() {
            if task == from {
                return true;
            }
            if !std::mem::replace(&mut seen[task], true) {
                stack.extend(self.deps[task].iter().copied().filter(|&d| d >= from));
            }
        }
        false
    }

    /// Whether neither needs the other.
    fn are_independent(&self, a: usize, b: usize) -> bool {
        !self.reaches(a, b) && !self.reaches(b, a)
    }

    /// Whether the two can become one task: nothing between them needs the first and is needed by the second, which
    /// comes later.
    fn can_merge(&self, first: usize, second: usize) -> bool {
        !self.deps[second].iter().any(|&d| d != first && self.reaches(first, d))
    }
}

/// Puts `merged` in the place of two tasks and restores an order in which everything is written before it is read.
fn replace_both(program: &mut Program, first: usize, second: usize, merged: Task) {
    let (low, high) = (first.min(second), first.max(second));
    program.tasks[high] = merged;
    program.tasks.remove(low);
    program.sort();
}

/// Nodes of both, in order; scope and origin of `keep`.
fn merged_task(keep: &Task, other: &Task, kernel: Kernel) -> Task {
    let mut nodes: SmallVec<_> = keep.nodes.iter().chain(&other.nodes).copied().collect();
    sort_short(&mut nodes);
    nodes.dedup();
    Task { kernel, nodes, ..keep.clone() }
}

/// Drops results that nobody reads.
fn prune(program: &mut Program) {
    program.remove_unread();
    let readers = program.readers();
    let wanted = |program: &Program, b: BufferId| {
        !readers[b.index()].is_empty() || program.is_output(b) || program.buffer(b).home != Home::Scratch
    };
    for i in 0..program.tasks.len() {
        let wants: Vec<bool> = program.tasks[i].writes.iter().map(|b| wanted(program, *b)).collect();
        if wants.iter().all(|w| *w) {
            continue;
        }
        let task = &mut program.tasks[i];
        let (expr, fixed) = match &task.kernel {
            Kernel::Map(map) => (&map.expr, 0),
            Kernel::MatMul(spec) => match &spec.epilogue {
                Some(tail) if wants[..tail.expr.outputs.len()].contains(&true) => (&tail.expr, 2),
                _ => continue,
            },
            _ => continue,
        };
        let outputs = expr.outputs.len();
        let mut expr = keep_outputs(expr, |o| wants[o]);
        let keeps = |i: usize| i >= outputs || wants[i];
        task.writes = task.writes.iter().enumerate().filter(|(i, _)| keeps(*i)).map(|(_, w)| *w).collect();
        drop_reads(task, &mut expr, fixed);
    }
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
fn epilogue_reads(expr: &mut Expr) -> Vec<usize> {
    let product = expr.read(0);
    debug_assert!(usize::from(product) < expr.ops.len());
    compact_reads(expr).into_iter().filter(|&i| i > 0).map(|i| i - 1).collect()
}
