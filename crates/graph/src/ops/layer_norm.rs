//! Layer norm and RMS norm of the last dimension.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::float;
use super::rows::{launch_rows, rows};
use super::target::leading;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Kernel, KernelDef, LayerNormSpec, Lowered, Numbers};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, StepScalars, Value};

/// `(x − mean) / √(variance + eps) · weight + bias` along the last dimension; see [`LayerNormSpec`]. Inputs: x `[…, cols]`, then weight and bias
/// `[cols]` where there are such. Outputs: y, the means `[…]` where `centered`, and 1 / √(variance + eps) `[…]`, which count as constants.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Whether the mean is taken off; without, it is RMS norm.
    pub centered: bool,
    /// Whether a factor per column follows.
    pub weight: bool,
    /// Whether a constant per column follows.
    pub bias: bool,
    /// Added to the variance.
    pub eps: f32,
}

/// Gradients of [`LayerNorm`]. Inputs: dy, x, then weight, means and 1 / √(variance + eps) where there are such; outputs: those of x, weight
/// and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormGrad(pub LayerNorm);

impl Numbers for Tensor {
    fn at(&self, i: usize) -> f64 {
        self.data[i]
    }

    fn word(&self, i: usize) -> u32 {
        self.data[i] as u32
    }
}

impl LayerNorm {
    fn spec(&self, backward: bool, (rows, cols): (usize, usize)) -> LayerNormSpec {
        let Self { centered, weight, bias, eps } = *self;
        LayerNormSpec { backward, centered, weight, bias, added: false, eps, rows: rows as u32, cols: cols as u32 }
    }

    fn eval(&self, backward: bool, inputs: &[&Tensor], outputs: &[TensorTy]) -> Vec<Tensor> {
        let spec = self.spec(backward, rows(&inputs[0].ty.shape).expect("checked by the shape rule"));
        let reads: Vec<&dyn Numbers> = inputs.iter().map(|t| *t as &dyn Numbers).collect();
        let results = spec.eval(&reads, &StepScalars::default()).expect("norms are evaluated");
        outputs.iter().zip(results).map(|(ty, data)| Tensor::new(ty, data)).collect()
    }

    fn lower(&self, backward: bool, node: &Node, graph: &Graph) -> Lowered {
        launch_rows(node, graph, |rows, cols| Kernel::LayerNorm(self.spec(backward, (rows as usize, cols as usize))))
    }
}

/// Checks inputs against the shapes that they must have, the first of which has rows.
fn check(op: &'static str, inputs: &[&TensorTy], want: &[Shape]) -> Result<(), OpError> {
    if inputs.len() != want.len() {
        return Err(OpError::new(op, format!("takes {} input(s), gets {}", want.len(), inputs.len())));
    }
    for (ty, want) in inputs.iter().zip(want) {
        if float(op, ty)? != want {
            return Err(OpError::new(op, format!("{ty} should be {want}")));
        }
    }
    if rows(&want[0]).is_none() { Err(OpError::new(op, format!("{} has no rows", want[0]))) } else { Ok(()) }
}

impl OpDef for LayerNorm {
    const NAME: &'static str = "layer_norm";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let x = inputs.first().map(|ty| ty.shape.clone()).unwrap_or_default();
        let columns = Shape::from([x.last().copied().unwrap_or_default()]);
        let optional = [self.weight, self.bias].into_iter().filter(|is| *is).map(|_| columns.clone());
        check(Self::NAME, inputs, &std::iter::once(x.clone()).chain(optional).collect::<Vec<_>>())?;
        let per_row = TensorTy::f32(leading(&x));
        let mean = self.centered.then(|| per_row.clone());
        Ok(std::iter::once(TensorTy::f32(x)).chain(mean).chain([per_row]).collect())
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let inputs = cx.graph.node(cx.node).inputs.len();
        let Some(dy) = cx.grad() else { return smallvec![None; inputs] };
        let mut reads: SmallVec<[Value; 5]> = smallvec![dy, cx.input(0)];
        reads.extend(self.weight.then(|| cx.input(1)));
        reads.extend((1..=1 + u8::from(self.centered)).map(|i| cx.output(i)));
        let dx = cx.apply(LayerNormGrad(self.clone()), &reads);
        (0..inputs).map(|i| Some(Value { slot: i as u8, ..dx })).collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        self.eval(false, inputs, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        self.lower(false, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let shapes: [&[usize]; 7] = [&[1, 1], &[4, 3], &[6], &[2, 3, 7], &[3, 301], &[150, 20], &[7, 24]];
        let mut cases = Vec::new();
        for (centered, weight, bias) in [(true, true, true), (true, true, false), (true, false, false), (false, true, false)] {
            let norm = Self { centered, weight, bias, eps: 0.1 };
            for shape in shapes {
                cases.push(norm.case(&format!("of {}", Shape::from(shape)), normal(shape, 11)));
            }
        }
        let small = Self { centered: true, weight: true, bias: true, eps: 1e-5 };
        // What is left of 1000 + x in f32 is x to four digits, too few for finite differences.
        cases.push(small.case("far from zero", normal([4, 50], 12).map(|x| 1000.0 + x)).tolerance(1e-3).gradients(&[]));
        cases.push(small.case("of equal numbers", normal([3, 5], 12).map(|_| 2.5)));
        cases
    }
}

impl LayerNorm {
    fn case(&self, what: &str, x: Tensor) -> OpCase {
        let cols = *x.ty.shape.last().expect("a case has rows");
        let optional =
            [(self.weight, 13), (self.bias, 14)].into_iter().filter(|(is, _)| *is).map(|(_, seed)| normal([cols], seed));
        let inputs: Vec<Tensor> = std::iter::once(x).chain(optional).collect();
        let gradients: Vec<usize> = (0..inputs.len()).collect();
        let name = format!(
            "{}{}{} {what}",
            self.spec(false, (1, 1)).name(),
            if self.weight { " with weight" } else { "" },
            if self.bias { " and bias" } else { "" }
        );
        let constants: &[u8] = if self.centered { &[1, 2] } else { &[1] };
        // Sums over a row, and for gradients over all rows, in f32.
        OpCase::new(name, self.clone(), inputs).tolerance(1e-5).constants(constants).gradients(&gradients)
    }
}

impl OpDef for LayerNormGrad {
    const NAME: &'static str = "layer_norm_grad";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let x = inputs.first().map(|ty| ty.shape.clone()).unwrap_or_default();
        let (columns, per_row) = (Shape::from([x.last().copied().unwrap_or_default()]), leading(&x));
        let weight = self.0.weight.then(|| columns.clone());
        let bias = self.0.bias.then(|| columns.clone());
        let mean = self.0.centered.then(|| per_row.clone());
        let want: Vec<Shape> = [x.clone(), x.clone()].into_iter().chain(weight.clone()).chain(mean).chain([per_row]).collect();
        check(Self::NAME, inputs, &want)?;
        Ok(std::iter::once(x).chain(weight).chain(bias).map(TensorTy::f32).collect())
    }

    /// Second derivatives are not offered: gradients count as constants.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        self.0.eval(true, inputs, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        self.0.lower(true, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let norm = LayerNorm { centered: true, weight: true, bias: true, eps: 0.1 };
        let inputs =
            vec![normal([5, 6], 15), normal([5, 6], 16), normal([6], 17), normal([5], 18), normal([5], 19).map(f64::abs)];
        vec![OpCase::new("layer_norm_grad of 5×6", Self(norm), inputs).tolerance(1e-5)]
    }
}
