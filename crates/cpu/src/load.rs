//! From the steps of a plan to loaded ops, with every operand checked against its buffer.

use downhill_compile::{Arg, ExecError, Plan, Region, Space, StateOffsets, Step};
use downhill_graph::kernel::{
    IndexSelectSpec, Kernel, MapSpec, MatLayout, MatMulSpec, ReduceKind, RowsKind, Strides, UpdateGroup, UpdateRule,
};
use downhill_graph::{Expr, ExprOp};
use smallvec::SmallVec;

use crate::arena::Operand;
use crate::kernels::{AccuracyOp, CopyOp, IndexAddOp, IndexSelectOp, LossOp, RecordOp, ReduceOp, RowsOp, UpdateOp};
use crate::matmul::MatMulOp;
use crate::op::{Op, Program};
use crate::rewrite::{with_scalars, with_scaled_gradient};
use crate::vm::{MapOp, Walk};

/// Turns a plan into a program.
///
/// # Errors
/// When an operand leaves its buffer or a kernel cannot run here.
pub(crate) fn program(plan: &Plan) -> Result<Program, ExecError> {
    let mut loader = Loader { plan, step: 0, batches: u64::MAX };
    let mut ops = Vec::with_capacity(plan.steps.len());
    let mut costs = Vec::with_capacity(plan.steps.len());
    for (i, step) in plan.steps.iter().enumerate() {
        loader.step = i;
        ops.push(loader.op(step)?);
        costs.push(step.flops as f64 * 0.05 + step.bytes as f64 * 0.1 + 40.0);
    }
    Ok(Program { ops, costs, batches: loader.batches })
}

struct Loader<'a> {
    plan: &'a Plan,
    step: usize,
    batches: u64,
}

/// Elements that a walk over `shape` touches from its start.
fn extent(shape: &[u32], strides: &[u32]) -> u64 {
    1 + shape.iter().zip(strides).map(|(&n, &s)| u64::from(n.saturating_sub(1)) * u64::from(s)).sum::<u64>()
}

fn numel(shape: &[u32]) -> u64 {
    shape.iter().map(|&n| u64::from(n)).product()
}

fn matrix_extent(batch: u32, rows: u32, cols: u32, l: &MatLayout) -> u64 {
    extent(&[batch, rows, cols], &[l.batch_stride, l.row_stride, l.col_stride])
}

impl Loader<'_> {
    fn fail(&self, what: &str) -> ExecError {
        let kernel = self.plan.steps.get(self.step).map_or("", |s| s.kernel.family());
        ExecError::Unsupported(format!("step {} ({kernel}) of plan {}: {what}", self.step, self.plan.name))
    }

    /// An operand of which the kernel touches `needed` elements.
    fn operand(&mut self, args: &[Arg], index: usize, needed: u64) -> Result<Operand, ExecError> {
        let arg = args.get(index).ok_or_else(|| self.fail("an operand is missing"))?;
        let (start, len) = (u64::from(arg.start), u64::from(arg.region.len));
        let buffer = match arg.region.space {
            Space::Arena => self.plan.arena_len,
            Space::Data => self.plan.data_len,
        };
        let end = u64::from(arg.region.offset) + start + needed;
        if end > u64::from(buffer) || (arg.per_batch == 0 && start + needed > len) {
            return Err(self.fail("an operand leaves its region"));
        }
        if let Some(more) = (u64::from(buffer) - end).checked_div(u64::from(arg.per_batch)) {
            self.batches = self.batches.min(more + 1);
        }
        Ok(Operand { len: needed as usize, ..Operand::from(arg) })
    }

    fn read(&mut self, step: &Step, index: usize, needed: u64) -> Result<Operand, ExecError> {
        self.operand(&step.reads, index, needed)
    }

    fn write(&mut self, step: &Step, index: usize, needed: u64) -> Result<Operand, ExecError> {
        match step.writes.get(index) {
            Some(arg) if arg.region.space != Space::Arena => Err(self.fail("it writes outside the arena")),
            _ => self.operand(&step.writes, index, needed),
        }
    }

    /// A part of the state.
    fn state(&mut self, offset: u32, len: u32) -> Result<Operand, ExecError> {
        let region = Region { space: Space::Arena, offset, len };
        self.operand(&[Arg { region, start: 0, per_batch: 0 }], 0, u64::from(len))
    }

    fn op(&mut self, step: &Step) -> Result<Op, ExecError> {
        Ok(match &step.kernel {
            Kernel::Map(map) => {
                let writes = self.outputs(step, map.expr.outputs.len(), numel(&map.shape))?;
                Op::Map(self.map(step, map, writes)?)
            }
            Kernel::Reduce { map, kind } => Op::Reduce(self.reduce(step, map, *kind)?),
            Kernel::MatMul(spec) => Op::MatMul(Box::new(self.matmul(step, spec)?)),
            Kernel::Rows { kind, rows, cols } => self.rows(step, *kind, u64::from(*rows), u64::from(*cols))?,
            Kernel::IndexSelect(spec) => Op::IndexSelect(IndexSelectOp {
                table: self.read(step, 0, spec.table_len() as u64)?,
                indices: self.read(step, 1, u64::from(spec.rows))?,
                out: self.write(step, 0, u64::from(spec.rows) * u64::from(spec.width))?,
                spec: IndexSelectSpec { width: self.positive(spec.width)? as u32, ..*spec },
            }),
            Kernel::IndexAdd { rows, width, entries } => Op::IndexAdd(IndexAddOp {
                values: self.read(step, 0, u64::from(*rows) * u64::from(*width))?,
                indices: self.read(step, 1, u64::from(*rows))?,
                out: self.write(step, 0, u64::from(*entries) * u64::from(*width))?,
                width: self.positive(*width)?,
            }),
            Kernel::CopyInto { outer, len, stride, start } => Op::Copy(CopyOp {
                from: self.read(step, 0, u64::from(*outer) * u64::from(*len))?,
                to: self.write(step, 0, u64::from(*start) + extent(&[*outer, *len], &[*stride, 1]))?,
                len: self.positive(*len)?,
                stride: *stride as usize,
                start: *start as usize,
            }),
            Kernel::Norm => {
                let reads = step.reads.iter().enumerate();
                let reads = reads.map(|(i, r)| self.read(step, i, u64::from(r.region.len - r.start.min(r.region.len))));
                let reads = reads.collect::<Result<_, _>>()?;
                Op::Norm { reads, out: self.write(step, 0, 1)? }
            }
            Kernel::FlatUpdate { rule, groups, scaled } => Op::Update(self.update(step, rule, groups, *scaled)?),
            Kernel::Record => {
                let scalars = (0..step.reads.len()).map(|i| self.read(step, i, 1)).collect::<Result<Vec<_>, _>>()?;
                Op::Record(self.record(scalars)?)
            }
        })
    }

    fn positive(&self, n: u32) -> Result<usize, ExecError> {
        if n == 0 { Err(self.fail("a size is zero")) } else { Ok(n as usize) }
    }

    fn outputs(&mut self, step: &Step, count: usize, needed: u64) -> Result<SmallVec<[Operand; 2]>, ExecError> {
        (0..count).map(|i| self.write(step, i, needed)).collect()
    }

    fn map(&mut self, step: &Step, map: &MapSpec, writes: SmallVec<[Operand; 2]>) -> Result<MapOp, ExecError> {
        if map.shape.len() > 4 || map.shape.contains(&0) {
            return Err(self.fail("an iteration space has more than four dimensions or none"));
        }
        self.check_expr(&map.expr, map.read_strides.len())?;
        let reads = map.read_strides.iter().enumerate();
        let reads = reads.map(|(i, s)| self.read(step, i, extent(&map.shape, s))).collect::<Result<_, _>>()?;
        MapOp::new(&map.expr, Walk::new(&map.shape, &map.read_strides), reads, writes, &|_| false)
    }

    /// Registers and reads that an expression names exist.
    fn check_expr(&self, expr: &Expr, reads: usize) -> Result<(), ExecError> {
        let defined = |i: usize, r: u16| usize::from(r) < i;
        let fits = expr.ops.iter().enumerate().all(|(i, op)| match *op {
            ExprOp::Unary(_, a) => defined(i, a),
            ExprOp::Binary(_, a, b) => defined(i, a) && defined(i, b),
            ExprOp::Select(a, b, c) => defined(i, a) && defined(i, b) && defined(i, c),
            _ => true,
        });
        if fits && expr.reads() <= reads && expr.outputs.iter().all(|&r| defined(expr.ops.len(), r)) {
            Ok(())
        } else {
            Err(self.fail("an expression names what it does not have"))
        }
    }

    fn reduce(&mut self, step: &Step, map: &MapSpec, kind: ReduceKind) -> Result<ReduceOp, ExecError> {
        let [outer, reduced, inner] = map.shape.as_slice() else { return Err(self.fail("a reduction has three dimensions")) };
        let out = self.write(step, 0, u64::from(*outer) * u64::from(*inner))?;
        let mut writes = SmallVec::new();
        writes.push(out);
        let map = self.map(step, map, writes)?;
        Ok(ReduceOp { map, kind, reduced: *reduced as usize, inner: *inner as usize, out })
    }

    fn matmul(&mut self, step: &Step, s: &MatMulSpec) -> Result<MatMulOp, ExecError> {
        if [s.batch, s.m, s.n, s.k].contains(&0) {
            return Err(self.fail("a size is zero"));
        }
        let mut reads = vec![
            self.read(step, 0, matrix_extent(s.batch, s.m, s.k, &s.a))?,
            self.read(step, 1, matrix_extent(s.batch, s.k, s.n, &s.b))?,
        ];
        let mut outputs = 1;
        if let Some(e) = &s.epilogue {
            self.check_expr(&e.expr, e.read_strides.len() + 1)?;
            outputs = e.expr.outputs.len();
            for (i, strides) in e.read_strides.iter().enumerate() {
                reads.push(self.read(step, 2 + i, extent(&[s.batch, s.m, s.n], strides))?);
            }
        }
        let mut writes = self.outputs(step, outputs, u64::from(s.batch) * u64::from(s.m) * u64::from(s.n))?;
        if s.row_sum {
            writes.push(self.write(step, outputs, u64::from(s.m))?);
        }
        MatMulOp::new(s, &reads, &writes)
    }

    fn rows(&mut self, step: &Step, kind: RowsKind, rows: u64, cols: u64) -> Result<Op, ExecError> {
        let all = rows * cols;
        if all == 0 {
            return Err(self.fail("a size is zero"));
        }
        let columns = cols as usize;
        let weights = |own: &mut Self, weighted| if weighted { own.read(step, 2, rows).map(Some) } else { Ok(None) };
        Ok(match kind {
            RowsKind::Loss { kind, weighted } => {
                let labels = matches!(kind, downhill_graph::kernel::LossKind::CrossEntropy { .. });
                Op::Loss(LossOp {
                    kind,
                    cols: columns,
                    prediction: self.read(step, 0, all)?,
                    target: self.read(step, 1, if labels { rows } else { all })?,
                    weights: weights(self, weighted)?,
                    loss: self.write(step, 0, 1)?,
                    gradient: self.write(step, 1, all)?,
                })
            }
            RowsKind::Accuracy { weighted } => Op::Accuracy(AccuracyOp {
                cols: columns,
                prediction: self.read(step, 0, all)?,
                target: self.read(step, 1, rows)?,
                weights: weights(self, weighted)?,
                out: self.write(step, 0, 1)?,
            }),
            RowsKind::Softmax | RowsKind::LogSoftmax | RowsKind::SoftmaxGrad | RowsKind::LogSoftmaxGrad => {
                let second = usize::from(matches!(kind, RowsKind::SoftmaxGrad | RowsKind::LogSoftmaxGrad));
                let reads = [self.read(step, 0, all)?, self.read(step, second, all)?];
                Op::Rows(RowsOp { kind, cols: columns, reads, out: self.write(step, 0, all)? })
            }
        })
    }

    fn update(&mut self, step: &Step, rule: &UpdateRule, groups: &[UpdateGroup], scaled: bool) -> Result<UpdateOp, ExecError> {
        let state = self.plan.state;
        let slots = rule.slots.len() as u32;
        if slots > state.slot_count || rule.expr.outputs.len() != 1 + rule.slots.len() {
            return Err(self.fail("the rule and the state disagree about slots"));
        }
        self.check_expr(&rule.expr, 2 + rule.slots.len())?;
        let loss = self.read(step, 0, 1)?;
        let factor = if scaled { Some(self.read(step, 1, 1)?) } else { None };
        let groups = groups.iter().filter(|g| g.len > 0);
        let groups = groups.map(|g| self.group(rule, g, state, factor)).collect::<Result<_, _>>()?;
        Ok(UpdateOp {
            loss,
            gradients: self.state(state.gradients, state.parameter_len)?,
            flag: self.state(state.flag, 1)?,
            groups,
        })
    }

    /// The update of one group. Slots lose their subnormals: Adam's second moment decays into them.
    fn group(
        &mut self,
        rule: &UpdateRule,
        group: &UpdateGroup,
        state: StateOffsets,
        factor: Option<Operand>,
    ) -> Result<MapOp, ExecError> {
        let mut at = |base: u32| self.state(base.saturating_add(group.start), group.len);
        let weights = at(state.parameters)?;
        let mut reads: SmallVec<[Operand; 4]> = SmallVec::from_slice(&[weights, at(state.gradients)?]);
        let mut writes: SmallVec<[Operand; 2]> = SmallVec::from_slice(&[weights]);
        for slot in 0..rule.slots.len() as u32 {
            let slot = at(state.slots.saturating_add(slot.saturating_mul(state.parameter_len)))?;
            reads.push(slot);
            writes.push(slot);
        }
        let mut strides: Vec<Strides> = reads.iter().map(|_| Strides::from_slice(&[1])).collect();
        let mut expr = with_scalars(&rule.expr, group.lr, group.decay);
        if let Some(factor) = factor {
            expr = with_scaled_gradient(&expr, reads.len() as u8);
            reads.push(factor);
            strides.push(Strides::from_slice(&[0]));
        }
        MapOp::new(&expr, Walk::new(&[group.len], &strides), reads, writes, &|output| output > 0)
    }

    fn record(&mut self, scalars: Vec<Operand>) -> Result<RecordOp, ExecError> {
        let state = self.plan.state;
        if (state.ring_stride as usize) < scalars.len() + 2 {
            return Err(self.fail("a row of the ring is too short"));
        }
        let ring = u64::from(state.ring_rows) * u64::from(state.ring_stride);
        let ring = u32::try_from(ring).map_err(|_| self.fail("the ring is too long"))?;
        Ok(RecordOp {
            scalars,
            flag: self.state(state.flag, 1)?,
            ring: self.state(state.ring, ring)?,
            rows: state.ring_rows,
            stride: state.ring_stride as usize,
        })
    }
}
