//! Lets the weight gradient's kernel emit the bias gradient.
//!
//! dW = dYᵀ·X reads every element of dY, and db is the sum of dY over the same rows: one more column of ones in X. It pays because
//! dY is not read a second time, and the reduction over a strided axis disappears.

use downhill_graph::ExprOp;
use downhill_graph::kernel::{Kernel, MatMulSpec, ReduceKind, ReduceSpec};
use downhill_tensor::sort_short_by_key;

use super::arena::{Arena, TaskId};
use super::merge::merged_task;
use crate::work::Task;

/// Moves one sum into the first product that can take it.
pub(super) fn row_sum(arena: &mut Arena, r: TaskId) -> bool {
    let Some(sum) = arena.task(r).filter(|task| is_sum(task)) else { return false };
    let operand = sum.reads[0];
    let mut products = arena.readers(operand.buffer).to_vec();
    sort_short_by_key(&mut products, |&p| arena.slot(p));
    for p in products {
        let (Some(sum), Some(product)) = (arena.task(r), arena.task(p)) else { continue };
        let Kernel::MatMul(spec) = &product.kernel else { continue };
        if product.reads[0] != operand || !sums_rows(spec, &sum.kernel) {
            continue;
        }
        let kernel = Kernel::MatMul(MatMulSpec { row_sum: true, ..spec.clone() });
        let mut merged = merged_task(product, sum, kernel);
        merged.writes.extend(sum.writes.iter().copied());
        let (first, second) = if arena.slot(p) < arena.slot(r) { (p, r) } else { (r, p) };
        if let Some(between) = arena.between(first, second, false) {
            arena.merge(first, second, &between, merged);
            return true;
        }
    }
    false
}

/// Whether the task sums the elements of one operand as they are.
fn is_sum(task: &Task) -> bool {
    matches!(&task.kernel, Kernel::Reduce(ReduceSpec { map, kind: ReduceKind::Sum })
        if map.expr.ops == [ExprOp::Read(0)] && task.reads.len() == 1)
}

/// Whether the sum is over the columns of the product's left matrix.
fn sums_rows(spec: &MatMulSpec, sum: &Kernel) -> bool {
    let Kernel::Reduce(ReduceSpec { map, .. }) = sum else { return false };
    let ([outer, reduced, inner], [by_outer, by_reduced, by_inner]) = (&map.shape[..], &map.read_strides[0][..]) else {
        return false;
    };
    let (rows, by_row) = if *outer == 1 { (inner, by_inner) } else { (outer, by_outer) };
    let same = |n: u32, a: u32, b: u32| n == 1 || a == b;
    (spec.batch, spec.segments) == (1, 1)
        && !spec.row_sum
        && (*outer == 1 || *inner == 1)
        && (*rows, *reduced) == (spec.m, spec.k)
        && same(spec.m, spec.a.row_stride, *by_row)
        && same(spec.k, spec.a.col_stride, *by_reduced)
}
