//! Appends an elementwise kernel to the one that computes what it reads: a matrix product (as its epilogue), another
//! elementwise kernel (as more outputs) or, where it is a sum, the gradient of a norm.
//!
//! It pays because the elements are in registers at that moment: the reader's kernel and its read disappear, and the value itself is
//! stored only if someone else needs it (a pre-activation on its way to the gradient).

use std::cmp::Reverse;

use downhill_graph::Expr;
use downhill_graph::kernel::{Epilogue, Kernel, MapSpec, MatMulSpec};
use downhill_tensor::{Shape, sort_short_by_key};
use smallvec::SmallVec;

use super::added::added;
use super::arena::{Arena, TaskId};
use super::merge::{epilogue_reads, fits, merged_task};
use crate::access::{Dims, View};
use crate::iterate::Iteration;
use crate::simplify::{Source, join, rewrite};
use crate::work::{BufferId, Read, Task};

/// Appends one kernel to one of those that it reads from.
pub(super) fn append(arena: &mut Arena, c: TaskId) -> bool {
    let Some(consumer) = arena.task(c) else { return false };
    if !matches!(consumer.kernel, Kernel::Map(_)) {
        return false;
    }
    // The last producer comes first: what the others give is there by then.
    let mut producers: SmallVec<[TaskId; 8]> =
        consumer.reads.iter().flat_map(|r| arena.writers(r.buffer).iter().copied()).collect();
    sort_short_by_key(&mut producers, |&p| Reverse(arena.slot(p)));
    producers.dedup();
    for p in producers {
        let (Some(producer), Some(consumer)) = (arena.task(p), arena.task(c)) else { continue };
        let Kernel::Map(map) = &consumer.kernel else { continue };
        let merged = appended(producer, consumer, map).or_else(|| added(arena, p, consumer, map));
        let Some(merged) = merged else { continue };
        if let Some(between) = arena.between(p, c, true) {
            arena.merge(p, c, &between, merged);
            return true;
        }
    }
    false
}

/// A kernel that ends in an elementwise expression over an iteration space.
struct Producer {
    shape: Dims,
    expr: Expr,
    /// Operands of the expression; for a product those of the epilogue, behind the product itself.
    reads: Vec<(Read, Dims)>,
    /// Buffers that the expression's outputs go to.
    outputs: SmallVec<[BufferId; 2]>,
    /// 1 where `Read(0)` of the expression is a product, else 0.
    first: usize,
}

impl Producer {
    fn new(task: &Task) -> Option<Self> {
        let wide = |dims: &[u32]| -> Dims { dims.iter().map(|&n| n as usize).collect() };
        match &task.kernel {
            Kernel::Map(map) => Some(Self {
                shape: wide(&map.shape),
                expr: map.expr.clone(),
                reads: task.reads.iter().zip(&map.read_strides).map(|(r, s)| (*r, wide(s))).collect(),
                outputs: task.writes.clone(),
                first: 0,
            }),
            Kernel::MatMul(spec) => {
                let (expr, strides) = match &spec.epilogue {
                    Some(tail) => (tail.expr.clone(), tail.read_strides.to_vec()),
                    None => (product(), Vec::new()),
                };
                Some(Self {
                    shape: wide(&[spec.batch, spec.m, spec.n]),
                    outputs: task.writes[..expr.outputs.len()].into(),
                    expr,
                    reads: task.reads[2..].iter().zip(strides).map(|(r, s)| (*r, wide(&s))).collect(),
                    first: 1,
                })
            }
            _ => None,
        }
    }
}

/// The epilogue that changes nothing.
fn product() -> Expr {
    let mut expr = Expr::default();
    let product = expr.read(0);
    expr.outputs.push(product);
    expr
}

fn appended(task: &Task, consumer: &Task, map: &MapSpec) -> Option<Task> {
    let producer = Producer::new(task)?;
    let consumer_shape: Dims = map.shape.iter().map(|&n| n as usize).collect();
    if producer.shape.iter().product::<usize>() != consumer_shape.iter().product::<usize>() {
        return None;
    }
    let mut space = Iteration::new(&producer.shape);
    let mut own: Vec<Source<'_>> = if producer.first == 1 { vec![Source::Read(0)] } else { Vec::new() };
    let number = |n: usize| u8::try_from(n + producer.first).ok().map(Source::Read);
    for (read, strides) in &producer.reads {
        own.push(number(space.add_plain(*read, strides))?);
    }
    let row_major = Shape::from(producer.shape.as_slice()).strides();
    let mut sources = Vec::with_capacity(consumer.reads.len());
    for (read, strides) in consumer.reads.iter().zip(&map.read_strides) {
        let strides: Dims = strides.iter().map(|&s| s as usize).collect();
        let view = View { shape: consumer_shape.clone(), strides, offset: read.start };
        if task.writes.contains(&read.buffer) {
            // Only the element that has just been computed is at hand.
            let output = producer.outputs.iter().position(|o| *o == read.buffer)?;
            if !view.is_contiguous() || view.offset != 0 {
                return None;
            }
            sources.push(Source::Expr { expr: &producer.expr, output, reads: &own });
        } else {
            sources.push(number(space.add(read.buffer, &row_major, 0, &view)?)?);
        }
    }
    let tail = rewrite(&map.expr, &sources);
    let expr = join(&rewrite(&producer.expr, &own), &tail);
    let writes = producer.outputs.iter().chain(&consumer.writes).copied();
    let rest = &task.writes[producer.outputs.len()..];
    let writes = writes.chain(rest.iter().copied()).collect();
    match &task.kernel {
        Kernel::MatMul(spec) => epilogue(spec, &space, expr, task, consumer, writes),
        _ => {
            let walked = space.collapsed()?;
            let (map, reads) = walked.kernel(expr);
            let fitting = fits(&map.expr, reads.len());
            fitting.then(|| Task { reads, writes, ..merged_task(consumer, task, Kernel::Map(map)) })
        }
    }
}

fn epilogue(
    spec: &MatMulSpec,
    space: &Iteration,
    mut expr: Expr,
    task: &Task,
    consumer: &Task,
    writes: SmallVec<[BufferId; 2]>,
) -> Option<Task> {
    let walked = space.grouped()?;
    let used = epilogue_reads(&mut expr);
    if !fits(&expr, used.len()) {
        return None;
    }
    let read_strides = used.iter().map(|&i| {
        let strides = &walked.reads[i].1;
        [0, 1, 2].map(|d| strides[d] as u32)
    });
    let tail = Epilogue { read_strides: read_strides.collect(), expr };
    let operands = task.reads[..2].iter().copied().chain(used.iter().map(|&i| walked.reads[i].0));
    let kernel = Kernel::MatMul(MatMulSpec { epilogue: Some(tail), ..spec.clone() });
    Some(Task { reads: operands.collect(), writes, ..merged_task(task, consumer, kernel) })
}
