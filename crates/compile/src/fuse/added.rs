//! Lets the gradient of a norm add what goes around the norm.
//!
//! In a residual block, `x + f(norm(x))`, the gradient of x is the sum of what comes around and of what comes through the norm. It pays because the
//! second is in registers when it is added: a kernel, a write and two reads of all of x disappear for every norm.

use downhill_graph::kernel::{Kernel, LayerNormSpec, MapSpec};
use downhill_graph::{BinaryOp, ExprOp};
use downhill_tensor::Shape;

use super::arena::{Arena, TaskId};
use super::merge::merged_task;
use crate::work::Task;

/// The gradient of a norm with a sum that nobody else reads a part of, where the one comes from `p` and `consumer` is the other.
pub(super) fn added(arena: &Arena, p: TaskId, consumer: &Task, map: &MapSpec) -> Option<Task> {
    let task = arena.task(p)?;
    let Kernel::LayerNorm(spec @ LayerNormSpec { backward: true, added: false, rows, cols, .. }) = &task.kernel else {
        return None;
    };
    let dx = *task.writes.first()?;
    let is_sum = map.expr.ops == [ExprOp::Read(0), ExprOp::Read(1), ExprOp::Binary(BinaryOp::Add, 0, 1)];
    let strides = Shape::from(map.shape.iter().map(|&n| n as usize).collect::<Vec<_>>().as_slice()).strides();
    let whole = |walk: &[u32]| walk.iter().zip(&strides).zip(&map.shape).all(|((&a, &b), &n)| n == 1 || a as usize == b);
    let same_size = map.shape.iter().map(|&n| u64::from(n)).product::<u64>() == u64::from(*rows) * u64::from(*cols);
    let alone = arena.readers(dx).len() == 1 && !arena.stays(dx);
    if !(is_sum && map.expr.outputs[..] == [2] && same_size && alone && map.read_strides.iter().all(|walk| whole(walk))) {
        return None;
    }
    let [a, b] = consumer.reads[..] else { return None };
    let (own, around) = if a.buffer == dx { (a, b) } else { (b, a) };
    if own.buffer != dx || own.start != 0 || task.writes.contains(&around.buffer) {
        return None;
    }
    let mut merged = merged_task(task, consumer, Kernel::LayerNorm(LayerNormSpec { added: true, ..*spec }));
    merged.reads.push(around);
    merged.writes[0] = *consumer.writes.first()?;
    Some(merged)
}
