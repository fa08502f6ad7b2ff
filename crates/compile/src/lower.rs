//! From nodes to kernels over buffers. Views become strides, constants and step scalars become part of the expressions that read them.

use std::collections::BTreeMap;

use downhill_graph::kernel::{
    Kernel, Launch, Lowered, MapSpec, MatLayout, MatMulSpec, Operand, Strides, UpdateGroup, ViewSpec,
};
use downhill_graph::ops::{FlatUpdate, Updated};
use downhill_graph::{Expr, ExprOp, FeedKind, Graph, Node, NodeId, Op, ParamId, ScalarId, Value};
use downhill_tensor::{Dtype, Shape};
use smallvec::{SmallVec, smallvec};

use crate::access::{Dims, View, compose, even_stride};
use crate::canonicalise::Canonical;
use crate::iterate::{Iteration, Walked};
use crate::layout::MAX_ELEMENTS;
use crate::program::{BufferId, Home, Output, Program, Read, Task};
use crate::simplify::{Source, compact_reads, rewrite};
use crate::{CompileError, StateLayout, padded};

/// Where a graph value is found.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    Tensor { buffer: BufferId, view: View },
    Const(f32),
    Scalar(ScalarId),
}

pub(crate) fn lower(canonical: &Canonical, layout: &StateLayout) -> Result<Program, CompileError> {
    let graph = &canonical.graph;
    let mut lowering = Lowering {
        graph,
        source: &canonical.source,
        layout,
        program: Program::default(),
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
    lowering.program.remove_unread();
    Ok(lowering.program)
}

/// A copy of more dimensions than kernels walk is cut into at most as many.
const MAX_BLOCKS: usize = 256;

struct Lowering<'g> {
    graph: &'g Graph,
    source: &'g [NodeId],
    layout: &'g StateLayout,
    program: Program,
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
            Op::FeedOp(f) => self.home(Home::Feed(f.0), &node.outputs[0].shape),
            _ => return Err(self.unsupported("a leaf that is neither a parameter, a feed nor a number")),
        };
        self.places[self.at.index()].push(place);
        Ok(())
    }

    fn home(&mut self, home: Home, shape: &Shape) -> Place {
        let program = &mut self.program;
        let buffer = *self.leaves.entry(home).or_insert_with(|| program.add_buffer(shape.numel(), home));
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
        let Some(Walked { shape: dims, reads }) = space.collapsed() else {
            return self.elementwise_over_copies(node, &expr, &space, &shape);
        };
        let buffer = self.program.add_buffer(shape.numel(), Home::Scratch);
        let (kernel, reads) = map_kernel(&dims, reads, expr);
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
            let full = self.program.add_buffer(numel, Home::Scratch);
            self.copy_walk(buffer, &view, &view.shape, &Shape::from(view.shape.as_slice()).strides(), full)?;
            flat.push((Read { buffer: full, start: 0 }, smallvec![1]));
        }
        let buffer = self.program.add_buffer(numel, Home::Scratch);
        let (kernel, reads) = map_kernel(&[numel], flat, expr.clone());
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

    fn kernels(&mut self, node: &Node, launches: &[Launch]) -> Result<(), CompileError> {
        let buffers: Vec<BufferId> =
            node.outputs.iter().map(|ty| self.program.add_buffer(ty.shape.numel(), Home::Scratch)).collect();
        for launch in launches {
            let writes = launch.writes.iter().filter_map(|w| if let Operand::Output(i) = w { Some(buffers[*i]) } else { None });
            let writes: SmallVec<[BufferId; 2]> = writes.collect();
            match &launch.kernel {
                Kernel::Map(map) => self.launch_map(node, launch, map, writes, None)?,
                Kernel::Reduce { map, .. } => self.launch_map(node, launch, map, writes, Some(&launch.kernel))?,
                Kernel::MatMul(spec) => self.launch_matmul(node, launch, spec, writes)?,
                Kernel::FlatUpdate { .. } => self.launch_update(node, launch)?,
                kernel => {
                    let reads = launch.reads.iter().map(|r| self.operand(node, &buffers, *r)).collect::<Result<_, _>>()?;
                    self.push(kernel.clone(), reads, writes);
                }
            }
        }
        let places = node.outputs.iter().zip(buffers);
        let places = places.map(|(ty, buffer)| Place::Tensor { buffer, view: View::contiguous(&ty.shape) });
        self.places[self.at.index()] = places.collect();
        Ok(())
    }

    fn launch_map(
        &mut self,
        node: &Node,
        launch: &Launch,
        map: &MapSpec,
        writes: SmallVec<[BufferId; 2]>,
        reduce: Option<&Kernel>,
    ) -> Result<(), CompileError> {
        let shape: Dims = map.shape.iter().map(|&n| n as usize).collect();
        let strides: Vec<Dims> = map.read_strides.iter().map(|s| s.iter().map(|&n| n as usize).collect()).collect();
        let (mut expr, mut space) = self.walk(node, &map.expr, &launch.reads, &shape, &strides)?;
        let Some(Kernel::Reduce { kind, .. }) = reduce else {
            let walked = space.collapsed().ok_or_else(|| self.unsupported("more dimensions than kernels walk"))?;
            let (map, reads) = map_kernel(&walked.shape, walked.reads, expr);
            self.push(Kernel::Map(map), reads, writes);
            return Ok(());
        };
        if space.grouped().is_none() {
            // A reduction walks three dimensions only; what needs more is copied first.
            (expr, space) = self.walk_copies(node, &map.expr, &launch.reads, &shape, &strides)?;
        }
        let walked = space.grouped().ok_or_else(|| self.unsupported("a reduction over uneven strides"))?;
        let (map, reads) = map_kernel(&walked.shape, walked.reads, expr);
        self.push(Kernel::Reduce { map, kind: *kind }, reads, writes);
        Ok(())
    }

    /// As [`Self::walk`], over contiguous copies of all tensors.
    fn walk_copies(
        &mut self,
        node: &Node,
        expr: &Expr,
        operands: &[Operand],
        shape: &[usize],
        strides: &[Dims],
    ) -> Result<(Expr, Iteration), CompileError> {
        for operand in operands {
            if let Operand::Input(i) = *operand {
                let value = node.inputs[i];
                if let Place::Tensor { .. } = self.place(value)? {
                    let buffer = self.contiguous(value)?;
                    let view = View::contiguous(self.graph.shape(value));
                    self.places[value.node.index()][usize::from(value.slot)] = Place::Tensor { buffer, view };
                }
            }
        }
        self.walk(node, expr, operands, shape, strides)
    }

    fn launch_matmul(
        &mut self,
        node: &Node,
        launch: &Launch,
        spec: &MatMulSpec,
        writes: SmallVec<[BufferId; 2]>,
    ) -> Result<(), CompileError> {
        let mut spec = spec.clone();
        let mut reads = SmallVec::new();
        let (batch, m, n, k) = (spec.batch as usize, spec.m as usize, spec.n as usize, spec.k as usize);
        for (i, operand) in launch.reads.iter().enumerate().take(2) {
            let Operand::Input(input) = *operand else {
                return Err(self.unsupported("a product of its own result"));
            };
            let value = node.inputs[input];
            let (side, rows, cols) = if i == 0 { (&mut spec.a, m, k) } else { (&mut spec.b, k, n) };
            let found = match self.place(value)? {
                Place::Tensor { buffer, view } => matrix(&view, side, [batch, rows, cols]).map(|(start, l)| (buffer, start, l)),
                _ => None,
            };
            let (buffer, start) = match found {
                Some((buffer, start, layout)) => {
                    *side = layout;
                    (buffer, start)
                }
                None => (self.contiguous(value)?, 0),
            };
            reads.push(Read { buffer, start });
        }
        self.push(Kernel::MatMul(spec), reads, writes);
        Ok(())
    }

    /// The update reads gradients where the state layout puts them, so each is moved there if it is not computed there.
    fn launch_update(&mut self, node: &Node, launch: &Launch) -> Result<(), CompileError> {
        let (Kernel::FlatUpdate { rule, scaled, .. }, Op::FlatUpdate(op)) = (&launch.kernel, &node.op) else {
            return Err(self.unsupported("an update kernel of another op"));
        };
        let reads = launch.reads.iter().map(|r| self.operand(node, &[], *r)).collect::<Result<_, _>>()?;
        let gradients = node.inputs.iter().skip(1 + usize::from(*scaled)).zip(&op.params);
        let uses = gradients.map(|(value, p)| self.pin(*value, p.id)).collect::<Result<_, _>>()?;
        let groups = update_groups(op, self.layout);
        self.push(Kernel::FlatUpdate { rule: rule.clone(), groups, scaled: *scaled }, reads, SmallVec::new());
        if let Some(task) = self.program.tasks.last_mut() {
            task.uses = uses;
        }
        Ok(())
    }

    fn pin(&mut self, value: Value, parameter: ParamId) -> Result<BufferId, CompileError> {
        let shape = self.graph.shape(value).clone();
        if let Place::Tensor { buffer, view } = self.place(value)?
            && self.is_whole(buffer, &view)
            && self.program.buffer(buffer).home == Home::Scratch
        {
            self.program.buffers[buffer.index()].home = Home::Gradient(parameter);
            return Ok(buffer);
        }
        let buffer = self.program.add_buffer(shape.numel(), Home::Gradient(parameter));
        self.copy(value, buffer)?;
        Ok(buffer)
    }

    /// An operand of a kernel that wants contiguous memory.
    fn operand(&mut self, node: &Node, outputs: &[BufferId], operand: Operand) -> Result<Read, CompileError> {
        match operand {
            Operand::Output(i) => Ok(Read { buffer: outputs[i], start: 0 }),
            Operand::Input(i) => match self.place(node.inputs[i])? {
                Place::Tensor { buffer, view } if view.is_contiguous() => Ok(Read { buffer, start: view.offset }),
                _ => Ok(Read { buffer: self.contiguous(node.inputs[i])?, start: 0 }),
            },
        }
    }

    /// Whether a view is all of its buffer, in order.
    fn is_whole(&self, buffer: BufferId, view: &View) -> bool {
        view.is_contiguous() && view.offset == 0 && view.numel() == self.program.buffer(buffer).len
    }

    /// A buffer with the value's elements in row-major order.
    fn contiguous(&mut self, value: Value) -> Result<BufferId, CompileError> {
        if let Place::Tensor { buffer, view } = self.place(value)?
            && self.is_whole(buffer, &view)
        {
            return Ok(buffer);
        }
        if let Some(&copy) = self.copies.get(&value) {
            return Ok(copy);
        }
        let buffer = self.program.add_buffer(self.graph.shape(value).numel(), Home::Scratch);
        self.copy(value, buffer)?;
        self.copies.insert(value, buffer);
        Ok(buffer)
    }

    /// Writes the value's elements in row-major order into a new buffer.
    fn copy(&mut self, value: Value, to: BufferId) -> Result<(), CompileError> {
        let ty = self.graph.ty(value).clone();
        match self.place(value)? {
            Place::Tensor { buffer, view } if ty.dtype == Dtype::U32 && view.is_contiguous() => {
                // Integers are moved as words: a float copy may flush their bits.
                let len = ty.shape.numel() as u32;
                let kernel = Kernel::CopyInto { outer: 1, len, stride: len, start: 0 };
                self.push(kernel, smallvec![Read { buffer, start: view.offset }], smallvec![to]);
                Ok(())
            }
            Place::Tensor { buffer, view } => self.copy_walk(buffer, &view, &ty.shape, &ty.shape.strides(), to),
            Place::Const(c) => self.fill(ExprOp::Const(c), &ty.shape, to),
            Place::Scalar(id) => self.fill(ExprOp::Scalar(id), &ty.shape, to),
        }
    }

    fn fill(&mut self, with: ExprOp, shape: &Shape, to: BufferId) -> Result<(), CompileError> {
        let mut expr = Expr::default();
        let register = expr.push(with);
        expr.outputs.push(register);
        let (map, reads) = map_kernel(&[shape.numel()], Vec::new(), expr);
        self.push(Kernel::Map(map), reads, smallvec![to]);
        Ok(())
    }

    /// Copies a walk over a tensor's row-major elements; block by block where it has more dimensions than a kernel walks.
    fn copy_walk(
        &mut self,
        buffer: BufferId,
        view: &View,
        shape: &[usize],
        strides: &[usize],
        to: BufferId,
    ) -> Result<(), CompileError> {
        let mut space = Iteration::new(shape);
        space.add(buffer, strides, 0, view).ok_or_else(|| self.unsupported("a view that leaves its input"))?;
        let mut expr = Expr::default();
        let register = expr.read(0);
        expr.outputs.push(register);
        let blocks = space.blocks();
        if let [Walked { shape, reads }] = &blocks[..] {
            let (map, reads) = map_kernel(shape, reads.clone(), expr);
            self.push(Kernel::Map(map), reads, smallvec![to]);
            return Ok(());
        }
        if blocks.len() > MAX_BLOCKS {
            return Err(self.unsupported("more dimensions than kernels walk"));
        }
        let len = shape.iter().product::<usize>() / blocks.len();
        for (i, Walked { shape, reads }) in blocks.into_iter().enumerate() {
            let part = self.program.add_buffer(len, Home::Scratch);
            let (map, reads) = map_kernel(&shape, reads, expr.clone());
            self.push(Kernel::Map(map), reads, smallvec![part]);
            let kernel = Kernel::CopyInto { outer: 1, len: len as u32, stride: len as u32, start: (i * len) as u32 };
            self.push(kernel, smallvec![Read { buffer: part, start: 0 }], smallvec![to]);
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<(), CompileError> {
        let updates = self.program.tasks.iter().any(|t| matches!(t.kernel, Kernel::FlatUpdate { .. }));
        for (name, value) in self.graph.outputs().to_vec() {
            self.at = value.node;
            let found = match self.place(value)? {
                Place::Tensor { buffer, view } if view.is_contiguous() && view.offset.is_multiple_of(4) => {
                    let stays = match self.program.buffer(buffer).home {
                        Home::Scratch | Home::Gradient(_) => true,
                        Home::Parameter(_) => !updates,
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
                    let buffer = self.program.add_buffer(shape.numel(), Home::Scratch);
                    self.copy(value, buffer)?;
                    (buffer, 0)
                }
            };
            self.program.outputs.push(Output { name, buffer, start, shape });
        }
        self.order_effects();
        Ok(())
    }

    /// Copies of parameters for outputs come before the update that changes them.
    fn order_effects(&mut self) {
        let (effects, others): (Vec<Task>, Vec<Task>) = self.program.tasks.drain(..).partition(Task::is_effect);
        self.program.tasks = others.into_iter().chain(effects).collect();
    }

    fn place(&self, value: Value) -> Result<Place, CompileError> {
        self.places[value.node.index()]
            .get(usize::from(value.slot))
            .cloned()
            .ok_or_else(|| CompileError::Broken { pass: "lower", message: format!("{value} is read before it is lowered") })
    }

    fn push(&mut self, kernel: Kernel, reads: SmallVec<[Read; 4]>, writes: SmallVec<[BufferId; 2]>) {
        let node = self.graph.node(self.at);
        self.program.tasks.push(Task {
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

/// A map kernel with the reads that its expression still has.
pub(crate) fn map_kernel(shape: &[usize], reads: Vec<(Read, Dims)>, mut expr: Expr) -> (MapSpec, SmallVec<[Read; 4]>) {
    let used = compact_reads(&mut expr);
    let narrow = |dims: &[usize]| -> Strides { dims.iter().map(|&n| n as u32).collect() };
    let spec = MapSpec { shape: narrow(shape), read_strides: used.iter().map(|&i| narrow(&reads[i].1)).collect(), expr };
    (spec, used.iter().map(|&i| reads[i].0).collect())
}

/// Ranges of the parameters, neighbours of equal rate and decay as one.
fn update_groups(op: &FlatUpdate, layout: &StateLayout) -> Vec<UpdateGroup> {
    let mut params = op.params.clone();
    params.sort_by_key(|p| layout.order[p.id.index()]);
    let mut groups: Vec<UpdateGroup> = Vec::new();
    for Updated { id, lr, decay } in params {
        let entry = &layout.entries[layout.order[id.index()] as usize];
        let len = padded(entry.len as usize) as u32;
        match groups.last_mut() {
            Some(g) if (g.lr, g.decay) == (lr, decay) => g.len += len,
            _ => groups.push(UpdateGroup { start: entry.offset, len, lr, decay }),
        }
    }
    groups
}

/// Where a matrix lies that a product would find at `layout` of a contiguous tensor, when the tensor is a view. `None` when it has to be
/// copied.
fn matrix(view: &View, layout: &MatLayout, shape: [usize; 3]) -> Option<(usize, MatLayout)> {
    let strides = [layout.batch_stride, layout.row_stride, layout.col_stride].map(|s| s as usize);
    let (start, parts) = compose(&shape, &strides, 0, view)?;
    let strides: Vec<u32> = parts.iter().map(|p| even_stride(p).map(|s| s as u32)).collect::<Option<_>>()?;
    let [_, rows, cols] = shape.map(|n| n as u32);
    let (mut row_stride, mut col_stride) = (strides[1], strides[2]);
    // The stride of a single row or column is free; one of the two has to be 1.
    if cols == 1 && row_stride != 1 {
        col_stride = 1;
    } else if cols == 1 {
        col_stride = rows;
    } else if rows == 1 && col_stride != 1 {
        row_stride = 1;
    } else if rows == 1 {
        row_stride = cols;
    }
    let usable = (row_stride == 1 && col_stride > 0) || (col_stride == 1 && row_stride > 0);
    usable.then_some((start, MatLayout { batch_stride: strides[0], row_stride, col_stride }))
}
