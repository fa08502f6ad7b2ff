//! Lets the weight gradient's kernel emit the bias gradient.
//!
//! dW = dYᵀ·X reads every element of dY, and db is the sum of dY over the same rows: one more column of ones in X. It pays because
//! dY is not read a second time, and the reduction over a strided axis disappears.

use downhill_graph::ExprOp;
use downhill_graph::kernel::{Kernel, MatMulSpec, ReduceKind};

use super::{Reach, merged_task, replace_both};
use crate::program::{Program, Task};

/// Moves one sum into a product; `false` when there is none left to move.
pub(super) fn row_sum(program: &mut Program) -> bool {
    let reach = Reach::new(program);
    for (r, sum) in program.tasks.iter().enumerate() {
        if !is_sum(sum) {
            continue;
        }
        for (p, product) in program.tasks.iter().enumerate() {
            let Kernel::MatMul(spec) = &product.kernel else { continue };
            if product.reads[0] == sum.reads[0] && sums_rows(spec, &sum.kernel) && reach.are_independent(p, r) {
                let kernel = Kernel::MatMul(MatMulSpec { row_sum: true, ..spec.clone() });
                let mut merged = merged_task(product, sum, kernel);
                merged.writes.extend(sum.writes.iter().copied());
                replace_both(program, p, r, merged);
                return true;
            }
        }
    }
    false
}

/// Whether the task sums the elements of one operand as they are.
fn is_sum(task: &Task) -> bool {
    matches!(&task.kernel, Kernel::Reduce { map, kind: ReduceKind::Sum }
        if map.expr.ops == [ExprOp::Read(0)] && task.reads.len() == 1)
}

/// Whether the sum is over the columns of the product's left matrix.
fn sums_rows(spec: &MatMulSpec, sum: &Kernel) -> bool {
    let Kernel::Reduce { map, .. } = sum else { return false };
    let ([outer, reduced, inner], [by_outer, by_reduced, by_inner]) = (&map.shape[..], &map.read_strides[0][..]) else {
        return false;
    };
    let (rows, by_row) = if *outer == 1 { (inner, by_inner) } else { (outer, by_outer) };
    let same = |n: u32, a: u32, b: u32| n == 1 || a == b;
    spec.batch == 1
        && !spec.row_sum
        && (*outer == 1 || *inner == 1)
        && (*rows, *reduced) == (spec.m, spec.k)
        && same(spec.m, spec.a.row_stride, *by_row)
        && same(spec.k, spec.a.col_stride, *by_reduced)
}
