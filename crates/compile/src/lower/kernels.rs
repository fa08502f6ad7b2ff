//! Ops that bring kernels of their own: their operands are found, and views of them become the kernels' strides.

use downhill_graph::kernel::{
    AssignSpec, FlatUpdateSpec, Kernel, Launch, MapSpec, MatLayout, MatMulSpec, Operand, ReduceKind, ReduceSpec, UpdateGroup,
};
use downhill_graph::ops::{FlatUpdate, Updated};
use downhill_graph::{Expr, Node, Op, StateId, Value};
use downhill_tensor::sort_short_by_key;
use smallvec::SmallVec;

use super::{Lowering, Place};
use crate::access::{Dims, View, compose, even_stride};
use crate::iterate::Iteration;
use crate::work::{BufferId, Home, Read};
use crate::{CompileError, StateLayout, padded};

impl Lowering<'_> {
    pub(super) fn kernels(&mut self, node: &Node, launches: &[Launch]) -> Result<(), CompileError> {
        let buffers: Vec<BufferId> =
            node.outputs.iter().map(|ty| self.work.add_buffer(ty.shape.numel(), Home::Scratch)).collect();
        for launch in launches {
            let writes = launch.writes.iter().filter_map(|w| if let Operand::Output(i) = w { Some(buffers[*i]) } else { None });
            let writes: SmallVec<[BufferId; 2]> = writes.collect();
            match &launch.kernel {
                Kernel::Map(map) => self.launch_map(node, launch, map, writes, None)?,
                Kernel::Reduce(spec) => self.launch_map(node, launch, &spec.map, writes, Some(spec.kind))?,
                Kernel::MatMul(spec) => self.launch_matmul(node, launch, spec, writes)?,
                Kernel::FlatUpdate { .. } => self.launch_update(node, launch)?,
                Kernel::Assign(_) => self.launch_assign(node)?,
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
        reduce: Option<ReduceKind>,
    ) -> Result<(), CompileError> {
        let shape: Dims = map.shape.iter().map(|&n| n as usize).collect();
        let strides: Vec<Dims> = map.read_strides.iter().map(|s| s.iter().map(|&n| n as usize).collect()).collect();
        let (mut expr, mut space) = self.walk(node, &map.expr, &launch.reads, &shape, &strides)?;
        let Some(kind) = reduce else {
            let walked = space.collapsed().ok_or_else(|| self.unsupported("more dimensions than kernels walk"))?;
            let (map, reads) = walked.kernel(expr);
            self.push(Kernel::Map(map), reads, writes);
            return Ok(());
        };
        if space.grouped().is_none() {
            // A reduction walks three dimensions only; what needs more is copied first.
            (expr, space) = self.walk_copies(node, &map.expr, &launch.reads, &shape, &strides)?;
        }
        let walked = space.grouped().ok_or_else(|| self.unsupported("a reduction over uneven strides"))?;
        let (map, reads) = walked.kernel(expr);
        self.push(Kernel::Reduce(ReduceSpec { map, kind }), reads, writes);
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
        let [batch, cycle, segments] = [spec.batch, spec.batch.min(spec.cycle), spec.segments].map(|size| size as usize);
        let [m, n, k] = [spec.m, spec.n, spec.k].map(|size| size as usize);
        for (i, operand) in launch.reads.iter().enumerate().take(2) {
            let Operand::Input(input) = *operand else {
                return Err(self.unsupported("a product of its own result"));
            };
            let value = node.inputs[input];
            let (side, shape) =
                if i == 0 { (&mut spec.a, [cycle, segments, m, k]) } else { (&mut spec.b, [batch, segments, k, n]) };
            let is_image = i == 1 && spec.patches.is_some();
            let found = match self.place(value)? {
                Place::Tensor { buffer, view } if is_image => view.is_contiguous().then_some((buffer, view.offset, *side)),
                Place::Tensor { buffer, view } => matrix(&view, side, shape).map(|(start, l)| (buffer, start, l)),
                Place::Const(_) | Place::Scalar(_) => None,
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

    /// The update reads gradients, and what slots are given, where the state layout puts them, so each is moved there if it is not computed there.
    fn launch_update(&mut self, node: &Node, launch: &Launch) -> Result<(), CompileError> {
        let (Kernel::FlatUpdate(spec), Op::FlatUpdate(op)) = (&launch.kernel, &node.op) else {
            return Err(self.unsupported("an update kernel of another op"));
        };
        let reads = launch.reads.iter().map(|r| self.operand(node, &[], *r)).collect::<Result<_, _>>()?;
        if op.given().any(|(slot, id)| self.leaves.contains_key(&Home::Slot(slot, id))) {
            return Err(self.unsupported("an update that is given a slot which the program reads"));
        }
        let homes = op.params.iter().map(|p| Home::Gradient(p.id)).chain(op.given().map(|(slot, id)| Home::Given(slot, id)));
        let tensors = node.inputs.iter().skip(1 + usize::from(spec.scaled)).zip(homes);
        let uses = tensors.map(|(value, home)| self.pin(*value, home)).collect::<Result<_, _>>()?;
        let groups = update_groups(op, self.layout);
        self.push_using(Kernel::FlatUpdate(FlatUpdateSpec { groups, ..spec.clone() }), reads, uses);
        Ok(())
    }

    /// The assignment reads next values where the state layout puts them, as the update does gradients.
    fn launch_assign(&mut self, node: &Node) -> Result<(), CompileError> {
        let next = (0..).map(|i| Home::Next(StateId(i))).zip(&node.inputs);
        let uses = next.map(|(home, value)| self.pin(*value, home)).collect::<Result<_, _>>()?;
        self.push_using(Kernel::Assign(AssignSpec { len: self.layout.offsets.states_len }), SmallVec::new(), uses);
        Ok(())
    }

    /// A task that also reads these buffers, at their place in the state.
    fn push_using(&mut self, kernel: Kernel, reads: SmallVec<[Read; 4]>, uses: Vec<BufferId>) {
        self.push(kernel, reads, SmallVec::new());
        if let Some(task) = self.work.tasks.last_mut() {
            task.uses = uses;
        }
    }

    /// The buffer of a value at a place in the state: the one it is computed in where that is free to lie there, else a copy.
    fn pin(&mut self, value: Value, home: Home) -> Result<BufferId, CompileError> {
        let shape = self.graph.shape(value).clone();
        if let Place::Tensor { buffer, view } = self.place(value)?
            && self.is_whole(buffer, &view)
            && self.work.buffer(buffer).home == Home::Scratch
        {
            self.work.buffers[buffer.index()].home = home;
            return Ok(buffer);
        }
        let buffer = self.work.add_buffer(shape.numel(), home);
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
}

/// Ranges of the parameters, neighbours of equal rule, rate and decay as one.
fn update_groups(op: &FlatUpdate, layout: &StateLayout) -> Vec<UpdateGroup> {
    let mut params = op.params.clone();
    sort_short_by_key(&mut params, |p| layout.order[p.id.index()]);
    let mut groups: Vec<UpdateGroup> = Vec::new();
    for Updated { id, lr, decay, rule } in params {
        let entry = &layout.entries[layout.order[id.index()] as usize];
        let len = padded(entry.len as usize) as u32;
        match groups.last_mut() {
            Some(g) if (g.lr, g.decay, g.rule) == (lr, decay, rule) => g.len += len,
            _ => groups.push(UpdateGroup { start: entry.offset, len, rule, lr, decay }),
        }
    }
    groups
}

/// Where a matrix lies that a product would find at `layout` of a contiguous tensor, when the tensor is a view. `None` when it has to be
/// copied.
fn matrix(view: &View, layout: &MatLayout, shape: [usize; 4]) -> Option<(usize, MatLayout)> {
    let strides = layout.strides().map(|s| s as usize);
    let (start, parts) = compose(&shape, &strides, 0, view)?;
    let strides: Vec<u32> = parts.iter().map(|p| even_stride(p).map(|s| s as u32)).collect::<Option<_>>()?;
    let [.., rows, cols] = shape.map(|n| n as u32);
    let [batch_stride, segment_stride, mut row_stride, mut col_stride] = strides[..] else { return None };
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
    usable.then_some((start, MatLayout { batch_stride, segment_stride, row_stride, col_stride }))
}
