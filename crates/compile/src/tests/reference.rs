//! A plan interpreter in f64: kernels as their documentation says, slow and obviously right. With it this crate checks its plans
//! without a backend.

use downhill_graph::kernel::{
    Element, IndexSelectSpec, Kernel, LossKind, MapSpec, MatLayout, MatMulSpec, ReduceKind, RowsKind, UpdateGroup, UpdateRule,
};
use downhill_graph::{Expr, ScalarId, StepScalars};
use downhill_tensor::rng::{Stream, hash, uniform};

use crate::{Arg, Plan, Region, Space, StateOffsets, Step};

/// The two buffers. Arena cells are f64, so that comparisons with the graph interpreter need no tolerance for rounding; integers lie
/// there as the float that has their bits.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Floats.
    pub arena: Vec<f64>,
    /// Words.
    pub data: Vec<u32>,
}

impl Machine {
    /// Buffers for one plan: the state zero, scratch filled with NaN, so that what is read before it is written shows.
    pub fn new(plan: &Plan) -> Self {
        let mut arena = vec![0.0; plan.arena_len as usize];
        arena[plan.state_len as usize..].fill(f64::NAN);
        Self { arena, data: vec![0; plan.data_len as usize] }
    }

    /// Runs the plan once.
    pub fn run(&mut self, plan: &Plan, scalars: &StepScalars) {
        for step in &plan.steps {
            self.step(plan, step, scalars);
        }
    }

    /// Elements of a region, as floats.
    pub fn read(&self, region: Region) -> Vec<f64> {
        (region.offset..region.end()).map(|i| self.cell(region.space, i as usize)).collect()
    }

    fn cell(&self, space: Space, i: usize) -> f64 {
        match space {
            Space::Arena => self.arena[i],
            Space::Data => f64::from(f32::from_bits(self.data[i])),
        }
    }

    fn step(&mut self, plan: &Plan, step: &Step, scalars: &StepScalars) {
        let reads: Vec<Operand<'_>> =
            step.reads.iter().map(|arg| Operand { machine: self, arg: *arg, batch: scalars.batch }).collect();
        let results = match &step.kernel {
            Kernel::Map(map) => map_kernel(map, &reads, scalars),
            Kernel::Reduce { map, kind } => vec![reduce(map, *kind, &reads, scalars)],
            Kernel::MatMul(spec) => matmul(spec, &reads, scalars),
            Kernel::Rows { kind, rows, cols } => rows_kernel(*kind, *rows as usize, *cols as usize, &reads),
            Kernel::IndexSelect(spec) => vec![index_select(spec, &reads)],
            Kernel::IndexAdd { rows, width, entries } => {
                vec![index_add(&reads, *rows as usize, *width as usize, *entries as usize)]
            }
            Kernel::Norm => {
                let squares: f64 = reads.iter().flat_map(|r| (0..r.arg.region.len as usize).map(|i| r.at(i).powi(2))).sum();
                vec![vec![squares.sqrt()]]
            }
            Kernel::CopyInto { outer, len, stride, start } => {
                let values: Vec<f64> = (0..(outer * len) as usize).map(|i| reads[0].at(i)).collect();
                let to = (step.writes[0].region.offset + start) as usize;
                for (block, values) in values.chunks_exact(*len as usize).enumerate() {
                    let at = to + block * *stride as usize;
                    self.arena[at..at + values.len()].copy_from_slice(values);
                }
                return;
            }
            Kernel::FlatUpdate { rule, groups, scaled } => {
                let factor = if *scaled { reads[1].at(0) } else { 1.0 };
                let loss = reads[0].at(0);
                self.update(rule, groups, &plan.state, loss, factor, scalars);
                return;
            }
            Kernel::Record => {
                let row: Vec<f64> = reads.iter().map(|r| r.at(0)).collect();
                self.record(&plan.state, &row, scalars);
                return;
            }
        };
        for (write, values) in step.writes.iter().zip(results) {
            assert_eq!(values.len(), write.region.len as usize, "{} fills its region", step.kernel);
            self.arena[write.region.offset as usize..write.region.end() as usize].copy_from_slice(&values);
        }
    }

    fn update(
        &mut self,
        rule: &UpdateRule,
        groups: &[UpdateGroup],
        state: &StateOffsets,
        loss: f64,
        factor: f64,
        scalars: &StepScalars,
    ) {
        let flag = state.flag as usize;
        let ranges: Vec<usize> = groups.iter().flat_map(|g| (g.start..g.start + g.len).map(|i| i as usize)).collect();
        let finite = |v: f64| (v as f32).is_finite();
        let fine = finite(loss) && ranges.iter().all(|i| finite(self.arena[state.gradients as usize + i]));
        if self.arena[flag] == 0.0 && !fine {
            self.arena[flag] = word(scalars.step.wrapping_add(1).max(1));
        }
        if self.arena[flag] != 0.0 {
            return;
        }
        for group in groups {
            let scalar = |id: ScalarId| {
                f64::from(scalars.get(match id {
                    ScalarId::LR => group.lr,
                    ScalarId::DECAY => group.decay,
                    other => other,
                }))
            };
            for i in group.start as usize..(group.start + group.len) as usize {
                let slot = |s: usize| state.slots as usize + s * state.parameter_len as usize + i;
                let weight = state.parameters as usize + i;
                let mut reads = vec![self.arena[weight], self.arena[state.gradients as usize + i] * factor];
                reads.extend((0..rule.slots.len()).map(|s| self.arena[slot(s)]));
                let new = rule.expr.eval(&reads, &scalar, &|_| 0.0);
                self.arena[weight] = new[0];
                (0..rule.slots.len()).for_each(|s| self.arena[slot(s)] = new[1 + s]);
            }
        }
    }

    fn record(&mut self, state: &StateOffsets, row: &[f64], scalars: &StepScalars) {
        if scalars.record == StepScalars::NO_RECORD {
            return;
        }
        let at = (state.ring + scalars.record * state.ring_stride) as usize;
        self.arena[at] = word(scalars.step);
        self.arena[at + 1] = self.arena[state.flag as usize];
        self.arena[at + 2..at + 2 + row.len()].copy_from_slice(row);
    }
}

/// A word as the float that has its bits.
pub fn word(bits: u32) -> f64 {
    f64::from(f32::from_bits(bits))
}

struct Operand<'m> {
    machine: &'m Machine,
    arg: Arg,
    batch: u32,
}

impl Operand<'_> {
    fn at(&self, i: usize) -> f64 {
        let Arg { region, start, per_batch } = self.arg;
        assert!(start as usize + i < region.len as usize, "element {i} from {start} lies in {region}");
        self.machine.cell(region.space, (region.offset + start + self.batch * per_batch) as usize + i)
    }

    /// The word as it lies there: a way through a float could change the bits of a NaN.
    fn index(&self, i: usize) -> usize {
        let Arg { region, start, per_batch } = self.arg;
        match region.space {
            Space::Data => self.machine.data[(region.offset + start + self.batch * per_batch) as usize + i] as usize,
            Space::Arena => (self.at(i) as f32).to_bits() as usize,
        }
    }
}

/// Index along each dimension of the `i`-th element.
fn coordinates(shape: &[u32], mut i: usize) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        at[d] = i % shape[d] as usize;
        i /= shape[d] as usize;
    }
    at
}

fn walk(coordinates: &[usize], strides: &[u32]) -> usize {
    coordinates.iter().zip(strides).map(|(c, s)| c * *s as usize).sum()
}

fn element(expr: &Expr, values: &[f64], i: usize, scalars: &StepScalars) -> Vec<f64> {
    let random = |salt: u32| f64::from(uniform(hash(scalars.seed, Stream::Dropout as u32 | salt << 8, scalars.step, i as u32)));
    expr.eval(values, &|id| f64::from(scalars.get(id)), &random).to_vec()
}

fn map_elements(map: &MapSpec, reads: &[Operand<'_>], scalars: &StepScalars) -> Vec<Vec<f64>> {
    let numel: usize = map.shape.iter().map(|&n| n as usize).product();
    let each = (0..numel).map(|i| {
        let at = coordinates(&map.shape, i);
        let values: Vec<f64> = reads.iter().zip(&map.read_strides).map(|(r, s)| r.at(walk(&at, s))).collect();
        element(&map.expr, &values, i, scalars)
    });
    each.collect()
}

fn transpose(elements: &[Vec<f64>], outputs: usize) -> Vec<Vec<f64>> {
    (0..outputs).map(|o| elements.iter().map(|e| e[o]).collect()).collect()
}

fn map_kernel(map: &MapSpec, reads: &[Operand<'_>], scalars: &StepScalars) -> Vec<Vec<f64>> {
    transpose(&map_elements(map, reads, scalars), map.expr.outputs.len())
}

fn reduce(map: &MapSpec, kind: ReduceKind, reads: &[Operand<'_>], scalars: &StepScalars) -> Vec<f64> {
    let elements = map_elements(map, reads, scalars);
    let [outer, reduced, inner] = [0, 1, 2].map(|d| map.shape[d] as usize);
    let larger = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
    let mut out = Vec::with_capacity(outer * inner);
    for o in 0..outer {
        for i in 0..inner {
            let values = (0..reduced).map(|r| elements[(o * reduced + r) * inner + i][0]);
            out.push(match kind {
                ReduceKind::Sum => values.sum(),
                ReduceKind::Mean => values.sum::<f64>() / reduced as f64,
                ReduceKind::Max => values.fold(f64::NEG_INFINITY, larger),
                ReduceKind::Min => -values.map(|v| -v).fold(f64::NEG_INFINITY, larger),
            });
        }
    }
    out
}

fn matmul(spec: &MatMulSpec, reads: &[Operand<'_>], scalars: &StepScalars) -> Vec<Vec<f64>> {
    let [batch, m, n, k] = [spec.batch, spec.m, spec.n, spec.k].map(|v| v as usize);
    let at = |l: &MatLayout, b: usize, row: usize, col: usize| {
        b * l.batch_stride as usize + row * l.row_stride as usize + col * l.col_stride as usize
    };
    let mut elements = Vec::with_capacity(batch * m * n);
    let mut sums = vec![0.0; m];
    for b in 0..batch {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += (0..k).map(|l| reads[0].at(at(&spec.a, b, i, l))).sum::<f64>();
            for j in 0..n {
                let product = |l| reads[0].at(at(&spec.a, b, i, l)) * reads[1].at(at(&spec.b, b, l, j));
                let mut values = vec![(0..k).map(product).sum()];
                elements.push(match &spec.epilogue {
                    None => values,
                    Some(tail) => {
                        let extra = reads[2..].iter().zip(&tail.read_strides);
                        values.extend(extra.map(|(r, s)| r.at(walk(&[b, i, j], s))));
                        element(&tail.expr, &values, elements.len(), scalars)
                    }
                });
            }
        }
    }
    let outputs = spec.epilogue.as_ref().map_or(1, |e| e.expr.outputs.len());
    let mut results = transpose(&elements, outputs);
    results.extend(spec.row_sum.then_some(sums));
    results
}

fn index_select(spec: &IndexSelectSpec, reads: &[Operand<'_>]) -> Vec<f64> {
    let element = |start: usize, i: usize| match spec.element {
        Element::Word => reads[0].at(start + i),
        Element::Byte { scale, shift } => {
            let byte = reads[0].index(start + i / 4) >> (8 * (i % 4)) & 255;
            f64::from(scale) * byte as f64 + f64::from(shift)
        }
    };
    let entry = |row: usize| {
        let index = reads[1].index(row);
        let fits = index < spec.entries as usize;
        (0..spec.width as usize).map(move |i| if fits { element(index * spec.stride as usize, i) } else { 0.0 })
    };
    (0..spec.rows as usize).flat_map(entry).collect()
}

fn index_add(reads: &[Operand<'_>], rows: usize, width: usize, entries: usize) -> Vec<f64> {
    let mut out = vec![0.0; entries * width];
    for row in 0..rows {
        let entry = reads[1].index(row);
        for c in 0..if entry < entries { width } else { 0 } {
            out[entry * width + c] += reads[0].at(row * width + c);
        }
    }
    out
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + libm::log(row.iter().map(|x| libm::exp(x - largest)).sum())
}

fn rows_kernel(kind: RowsKind, rows: usize, cols: usize, reads: &[Operand<'_>]) -> Vec<Vec<f64>> {
    let row = |operand: usize, r: usize| -> Vec<f64> { (0..cols).map(|c| reads[operand].at(r * cols + c)).collect() };
    let each = |f: &dyn Fn(usize) -> Vec<f64>| vec![(0..rows).flat_map(f).collect()];
    match kind {
        RowsKind::Softmax => each(&|r| {
            let (x, total) = (row(0, r), log_sum_exp(&row(0, r)));
            x.iter().map(|x| libm::exp(x - total)).collect()
        }),
        RowsKind::LogSoftmax => each(&|r| {
            let (x, total) = (row(0, r), log_sum_exp(&row(0, r)));
            x.iter().map(|x| x - total).collect()
        }),
        RowsKind::SoftmaxGrad => each(&|r| {
            let (y, dy) = (row(0, r), row(1, r));
            let dot: f64 = y.iter().zip(&dy).map(|(y, d)| y * d).sum();
            y.iter().zip(&dy).map(|(y, d)| y * (d - dot)).collect()
        }),
        RowsKind::LogSoftmaxGrad => each(&|r| {
            let (y, dy) = (row(0, r), row(1, r));
            let sum: f64 = dy.iter().sum();
            y.iter().zip(&dy).map(|(y, d)| d - libm::exp(*y) * sum).collect()
        }),
        RowsKind::Loss { kind, weighted } => {
            let result = |r: usize| row_loss(kind, &row(0, r), |c| reads[1].at(r * cols + c), || reads[1].index(r));
            let results: Vec<Option<(f64, Vec<f64>)>> = (0..rows).map(result).collect();
            let weight = |r: usize| if results[r].is_none() { 0.0 } else { row_weight(reads, weighted, r) };
            let total: f64 = (0..rows).map(weight).sum();
            let share = |r: usize| if total == 0.0 { 0.0 } else { weight(r) / total };
            let used = |r: usize| results[r].as_ref().filter(|_| share(r) != 0.0);
            let loss = (0..rows).filter_map(|r| used(r).map(|(l, _)| share(r) * l)).sum();
            let gradient = (0..rows).flat_map(|r| match used(r) {
                Some((_, d)) => d.iter().map(|d| share(r) * d).collect(),
                None => vec![0.0; cols],
            });
            vec![vec![loss], gradient.collect()]
        }
        RowsKind::Accuracy { weighted } => {
            let hit = |r: usize| {
                let x = row(0, r);
                if cols == 1 {
                    return Some((x[0] > 0.0) == (reads[1].at(r) > 0.5));
                }
                let best = (1..cols).fold(0, |best, c| if x[c] > x[best] { c } else { best });
                let label = reads[1].index(r);
                (label < cols).then_some(best == label)
            };
            let (mut right, mut total) = (0.0, 0.0);
            for (r, hit) in (0..rows).filter_map(|r| hit(r).map(|h| (r, h))) {
                total += row_weight(reads, weighted, r);
                right += if hit { row_weight(reads, weighted, r) } else { 0.0 };
            }
            vec![vec![if total == 0.0 { 0.0 } else { right / total }]]
        }
    }
}

fn row_weight(reads: &[Operand<'_>], weighted: bool, r: usize) -> f64 {
    if weighted { reads[2].at(r) } else { 1.0 }
}

/// Loss of one row and its gradient; `None` where the label is no class.
fn row_loss(kind: LossKind, x: &[f64], target: impl Fn(usize) -> f64, label: impl Fn() -> usize) -> Option<(f64, Vec<f64>)> {
    let cols = x.len() as f64;
    let elements: Vec<(f64, f64)> = match kind {
        LossKind::CrossEntropy { label_smoothing } => {
            let (label, smooth, total) = (label(), f64::from(label_smoothing), log_sum_exp(x));
            let own = x.get(label)?;
            let loss = (1.0 - smooth) * (total - own) + smooth * (total - x.iter().sum::<f64>() / cols);
            let wanted = |c: usize| smooth / cols + if c == label { 1.0 - smooth } else { 0.0 };
            return Some((loss, x.iter().enumerate().map(|(c, x)| libm::exp(x - total) - wanted(c)).collect()));
        }
        LossKind::Mse => errors(x, target).map(|d| (d * d, 2.0 * d)).collect(),
        LossKind::L1 => errors(x, target).map(|d| (d.abs(), if d == 0.0 { 0.0 } else { d.signum() })).collect(),
        LossKind::Huber(delta) => {
            let delta = f64::from(delta);
            let huber = |d: f64| if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) };
            errors(x, target).map(|d| (huber(d), d.clamp(-delta, delta))).collect()
        }
        LossKind::BceWithLogits => {
            let bce = |x: f64, t: f64| x.max(0.0) - x * t + libm::log1p(libm::exp(-x.abs()));
            let sigmoid = |x: f64| downhill_graph::UnaryOp::Sigmoid.eval(x);
            x.iter().enumerate().map(|(c, &x)| (bce(x, target(c)), sigmoid(x) - target(c))).collect()
        }
    };
    let loss = elements.iter().map(|e| e.0).sum::<f64>() / cols;
    Some((loss, elements.iter().map(|e| e.1 / cols).collect()))
}

fn errors(x: &[f64], target: impl Fn(usize) -> f64) -> impl Iterator<Item = f64> {
    x.iter().enumerate().map(move |(c, x)| x - target(c))
}
