//! Elementwise functions of one, two and three tensors that broadcast to a common shape. What is known of a function is its entry in one of
//! the lists of `expr`; here it becomes an op, and its entry becomes cases.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::floats;
use super::{Op, OpCase, OpDef, Vjp};
use crate::kernel::Lowered;
use crate::tensors::{Env, Tensor};
use crate::{BinaryOp, ComposedOp, Expr, ExprOp, Graph, Node, OpError, UnaryOp, Value, expr};

/// f(x) of every element.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary(pub UnaryOp);

/// f(x) of every element, of a function that is made of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Composed(pub ComposedOp);

/// f(a, b) of every pair under NumPy's broadcasting.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary(pub BinaryOp);

/// The second input where the first is not 0, else the third, under NumPy's broadcasting.
#[derive(Clone, Debug, PartialEq)]
pub struct Select;

impl From<UnaryOp> for Op {
    fn from(op: UnaryOp) -> Op {
        Unary(op).into()
    }
}

impl From<ComposedOp> for Op {
    fn from(op: ComposedOp) -> Op {
        Composed(op).into()
    }
}

/// The common shape of inputs that broadcast.
fn common(op: &'static str, shapes: &[&Shape]) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
    let mut shape = Shape::scalar();
    for s in shapes {
        shape = shape.broadcast(s).map_err(|e| OpError::new(op, e.to_string()))?;
    }
    Ok(smallvec![TensorTy::f32(shape)])
}

impl OpDef for Unary {
    const NAME: &'static str = "unary";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(self.0.name(), inputs)?;
        Ok(smallvec![TensorTy::f32(x.clone())])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (x, y, g) = (cx.input(0), cx.output(0), cx.grad());
        smallvec![g.and_then(|g| Some(cx.expression(&self.0.gradient()?, &[g, x, y])))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        vec![Tensor::new(&outputs[0], inputs[0].data.iter().map(|&x| self.0.eval(x)).collect())]
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        let mut e = Expr::default();
        let x = e.read(0);
        let y = e.unary(self.0, x);
        e.outputs.push(y);
        Lowered::Elementwise(e)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }

    fn cases() -> Vec<OpCase> {
        let all = UnaryOp::tries().into_iter();
        all.flat_map(|op| function_cases(op, op.range(), &op.kinks(), op.points(), op.tolerance())).collect()
    }
}

impl OpDef for Composed {
    const NAME: &'static str = "composed";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(self.0.name(), inputs)?;
        Ok(smallvec![TensorTy::f32(x.clone())])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (x, g) = (cx.input(0), cx.grad());
        smallvec![g.and_then(|g| Some(cx.expression(&expr::gradient(&self.0.value())?, &[g, x])))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let value = self.0.value();
        let each = inputs[0].data.iter().map(|&x| value.eval(&[x], &|_| 0.0, &|_| 0.0)[0]);
        vec![Tensor::new(&outputs[0], each.collect())]
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        Lowered::Elementwise(self.0.value())
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }

    fn cases() -> Vec<OpCase> {
        let all = ComposedOp::ALL.iter();
        all.flat_map(|&op| function_cases(op, op.range(), op.kinks(), op.points(), op.tolerance())).collect()
    }
}

impl OpDef for Binary {
    const NAME: &'static str = "binary";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        common(self.0.name(), &floats::<2>(self.0.name(), inputs)?)
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let reads = [g, cx.input(0), cx.input(1), cx.output(0)];
        let rules = [cx.needs[0].then(|| self.0.left_gradient()), cx.needs[1].then(|| self.0.right_gradient())];
        rules.into_iter().map(|rule| rule.flatten().map(|rule| cx.expression(&rule, &reads))).collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (a, b) = (inputs[0].broadcast(&outputs[0].shape), inputs[1].broadcast(&outputs[0].shape));
        vec![Tensor::new(&outputs[0], a.iter().zip(&b).map(|(&a, &b)| self.0.eval(a, b)).collect())]
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        let mut e = Expr::default();
        let (a, b) = (e.read(0), e.read(1));
        let y = e.binary(self.0, a, b);
        e.outputs.push(y);
        Lowered::Elementwise(e)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }

    fn cases() -> Vec<OpCase> {
        binary_cases()
    }
}

impl OpDef for Select {
    const NAME: &'static str = "where";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        common(Self::NAME, &floats::<3>(Self::NAME, inputs)?)
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None, None] };
        let condition = cx.input(0);
        let zero = cx.constant(0.0);
        smallvec![None, Some(cx.select(condition, g, zero)), Some(cx.select(condition, zero, g))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let [c, a, b] = [0, 1, 2].map(|i| inputs[i].broadcast(&outputs[0].shape));
        let data = (0..c.len()).map(|i| if c[i] != 0.0 { a[i] } else { b[i] }).collect();
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        let mut e = Expr::default();
        let (c, a, b) = (e.read(0), e.read(1), e.read(2));
        let y = e.push(ExprOp::Select(c, a, b));
        e.outputs.push(y);
        Lowered::Elementwise(e)
    }

    fn cases() -> Vec<OpCase> {
        let condition = values([2, 3], &[0.0, 1.0, -2.0, 0.0, 0.5, 0.0]);
        vec![
            OpCase::new("where 2×3", Select, vec![condition.clone(), normal([2, 3], 1), normal([2, 3], 2)]).gradients(&[1, 2]),
            OpCase::new("where with broadcast branches", Select, vec![condition.clone(), normal([3], 1), normal([], 2)])
                .gradients(&[1, 2]),
            OpCase::new(
                "where leaves the branch not taken out",
                Select,
                vec![condition, values([], &[f64::NAN]), normal([2, 1], 3)],
            ),
        ]
    }
}

/// Cases of a function of one number, as its entry says.
fn function_cases(
    op: impl Into<Op> + Copy,
    (low, high): (f64, f64),
    kinks: &[f64],
    points: &[&[f64]],
    tolerance: f64,
) -> Vec<OpCase> {
    let op: Op = op.into();
    let spread = |n: usize| (0..n).map(|i| low + (high - low) * (i as f64 + 0.5) / n as f64).collect::<Vec<_>>();
    let case = |what: &str, x: Tensor| OpCase::new(format!("{op} {what}"), op.clone(), vec![x]).tolerance(tolerance);
    let mut cases = vec![
        case("of 3×7", values([3, 7], &spread(21))).gradients(&[0]).kinks(kinks),
        case("of one element", values([1], &spread(1))),
        case("of a scalar", values([], &spread(1))),
        // Longer than a tile and no multiple of a vector.
        case("of 517 elements", values([517], &spread(517))),
    ];
    cases.extend(points.iter().map(|group| case(&format!("of {group:?}"), values([group.len()], group))));
    cases
}

fn binary_cases() -> Vec<OpCase> {
    let mut cases = Vec::new();
    for &op in BinaryOp::ALL {
        let argument = |side: usize, shape: &[usize], seed| {
            let numbers = normal(shape, seed);
            if op.positive()[side] { numbers.map(|x| x.abs() + 0.5) } else { numbers }
        };
        let differentiable: &[usize] = if op.left_gradient().is_some() { &[0, 1] } else { &[] };
        let shapes: [(&[usize], &[usize]); 8] = [
            (&[], &[]),
            (&[1], &[5]),
            (&[3, 5], &[3, 5]),
            (&[3, 5], &[5]),
            (&[3, 1], &[5]),
            (&[1, 5], &[4, 1]),
            (&[], &[2, 3]),
            (&[2, 1, 3], &[4, 1]),
        ];
        for (i, (a, b)) in shapes.into_iter().enumerate() {
            let inputs = vec![argument(0, a, 2 * i as u32), argument(1, b, 2 * i as u32 + 1)];
            let name = format!("{op} {} with {}", Shape::from(a), Shape::from(b));
            cases.push(OpCase::new(name, Binary(op), inputs).tolerance(op.tolerance()).gradients(differentiable));
        }
        let (a, b) = op.points();
        let inputs = vec![values([a.len()], a), values([b.len()], b)];
        cases.push(OpCase::new(format!("{op} of {a:?} with {b:?}"), Binary(op), inputs).tolerance(op.tolerance()));
    }
    cases
}
