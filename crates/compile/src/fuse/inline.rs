//! Computes an elementwise value where it is read instead of storing it.
//!
//! It pays because an elementwise kernel is bound by memory: a stored value is written once and read again by each reader. Where
//! several read it, or one reads it repeatedly, only expressions cheaper than a read are computed again.
//!
//! For example, `b2 = neg(x)` over `[6, 5]` is read transposed by `b3 = b2ᵀ + z` over `[5, 6]`:
//!
//! ```text
//! before   map [30] neg(r0)            r0 = x by [1]                      → b2
//!          map [5, 6] add(r0, r1)      r0 = b2 by [1, 5], r1 = z by [6, 1] → b3
//! after    map [5, 6] add(neg(r0), r1) r0 = x by [1, 5],  r1 = z by [6, 1] → b3
//! ```
//!
//! The reader takes element `j·1 + i·5` of `b2`, which is computed from element `j·1 + i·5` of `x`: the two walks are composed
//! (`access.rs`), and the producer's expression stands where the reader's read of `b2` stood. 30 elements are neither stored nor read
//! again, and one kernel less runs.

use downhill_graph::kernel::{Kernel, MapSpec, ReduceSpec};
use downhill_graph::{Expr, ExprOp};

use super::arena::{Arena, TaskId};
use super::merge::{fits, merged_task};
use crate::access::{Dims, View};
use crate::iterate::Iteration;
use crate::simplify::{Source, is_random, keep_outputs, price, rewrite};
use crate::work::{BufferId, Read, Task};

/// What computing again may cost per element: about as much as reading it.
const CHEAP: u64 = 4;
/// What computing an element several times for one reader may cost.
const TRIVIAL: u64 = 2;

/// Inlines what a task computes into those that read it, where all of them can take it.
pub(super) fn inline(arena: &mut Arena, p: TaskId) {
    let outputs = arena.task(p).map_or(0, |task| task.writes.len());
    for output in 0..outputs {
        let Some(producer) = arena.task(p) else { return };
        let Kernel::Map(map) = &producer.kernel else { return };
        let buffer = producer.writes[output];
        let readers = arena.readers(buffer);
        if arena.stays(buffer) || readers.is_empty() || arena.writers(buffer).len() != 1 || !all_elementwise(arena, readers) {
            continue;
        }
        let expr = keep_outputs(&map.expr, |o| o == output);
        if !pays(arena, producer, map, &expr, readers) {
            continue;
        }
        let source = Inlined { task: producer, map, expr, buffer };
        let into = |&r: &TaskId| arena.task(r).and_then(|task| source.moved_into(task)).map(|task| (r, task));
        let inlined: Option<Vec<(TaskId, Task)>> = readers.iter().map(into).collect();
        for (reader, task) in inlined.into_iter().flatten() {
            arena.replace(reader, task);
        }
        arena.drop_unread();
    }
}

fn all_elementwise(arena: &Arena, readers: &[TaskId]) -> bool {
    let kernel = |&r: &TaskId| arena.task(r).map(|task| &task.kernel);
    readers.iter().all(|r| matches!(kernel(r), Some(Kernel::Map(_) | Kernel::Reduce { .. })))
}

fn pays(arena: &Arena, producer: &Task, map: &MapSpec, expr: &Expr, readers: &[TaskId]) -> bool {
    let price = price(expr);
    let len: usize = map.shape.iter().map(|&n| n as usize).product();
    let walks = |r: TaskId| match arena.task(r).map(|task| &task.kernel) {
        Some(Kernel::Map(map) | Kernel::Reduce(ReduceSpec { map, .. })) => map.shape.iter().map(|&n| n as usize).product(),
        _ => 0,
    };
    if readers.iter().any(|&r| walks(r) > len) && price > TRIVIAL {
        return false;
    }
    let full_reads = producer.reads.iter().filter(|r| arena.buffer(r.buffer).len >= len).count();
    (readers.len() == 1 && producer.writes.len() == 1) || (price <= CHEAP && full_reads <= 1)
}

/// A value on its way into a reader.
struct Inlined<'a> {
    task: &'a Task,
    map: &'a MapSpec,
    expr: Expr,
    buffer: BufferId,
}

impl Inlined<'_> {
    fn moved_into(&self, reader: &Task) -> Option<Task> {
        let (Kernel::Map(map) | Kernel::Reduce(ReduceSpec { map, .. })) = &reader.kernel else { return None };
        let shape: Dims = map.shape.iter().map(|&n| n as usize).collect();
        let mut space = Iteration::new(&shape);
        let mut own: Vec<Vec<Source<'_>>> = Vec::new();
        let mut numbers = Vec::new();
        for (read, strides) in reader.reads.iter().zip(&map.read_strides) {
            let strides: Dims = strides.iter().map(|&s| s as usize).collect();
            if read.buffer == self.buffer {
                own.push(self.reads(&mut space, &shape, *read, &strides)?);
                numbers.push(None);
            } else {
                numbers.push(Some(u8::try_from(space.add_plain(*read, &strides)).ok()?));
            }
        }
        let mut inlined = own.iter();
        let sources: Option<Vec<Source<'_>>> = numbers
            .into_iter()
            .map(|number| match number {
                Some(n) => Some(Source::Read(n)),
                None => inlined.next().map(|reads| Source::Expr { expr: &self.expr, output: 0, reads }),
            })
            .collect();
        let expr = rewrite(&map.expr, &sources?);
        let is_map = matches!(reader.kernel, Kernel::Map(_));
        let walked = if is_map { space.collapsed()? } else { space.grouped()? };
        let (map, reads) = walked.kernel(expr);
        if !fits(&map.expr, reads.len()) {
            return None;
        }
        let kernel = match &reader.kernel {
            Kernel::Reduce(spec) => Kernel::Reduce(ReduceSpec { map, kind: spec.kind }),
            _ => Kernel::Map(map),
        };
        Some(Task { reads, ..merged_task(reader, self.task, kernel) })
    }

    /// The value's own reads, walked as the reader walks the value.
    fn reads(&self, space: &mut Iteration, shape: &[usize], read: Read, strides: &[usize]) -> Option<Vec<Source<'static>>> {
        let own_shape: Dims = self.map.shape.iter().map(|&n| n as usize).collect();
        // Random numbers hang on the position in the iteration space, which therefore has to stay.
        if is_random(&self.expr) {
            let walk = View { shape: Dims::from_slice(shape), strides: Dims::from_slice(strides), offset: read.start };
            if !walk.is_contiguous() || walk.offset != 0 || walk.numel() != own_shape.iter().product::<usize>() {
                return None;
            }
        }
        let mut sources = Vec::with_capacity(self.task.reads.len());
        let occurs = |i: usize| self.expr.ops.contains(&ExprOp::Read(i as u8));
        for (i, (own, own_strides)) in self.task.reads.iter().zip(&self.map.read_strides).enumerate() {
            if !occurs(i) {
                sources.push(Source::Const(0.0));
                continue;
            }
            let strides_of_own = own_strides.iter().map(|&s| s as usize).collect();
            let view = View { shape: own_shape.clone(), strides: strides_of_own, offset: own.start };
            let number = space.add(own.buffer, strides, read.start, &view)?;
            sources.push(Source::Read(u8::try_from(number).ok()?));
        }
        Some(sources)
    }
}
