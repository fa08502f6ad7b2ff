//! From nodes to kernels over buffers. Views become strides, constants and step scalars become part of the expressions that read them.

mod copy;
mod kernels;

use std::collections::BTreeMap;

use downhill_graph::kernel::{Kernel, Lowered, Operand, ViewSpec};
use downhill_graph::{Expr, ExprOp, FeedKind, Graph, Node, NodeId, Op, ScalarId, Value};
use downhill_tensor::Shape;
use smallvec::{SmallVec, smallvec};

use crate::access::{Dims, View};
use crate::canonicalise::Canonical;
use crate::iterate::{Iteration, Walked};
use crate::layout::MAX_ELEMENTS;
use crate::simplify::{Source, rewrite};
use crate::work::{BufferId, Home, Output, Read, Task, Work};
use crate::{CompileError, StateLayout};

/// Where a graph value is found.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    Tensor { buffer: BufferId, view: View },
    Const(f32),
    Scalar(ScalarId),
}

pub(crate) fn lower(canonical: &Canonical, layout: &StateLayout) -> Result<Work, CompileError> {
    let graph = &canonical.graph;
    let mut lowering = Lowering {
        graph,
        source: &canonical.source,
        layout,
        work: Work::default(),
        places: vec![SmallVec::new(); graph.len()],
        leaves: BTreeMap::new(),
        copies: BTreeMap::new(),
        at: NodeId(0),
    };
    for (id, node) in graph.nodes() {
        lowering.at = id;
        lowering.node(node)?;
    }
    lowering.outputs()?;
    lowering.work.remove_unread();
    Ok(lowering.work)
}

struct Lowering<'g> {
    graph: &'g Graph,
    source: &'g [NodeId],
    layout: &'g StateLayout,
    work: Work,
    places: Vec<SmallVec<[Place; 1]>>,
    leaves: BTreeMap<Home, BufferId>,
    /// Contiguous copies that exist already.
    copies: BTreeMap<Value, BufferId>,
    at: NodeId,
}

impl Lowering<'_> {
    fn node(&mut self, node: &Node) -> Result<(), CompileError> {
        if node.outputs.iter().any(|ty| ty.shape.numel() == 0) {
            return Err(self.unsupported("a tensor without elements"));
        }
        let elements = node.outputs.iter().map(|ty| ty.shape.numel() as u64).max().unwrap_or(0);
        if elements > MAX_ELEMENTS {
            return Err(CompileError::TooLarge { elements });
        }
        match node.op.lower(node, self.graph) {
            Lowered::Leaf => self.leaf(node),
            Lowered::View(spec) => self.view(node, &spec),
            Lowered::Elementwise(expr) => self.elementwise(node, &expr),
            Lowered::Kernels(launches) => self.kernels(node, &launches),
        }
    }

    fn leaf(&mut self, node: &Node) -> Result<(), CompileError> {
        let place = match &node.op {
            Op::Constant(c) => Place::Const(c.value),
            Op::Scalar(s) => Place::Scalar(s.0),
            Op::ParameterOp(p) => self.home(Home::Parameter(p.0), &node.outputs[0].shape),
            Op::SlotOp(s) => self.home(Home::Slot(s.slot, s.parameter), &node.outputs[0].shape),
            Op::StateOp(s) => self.home(Home::State(s.0), &node.outputs[0].shape),
            Op::FeedOp(f) => self.home(Home::Feed(f.0), &node.outputs[0].shape),
            _ => return Err(self.unsupported("a leaf that is no part of the state, no feed and no number")),
        };
        self.places[self.at.index()].push(place);
        Ok(())
    }

    fn home(&mut self, home: Home, shape: &Shape) -> Place {
        let work = &mut self.work;
        let buffer = *self.leaves.entry(home).or_insert_with(|| work.add_buffer(shape.numel(), home));
        Place::Tensor { buffer, view: View::contiguous(shape) }
    }

    fn view(&mut self, node: &Node, spec: &ViewSpec) -> Result<(), CompileError> {
        let (input, shape) = (node.inputs[0], &node.outputs[0].shape);
        let place = match self.place(input)? {
            Place::Tensor { buffer, view } => match view.seen_as(shape, spec) {
                Some(view) => Place::Tensor { buffer, view },
                // The view reads across dimensions that do not follow each other in memory.
                None => {
                    let buffer = self.contiguous(input)?;
                    let view = View::contiguous(self.graph.shape(input)).seen_as(shape, spec);
                    let view = view.ok_or_else(|| self.unsupported("a view that leaves its input"))?;
                    Place::Tensor { buffer, view }
                }
            },
            number => number,
        };
        self.places[self.at.index()].push(place);
        Ok(())
    }

    fn elementwise(&mut self, node: &Node, expr: &Expr) -> Result<(), CompileError> {
        let shape = node.outputs[0].shape.clone();
        let operands: Vec<Operand> = (0..node.inputs.len()).map(Operand::Input).collect();
        let strides = node.inputs.iter().map(|v| self.graph.shape(*v).broadcast_strides(&shape));
        let Ok(strides) = strides.collect::<Result<Vec<Dims>, _>>() else {
            return Err(self.unsupported("inputs that do not broadcast"));
        };
        let (expr, space) = self.walk(node, expr, &operands, &shape, &strides)?;
        if let Some(place) = self.trivial(&expr, &space, &shape) {
            self.places[self.at.index()].push(place);
            return Ok(());
        }
        let Some(walked) = space.collapsed() else {
            return self.elementwise_over_copies(node, &expr, &space, &shape);
        };
        let buffer = self.work.add_buffer(shape.numel(), Home::Scratch);
        let (kernel, reads) = walked.kernel(expr);
        self.push(Kernel::Map(kernel), reads, smallvec![buffer]);
        self.places[self.at.index()].push(Place::Tensor { buffer, view: View::contiguous(&shape) });
        Ok(())
    }

    /// Where the reads together have more dimensions than a kernel walks, each is written out in full first.
    fn elementwise_over_copies(
        &mut self,
        node: &Node,
        expr: &Expr,
        space: &Iteration,
        shape: &Shape,
    ) -> Result<(), CompileError> {
        let numel = shape.numel();
        let mut flat = Vec::new();
        for n in 0.. {
            let Some((buffer, view)) = space.view(n) else { break };
            let full = self.work.add_buffer(numel, Home::Scratch);
            self.copy_walk(buffer, &view, &view.shape, &Shape::from(view.shape.as_slice()).strides(), full)?;
            flat.push((Read { buffer: full, start: 0 }, smallvec![1]));
        }
        let buffer = self.work.add_buffer(numel, Home::Scratch);
        let (kernel, reads) = Walked { shape: smallvec![numel], reads: flat }.kernel(expr.clone());
        self.push(Kernel::Map(kernel), reads, smallvec![buffer]);
        self.places[self.at.index()] = smallvec![Place::Tensor { buffer, view: View::contiguous(&node.outputs[0].shape) }];
        Ok(())
    }

    /// What an expression that computes nothing stands for.
    fn trivial(&self, expr: &Expr, space: &Iteration, shape: &Shape) -> Option<Place> {
        let [out] = expr.outputs[..] else { return None };
        match expr.ops[usize::from(out)] {
            ExprOp::Const(c) => Some(Place::Const(c)),
            ExprOp::Scalar(id) => Some(Place::Scalar(id)),
            ExprOp::Read(n) => {
                let (read, view) = space.view(usize::from(n))?;
                debug_assert_eq!(view.numel(), shape.numel(), "a walk covers the output");
                Some(Place::Tensor { buffer: read, view })
            }
            _ => None,
        }
    }

    /// Walks operands with given strides (over their own row-major elements) in one iteration space, and puts numbers into the expression.
    fn walk(
        &mut self,
        node: &Node,
        expr: &Expr,
        operands: &[Operand],
        shape: &[usize],
        strides: &[Dims],
    ) -> Result<(Expr, Iteration), CompileError> {
        let mut space = Iteration::new(shape);
        let mut sources = Vec::with_capacity(operands.len());
        for (operand, strides) in operands.iter().zip(strides) {
            let Operand::Input(i) = *operand else {
                return Err(self.unsupported("an elementwise kernel that reads its own output"));
            };
            let value = node.inputs[i];
            sources.push(match self.place(value)? {
                Place::Const(c) => Source::Const(c),
                Place::Scalar(id) => Source::Scalar(id),
                Place::Tensor { buffer, view } => {
                    let number = match space.add(buffer, strides, 0, &view) {
                        Some(number) => Some(number),
                        None => {
                            let buffer = self.contiguous(value)?;
                            space.add(buffer, strides, 0, &View::contiguous(self.graph.shape(value)))
                        }
                    };
                    let number = number.and_then(|n| u8::try_from(n).ok());
                    Source::Read(number.ok_or_else(|| self.unsupported("strides that leave an operand"))?)
                }
            });
        }
        Ok((rewrite(expr, &sources), space))
    }

    fn outputs(&mut self) -> Result<(), CompileError> {
        let changes = self.work.tasks.iter().any(Task::is_change);
        for (name, value) in self.graph.outputs().to_vec() {
            self.at = value.node;
            let found = match self.place(value)? {
                Place::Tensor { buffer, view } if view.is_contiguous() && view.offset.is_multiple_of(4) => {
                    let stays = match self.work.buffer(buffer).home {
                        Home::Scratch | Home::Gradient(_) | Home::Given(..) | Home::Next(_) => true,
                        Home::Parameter(_) | Home::Slot(..) | Home::State(_) => !changes,
                        Home::Feed(feed) => self.graph.feeds()[feed.index()].kind == FeedKind::Resident,
                    };
                    stays.then_some((buffer, view.offset))
                }
                _ => None,
            };
            let shape = self.graph.shape(value).clone();
            let (buffer, start) = match found {
                Some(found) => found,
                None => {
                    let buffer = self.work.add_buffer(shape.numel(), Home::Scratch);
                    self.copy(value, buffer)?;
                    (buffer, 0)
                }
            };
            self.work.outputs.push(Output { name, buffer, start, shape });
        }
        self.order_effects();
        Ok(())
    }

    /// Copies of parameters and states for outputs come before the effects that change them.
    fn order_effects(&mut self) {
        let (effects, others): (Vec<Task>, Vec<Task>) = self.work.tasks.drain(..).partition(Task::is_effect);
        self.work.tasks = others.into_iter().chain(effects).collect();
    }

    fn place(&self, value: Value) -> Result<Place, CompileError> {
        self.places[value.node.index()]
            .get(usize::from(value.slot))
            .cloned()
            .ok_or_else(|| CompileError::Broken { pass: "lower", message: format!("{value} is read before it is lowered") })
    }

    fn push(&mut self, kernel: Kernel, reads: SmallVec<[Read; 4]>, writes: SmallVec<[BufferId; 2]>) {
        let node = self.graph.node(self.at);
        self.work.tasks.push(Task {
            kernel,
            reads,
            writes,
            uses: Vec::new(),
            nodes: smallvec![self.source[self.at.index()]],
            scope: self.graph.scope_name(node.scope).to_string(),
            origin: node.origin,
        });
    }

    fn unsupported(&self, message: &str) -> CompileError {
        let node = self.graph.node(self.at);
        let shapes: Vec<String> = node.inputs.iter().map(|v| self.graph.ty(*v).to_string()).collect();
        CompileError::Unsupported {
            node: self.source[self.at.index()],
            op: node.op.name(),
            message: format!("{message} (inputs {})", shapes.join(", ")),
        }
    }
}
