//! Lets the weight gradient's kernel emit the bias gradient.
//!
//! dW = dYᵀ·X reads every element of dY, and db is the sum of dY over the same rows: one more column of ones in X. It pays because
//! dY is not read a second time, and the reduction over a strided axis disappears.
//!
//! The bias of a convolution is summed over places and then over samples, in two reductions; the product of its weight gradient runs over both, samples
//! as segments, and takes the place of both: `reduce [64·16, 784, 1]`, `reduce [1, 64, 16]` and `16×9×784·64` become one kernel.

use downhill_graph::ExprOp;
use downhill_graph::kernel::{Kernel, MatMulSpec, ReduceKind, ReduceSpec};
use downhill_tensor::sort_short_by_key;

use super::arena::{Arena, TaskId};
use super::merge::merged_task;
use crate::work::Task;

/// Moves one sum, or it and the sum of its results, into the first product that can take them.
pub(super) fn row_sum(arena: &mut Arena, r: TaskId) -> bool {
    let Some(sum) = arena.task(r).filter(|task| is_sum(task)) else { return false };
    let (operand, over) = (sum.reads[0], sum_of_sums(arena, sum));
    let mut products = arena.readers(operand.buffer).to_vec();
    sort_short_by_key(&mut products, |&p| arena.slot(p));
    for p in products {
        let (Some(sum), Some(product)) = (arena.task(r), arena.task(p)) else { continue };
        let Kernel::MatMul(spec) = &product.kernel else { continue };
        if product.reads[0] != operand {
            continue;
        }
        let kernel = Kernel::MatMul(MatMulSpec { row_sum: true, ..spec.clone() });
        let mut merged = merged_task(product, sum, kernel.clone());
        let last = match over.and_then(|over| Some((over, arena.task(over)?))) {
            _ if sums_rows(spec, &sum.kernel) => r,
            Some((over, whole)) if sums_segments(spec, &sum.kernel, &whole.kernel) => {
                merged = merged_task(&merged, whole, kernel);
                over
            }
            _ => continue,
        };
        merged.writes.extend(arena.task(last).into_iter().flat_map(|task| task.writes.iter().copied()));
        let (first, second) = if arena.slot(p) < arena.slot(last) { (p, last) } else { (last, p) };
        if let Some(between) = arena.between(first, second, false) {
            arena.merge(first, second, &between, merged);
            return true;
        }
    }
    false
}

/// The sum of what a sum gives, where nobody else reads that.
fn sum_of_sums(arena: &Arena, sum: &Task) -> Option<TaskId> {
    let result = *sum.writes.first()?;
    let &[over] = arena.readers(result) else { return None };
    let only = !arena.stays(result) && arena.writers(result).len() == 1;
    arena.task(over).filter(|task| only && is_sum(task) && task.reads[0].start == 0).map(|_| over)
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

/// Whether two sums, of places and then of samples, are over the columns of all segments of the product's left matrix.
fn sums_segments(spec: &MatMulSpec, places: &Kernel, samples: &Kernel) -> bool {
    let (Kernel::Reduce(places), Kernel::Reduce(samples)) = (places, samples) else { return false };
    let (&[by_row, by_place, _], &[_, by_sample, by_result]) =
        (&places.map.read_strides[0][..], &samples.map.read_strides[0][..])
    else {
        return false;
    };
    let MatMulSpec { segments, m, k, a, .. } = *spec;
    let same = |n: u32, a: u32, b: u32| n == 1 || a == b;
    spec.batch == 1
        && !spec.row_sum
        && Some(places.sizes()[0]) == segments.checked_mul(m)
        && places.sizes()[1..] == [k, 1]
        && samples.sizes() == [1, segments, m]
        && Some(a.segment_stride) == m.checked_mul(by_row)
        && same(m, a.row_stride, by_row)
        && same(k, a.col_stride, by_place)
        && by_sample == m
        && same(m, by_result, 1)
}
