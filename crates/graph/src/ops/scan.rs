//! Recurrent layers of one direction: all time steps in one op, and the way back in another.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::float;
use super::{MatMul, OpCase, OpDef, Reduce, Reshape, Vjp};
use crate::kernel::{Kernel, KernelDef, Launch, Lowered, Operand, Pass, Recurrence, RecurrentCell, ReduceKind, ScanSpec};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// A recurrent cell over all time steps. Inputs: the input projections `[batch, steps, parts·hidden]`, the recurrent weights `[parts·hidden,
/// hidden]` and biases `[parts·hidden]`, then as the recurrence says the lengths as floats (`batch` elements) and the initial states `[batch,
/// hidden]`. Outputs: the hidden states `[batch, steps, hidden]`, the last of each sequence `[batch, hidden]` and, of cells with gates, `[batch,
/// steps, n, hidden]` with the gates and what else the way back needs, which counts as constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// What is computed at every step.
    pub recurrence: Recurrence,
}

/// The way back through a [`Scan`]; see [`Pass::Backward`] for what it reads and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanGrad {
    /// What was computed at every step.
    pub recurrence: Recurrence,
    /// Whether the gradient of the hidden states is given.
    pub by_steps: bool,
    /// Whether the gradient of the last hidden states is given.
    pub by_last: bool,
}

/// The shapes of the operands as the kernel has them, `[batch, steps, parts, hidden]` without what one does not have.
fn shapes(spec: &ScanSpec) -> (Vec<Shape>, Vec<Shape>) {
    let [batch, steps, hidden] = [spec.batch, spec.steps, spec.hidden].map(|n| n as usize);
    let (parts, kept) = (spec.recurrence.cell.parts(), spec.recurrence.cell.kept());
    let shape = |name: &str| -> Shape {
        match name {
            "x" | "dx" | "dq" => [batch, steps, parts * hidden].into(),
            "w" => [parts * hidden, hidden].into(),
            "b" => [parts * hidden].into(),
            "kept" => [batch, steps, kept, hidden].into(),
            "h" | "dh" | "before" => [batch, steps, hidden].into(),
            "lengths" => [batch].into(),
            _ => [batch, hidden].into(),
        }
    };
    let operands = spec.operands();
    let all = |list: &[crate::kernel::Access]| list.iter().map(|access| shape(access.name.0)).collect();
    (all(&operands.reads), all(&operands.writes))
}

/// The types of the outputs where the inputs are as the kernel has them; lengths may have any shape.
fn infer(op: &'static str, spec: &ScanSpec, inputs: &[&TensorTy]) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
    let (reads, writes) = shapes(spec);
    if reads.len() != inputs.len() {
        return Err(OpError::new(op, format!("takes {} inputs, gets {}", reads.len(), inputs.len())));
    }
    for (want, ty) in reads.iter().zip(inputs) {
        let got = float(op, ty)?;
        let fits = if want.rank() == 1 { want.numel() == got.numel() } else { want == got };
        if !fits {
            return Err(OpError::new(op, format!("{got} should be {want}")));
        }
    }
    Ok(writes.into_iter().map(TensorTy::f32).collect())
}

fn eval(spec: &ScanSpec, inputs: &[&Tensor], outputs: &[TensorTy]) -> Vec<Tensor> {
    let reads: Vec<Vec<f64>> = inputs.iter().map(|t| t.data.clone()).collect();
    spec.evaluate(&reads).into_iter().zip(outputs).map(|(data, ty)| Tensor::new(ty, data)).collect()
}

fn lower(spec: ScanSpec, node: &Node) -> Lowered {
    Lowered::Kernels(smallvec![Launch {
        kernel: Kernel::Scan(spec),
        reads: (0..node.inputs.len()).map(Operand::Input).collect(),
        writes: (0..node.outputs.len()).map(Operand::Output).collect(),
    }])
}

impl Scan {
    /// The kernel for input projections and weights of these shapes.
    fn spec(&self, x: &Shape, w: &Shape) -> Result<ScanSpec, OpError> {
        let (&[batch, steps, width], &[rows, hidden]) = (&x[..], &w[..]) else {
            return Err(OpError::new(
                Self::NAME,
                format!("{x} should be [batch, steps, parts·hidden], {w} [parts·hidden, hidden]"),
            ));
        };
        if rows != width || width != self.recurrence.cell.parts() * hidden {
            let name = self.recurrence.cell.name();
            return Err(OpError::new(Self::NAME, format!("{x} and {w} are not those of a {name}")));
        }
        let [batch, steps, hidden] = [batch, steps, hidden].map(|n| n as u32);
        Ok(ScanSpec { recurrence: self.recurrence, pass: Pass::Forward, batch, steps, hidden })
    }

    fn spec_of(&self, node: &[Value], graph: &Graph) -> ScanSpec {
        self.spec(graph.shape(node[0]), graph.shape(node[1])).expect("checked by the shape rule")
    }
}

impl ScanGrad {
    /// The kernel for weights and hidden states of these shapes.
    fn spec(&self, w: &Shape, h: &Shape) -> Result<ScanSpec, OpError> {
        let (&[_, hidden], &[batch, steps, _]) = (&w[..], &h[..]) else {
            return Err(OpError::new(Self::NAME, format!("{w} should be [parts·hidden, hidden], {h} [batch, steps, hidden]")));
        };
        let pass = Pass::Backward { by_steps: self.by_steps, by_last: self.by_last };
        let [batch, steps, hidden] = [batch, steps, hidden].map(|n| n as u32);
        Ok(ScanSpec { recurrence: self.recurrence, pass, batch, steps, hidden })
    }
}

impl OpDef for Scan {
    const NAME: &'static str = "scan";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x, w, ..] = inputs else { return Err(OpError::new(Self::NAME, "takes input projections, weights and biases")) };
        infer(Self::NAME, &self.spec(float(Self::NAME, x)?, float(Self::NAME, w)?)?, inputs)
    }

    /// The weight gradient is one product over all steps of all sequences, of what the way back writes.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Recurrence { cell, lengths, initial, .. } = self.recurrence;
        let inputs: SmallVec<[Value; 6]> = cx.graph.node(cx.node).inputs.iter().copied().collect();
        let (dh, dlast) = (cx.grads[0], cx.grads[1]);
        if dh.is_none() && dlast.is_none() {
            return inputs.iter().map(|_| None).collect();
        }
        let spec = self.spec_of(&inputs, cx.graph);
        let kept = (cell.kept() > 0).then(|| cx.output(2));
        let reads = [inputs[1], cx.output(0)].into_iter().chain(kept).chain(dh).chain(dlast);
        let reads: SmallVec<[Value; 8]> = reads.chain(inputs[3..].iter().copied()).collect();
        let op = ScanGrad { recurrence: self.recurrence, by_steps: dh.is_some(), by_last: dlast.is_some() };
        let dx = cx.apply(op, &reads);
        let output = |slot: u8| Value { node: dx.node, slot };
        let own = u8::from(cell == RecurrentCell::Gru);
        let (rows, hidden) = ((spec.batch * spec.steps) as usize, spec.hidden as usize);
        let flat = |cx: &mut Vjp<'_>, v, width| cx.apply(Reshape { shape: [rows, width].into() }, &[v]);
        let dq = flat(cx, output(own), cell.parts() * hidden);
        let before = flat(cx, output(1 + own), hidden);
        let dw = cx.needs[1].then(|| cx.apply(MatMul { transpose_a: true, transpose_b: false }, &[dq, before]));
        let sum = Reduce { kind: ReduceKind::Sum, axes: smallvec![0], keep_dims: false };
        let db = cx.needs[2].then(|| cx.apply(sum, &[dq]));
        let starts = (0..if initial { cell.states() as u8 } else { 0 }).map(|n| Some(output(2 + own + n)));
        [Some(dx), dw, db].into_iter().chain(lengths.then_some(None)).chain(starts).collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let spec = self.spec(&inputs[0].ty.shape, &inputs[1].ty.shape).expect("checked by the shape rule");
        eval(&spec, inputs, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower(self.spec_of(&node.inputs, graph), node)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scan<{}>", self.recurrence)
    }

    fn cases() -> Vec<OpCase> {
        RecurrentCell::ALL.into_iter().flat_map(cases).collect()
    }
}

impl OpDef for ScanGrad {
    const NAME: &'static str = "scan_grad";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [w, h, ..] = inputs else { return Err(OpError::new(Self::NAME, "takes weights and hidden states")) };
        infer(Self::NAME, &self.spec(float(Self::NAME, w)?, float(Self::NAME, h)?)?, inputs)
    }

    /// Second derivatives are not offered.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        cx.graph.node(cx.node).inputs.iter().map(|_| None).collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let spec = self.spec(&inputs[0].ty.shape, &inputs[1].ty.shape).expect("checked by the shape rule");
        eval(&spec, inputs, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let shape = |i: usize| graph.shape(node.inputs[i]);
        lower(self.spec(shape(0), shape(1)).expect("checked by the shape rule"), node)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scan_grad<{}>", self.recurrence)
    }

    /// The gradients of the cases of [`Scan`] run it with everything it can be given; here it stands alone.
    fn cases() -> Vec<OpCase> {
        let of = |cell: RecurrentCell| {
            let recurrence = Recurrence { cell, reverse: false, lengths: false, initial: false };
            let (h, kept) = (normal([2, 3, 5], 2).map(|x| 0.5 * x), normal([2, 3, cell.kept(), 5], 3).map(|x| 0.5 * x));
            let inputs = [Some(normal([cell.parts() * 5, 5], 1)), Some(h), (cell.kept() > 0).then_some(kept)];
            let inputs = inputs.into_iter().flatten().chain([normal([2, 3, 5], 4)]).collect();
            OpCase::new(format!("scan_grad {}", cell.name()), ScanGrad { recurrence, by_steps: true, by_last: false }, inputs)
                .tolerance(TOLERANCE)
        };
        RecurrentCell::ALL.into_iter().map(of).collect()
    }
}

/// Sums over the state, and functions of them, step after step in f32.
const TOLERANCE: f64 = 1e-5;

/// Weights as PyTorch draws them: states stay where a cell is sensitive.
fn case(recurrence: Recurrence, what: &str, [batch, steps, hidden]: [usize; 3], lengths: Option<&[f64]>) -> OpCase {
    let parts = recurrence.cell.parts();
    let small = |shape: &[usize], seed| normal(shape, seed).map(|x| x / (hidden as f64).sqrt());
    let states = if recurrence.initial { recurrence.cell.states() } else { 0 };
    let lengths = lengths.map(|l| values([batch], l));
    let inputs = [normal([batch, steps, parts * hidden], 1), small(&[parts * hidden, hidden], 2), small(&[parts * hidden], 3)];
    let starts = (0..states).map(|n| normal([batch, hidden], 4 + n as u32));
    let gradients: Vec<usize> =
        (0..3 + usize::from(recurrence.lengths) + states).filter(|&i| i != 3 || !recurrence.lengths).collect();
    let name = format!("scan {recurrence} {batch}×{steps}×{hidden} {what}");
    let case = OpCase::new(name, Scan { recurrence }, inputs.into_iter().chain(lengths).chain(starts).collect());
    case.tolerance(TOLERANCE).gradient_tolerance(5.0 * TOLERANCE).gradients(&gradients).constants(&[2])
}

fn cases(cell: RecurrentCell) -> Vec<OpCase> {
    let plain = Recurrence { cell, reverse: false, lengths: false, initial: false };
    let (reverse, initial) = (Recurrence { reverse: true, ..plain }, Recurrence { initial: true, ..plain });
    let all = Recurrence { cell, reverse: true, lengths: true, initial: true };
    let ragged = Recurrence { reverse: false, initial: false, ..all };
    let mut cases = vec![
        case(plain, "of one", [1, 1, 1], None),
        case(plain, "of one step", [5, 1, 3], None),
        case(plain, "", [2, 4, 3], None),
        case(reverse, "", [3, 3, 5], None),
        case(initial, "", [2, 3, 4], None),
        case(ragged, "", [4, 3, 3], Some(&[3.0, 1.0, 0.0, 2.0])),
        case(ragged, "of full length", [2, 3, 2], Some(&[3.0, 3.0])),
        case(all, "", [4, 4, 3], Some(&[2.0, 4.0, 0.0, 1.0])),
        case(Recurrence { reverse: false, ..all }, "", [3, 3, 2], Some(&[1.0, 3.0, 0.0])),
        // More rows than a tile, units that do not fill the last one.
        case(all, "", [9, 3, 21], Some(&[2.0, 3.0, 0.0, 1.0, 3.0, 3.0, 1.0, 2.0, 3.0])),
        // Many steps; wide states, which on some backends lie elsewhere.
        case(plain, "", [2, 2, 64], None),
        case(plain, "", [1, 2, 256], None),
        case(initial, "", [2, 2, 300], None),
        case(all, "", [2, 512, 3], Some(&[512.0, 300.0])),
    ];
    if cell == RecurrentCell::Lstm {
        cases.push(case(plain, "", [1, 2, 530], None));
    }
    cases
}
