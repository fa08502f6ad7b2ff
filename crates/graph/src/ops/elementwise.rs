//! Elementwise functions of one, two and three tensors that broadcast to a common shape.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::floats;
use super::{OpCase, OpDef, Vjp};
use crate::expr::{GELU_A, GELU_C};
use crate::interp::{Env, Tensor};
use crate::kernel::Lowered;
use crate::{BinaryOp, Expr, ExprOp, Graph, Node, OpError, UnaryOp, Value};

/// f(x) of every element.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary(pub UnaryOp);

/// f(a, b) of every pair under NumPy's broadcasting.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary(pub BinaryOp);

/// The second input where the first is not 0, else the third, under NumPy's broadcasting.
#[derive(Clone, Debug, PartialEq)]
pub struct Select;

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
        smallvec![cx.grad().and_then(|g| derivative(self.0, cx, g))]
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
        UNARY.iter().flat_map(unary_cases).collect()
    }
}

/// g · f′(x), from the output y where it says enough, so that the input need not be kept for the way back.
fn derivative(op: UnaryOp, cx: &mut Vjp<'_>, g: Value) -> Option<Value> {
    use UnaryOp::*;
    let (x, y) = (cx.input(0), cx.output(0));
    let slope = match op {
        Neg => return Some(cx.unary(Neg, g)),
        Abs => cx.unary(Sign, x),
        Sign => return None,
        Exp => y,
        Log => return Some(cx.div(g, x)),
        Log1p => {
            let d = cx.offset(1.0, x);
            return Some(cx.div(g, d));
        }
        Sqrt => {
            let half = cx.scale(0.5, g);
            return Some(cx.div(half, y));
        }
        Rsqrt => {
            let (square, minus_half) = (cx.unary(Square, y), cx.scale(-0.5, y));
            cx.mul(minus_half, square)
        }
        Recip => {
            let square = cx.unary(Square, y);
            cx.unary(Neg, square)
        }
        Square => cx.scale(2.0, x),
        Sin => cx.unary(Cos, x),
        Cos => {
            let s = cx.unary(Sin, x);
            cx.unary(Neg, s)
        }
        Tanh => one_minus_square(cx, y),
        Sigmoid => {
            let rest = cx.from_constant(1.0, y);
            cx.mul(y, rest)
        }
        // 2/√π · exp(−x²)
        Erf => {
            let e = gaussian(cx, x, 1.0);
            cx.scale(FRAC_2_SQRT_PI as f32, e)
        }
        Relu => {
            let positive = cx.above(0.0, y);
            return Some(cx.masked(positive, g));
        }
        LeakyRelu(s) => {
            let (positive, small) = (cx.above(0.0, if s < 0.0 { x } else { y }), cx.scale(s, g));
            return Some(cx.select(positive, g, small));
        }
        // α·eˣ = y + α on the left branch
        Elu(alpha) => {
            let positive = cx.above(0.0, if alpha < 0.0 { x } else { y });
            let slope = cx.offset(alpha, y);
            let left = cx.mul(g, slope);
            return Some(cx.select(positive, g, left));
        }
        Gelu => gelu_slope(cx, x),
        GeluTanh => gelu_tanh_slope(cx, x),
        // s + y·(1 − s) with s = sigmoid(x)
        Silu => {
            let s = cx.unary(Sigmoid, x);
            let rest = cx.from_constant(1.0, s);
            let bent = cx.mul(y, rest);
            cx.add(s, bent)
        }
        // t + x·sigmoid(x)·(1 − t²) with t = tanh(softplus(x))
        Mish => {
            let soft = cx.unary(Softplus, x);
            let t = cx.unary(Tanh, soft);
            let (silu, rest) = (cx.unary(Silu, x), one_minus_square(cx, t));
            let bent = cx.mul(silu, rest);
            cx.add(t, bent)
        }
        Softplus => cx.unary(Sigmoid, x), // 1 − e⁻ʸ would lose all digits for negative x
        Hardtanh(min, max) => {
            let (over, max) = (cx.above(min, y), cx.constant(max));
            let under = cx.binary(BinaryOp::Lt, y, max);
            let inside = cx.mul(over, under);
            return Some(cx.masked(inside, g));
        }
    };
    Some(cx.mul(g, slope))
}

/// 1 − a²
fn one_minus_square(cx: &mut Vjp<'_>, a: Value) -> Value {
    let square = cx.unary(UnaryOp::Square, a);
    cx.from_constant(1.0, square)
}

/// exp(−c·x²)
fn gaussian(cx: &mut Vjp<'_>, x: Value, c: f32) -> Value {
    let square = cx.unary(UnaryOp::Square, x);
    let exponent = cx.scale(-c, square);
    cx.unary(UnaryOp::Exp, exponent)
}

/// Φ(x) + x·φ(x)
fn gelu_slope(cx: &mut Vjp<'_>, x: Value) -> Value {
    let scaled = cx.scale(FRAC_1_SQRT_2 as f32, x);
    let erf = cx.unary(UnaryOp::Erf, scaled);
    let twice = cx.offset(1.0, erf);
    let cdf = cx.scale(0.5, twice);
    let bell = gaussian(cx, x, 0.5);
    let density = cx.scale((0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) as f32, bell);
    let bent = cx.mul(x, density);
    cx.add(cdf, bent)
}

/// ½(1 + t) + ½·x·(1 − t²)·c·(1 + 3a·x²) with t = tanh(c·(x + a·x³))
fn gelu_tanh_slope(cx: &mut Vjp<'_>, x: Value) -> Value {
    let square = cx.unary(UnaryOp::Square, x);
    let cubic = cx.scale(GELU_A as f32, square);
    let factor = cx.offset(1.0, cubic);
    let poly = cx.mul(x, factor);
    let inner = cx.scale(GELU_C as f32, poly);
    let t = cx.unary(UnaryOp::Tanh, inner);
    let twice = cx.offset(1.0, t);
    let rest = one_minus_square(cx, t);
    let steep = cx.scale(3.0 * GELU_A as f32, square);
    let steep = cx.offset(1.0, steep);
    let steep = cx.scale(GELU_C as f32, steep);
    let bent = cx.mul(x, rest);
    let bent = cx.mul(bent, steep);
    let sum = cx.add(twice, bent);
    cx.scale(0.5, sum)
}

impl OpDef for Binary {
    const NAME: &'static str = "binary";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        common(self.0.name(), &floats::<2>(self.0.name(), inputs)?)
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (a, b) = (cx.input(0), cx.input(1));
        let da = if cx.needs[0] { left_gradient(self.0, cx, g, a, b) } else { None };
        let db = if cx.needs[1] { right_gradient(self.0, cx, g, a, b) } else { None };
        smallvec![da, db]
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

fn left_gradient(op: BinaryOp, cx: &mut Vjp<'_>, g: Value, a: Value, b: Value) -> Option<Value> {
    use BinaryOp::*;
    Some(match op {
        Add | Sub => g,
        Mul => cx.mul(g, b),
        Div => cx.div(g, b),
        // b·aᵇ⁻¹
        Pow => {
            let less = cx.offset(-1.0, b);
            let power = cx.binary(Pow, a, less);
            let slope = cx.mul(b, power);
            cx.mul(g, slope)
        }
        Max => winner(cx, g, b, a),
        Min => winner(cx, g, a, b),
        Lt | Le | Eq => return None,
    })
}

fn right_gradient(op: BinaryOp, cx: &mut Vjp<'_>, g: Value, a: Value, b: Value) -> Option<Value> {
    use BinaryOp::*;
    Some(match op {
        Add => g,
        Sub => cx.unary(UnaryOp::Neg, g),
        Mul => cx.mul(g, a),
        // −y/b
        Div => {
            let y = cx.output(0);
            let slope = cx.div(y, b);
            let product = cx.mul(g, slope);
            cx.unary(UnaryOp::Neg, product)
        }
        // aᵇ·ln a, and 0 where a = 0 as in PyTorch
        Pow => {
            let (y, log) = (cx.output(0), cx.unary(UnaryOp::Log, a));
            let slope = cx.mul(y, log);
            let product = cx.mul(g, slope);
            cx.masked(a, product)
        }
        Max => winner(cx, g, a, b),
        Min => winner(cx, g, b, a),
        Lt | Le | Eq => return None,
    })
}

/// g where `low` < `high`, half of it on a tie, as PyTorch shares it.
fn winner(cx: &mut Vjp<'_>, g: Value, low: Value, high: Value) -> Value {
    let (lt, le) = (cx.binary(BinaryOp::Lt, low, high), cx.binary(BinaryOp::Le, low, high));
    let twice = cx.add(lt, le);
    let share = cx.scale(0.5, twice);
    cx.mul(g, share)
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

/// What a backend's one rounding, or one polynomial of a few units in the last place, may cost.
const ONE_ROUNDING: f64 = 1e-6;
/// Exponentials and what is built from them: arguments are reduced, polynomials are evaluated in f32.
const TRANSCENDENTAL: f64 = 5e-6;

/// Where a function is defined and where it has kinks.
struct Row {
    op: UnaryOp,
    low: f64,
    high: f64,
    kinks: &'static [f64],
    tolerance: f64,
}

const fn row(op: UnaryOp, low: f64, high: f64, kinks: &'static [f64], tolerance: f64) -> Row {
    Row { op, low, high, kinks, tolerance }
}

const UNARY: [Row; 28] = [
    row(UnaryOp::Neg, -9.0, 9.0, &[], ONE_ROUNDING),
    row(UnaryOp::Abs, -9.0, 9.0, &[0.0], ONE_ROUNDING),
    row(UnaryOp::Sign, -9.0, 9.0, &[0.0], ONE_ROUNDING),
    row(UnaryOp::Exp, -20.0, 20.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Log, 0.01, 50.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Log1p, -0.9, 50.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Sqrt, 0.01, 50.0, &[], ONE_ROUNDING),
    row(UnaryOp::Rsqrt, 0.01, 50.0, &[], ONE_ROUNDING),
    row(UnaryOp::Recip, 0.1, 9.0, &[], ONE_ROUNDING),
    row(UnaryOp::Square, -9.0, 9.0, &[], ONE_ROUNDING),
    row(UnaryOp::Sin, -30.0, 30.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Cos, -30.0, 30.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Tanh, -9.0, 9.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Sigmoid, -20.0, 20.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Erf, -4.0, 4.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Relu, -9.0, 9.0, &[0.0], ONE_ROUNDING),
    row(UnaryOp::LeakyRelu(0.01), -9.0, 9.0, &[0.0], ONE_ROUNDING),
    row(UnaryOp::LeakyRelu(-0.5), -9.0, 9.0, &[0.0], ONE_ROUNDING),
    row(UnaryOp::Elu(1.0), -9.0, 9.0, &[0.0], TRANSCENDENTAL),
    row(UnaryOp::Elu(0.5), -9.0, 9.0, &[0.0], TRANSCENDENTAL),
    row(UnaryOp::Elu(-0.5), -9.0, 9.0, &[0.0], TRANSCENDENTAL),
    row(UnaryOp::Gelu, -6.0, 6.0, &[], TRANSCENDENTAL),
    row(UnaryOp::GeluTanh, -6.0, 6.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Silu, -20.0, 20.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Mish, -20.0, 20.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Softplus, -20.0, 20.0, &[], TRANSCENDENTAL),
    row(UnaryOp::Hardtanh(-1.0, 1.0), -3.0, 3.0, &[-1.0, 1.0], ONE_ROUNDING),
    row(UnaryOp::Hardtanh(0.0, 6.0), -9.0, 9.0, &[0.0, 6.0], ONE_ROUNDING),
];

fn unary_cases(row: &Row) -> Vec<OpCase> {
    use UnaryOp::*;
    let Row { op, low, high, kinks, tolerance } = row;
    let spread = |n: usize| (0..n).map(|i| low + (high - low) * (i as f64 + 0.5) / n as f64).collect::<Vec<_>>();
    let case = |what: &str, x: Tensor| OpCase::new(format!("{op} {what}"), Unary(*op), vec![x]).tolerance(*tolerance);
    let mut cases = vec![
        case("of 3×7", values([3, 7], &spread(21))).gradients(&[0]).kinks(kinks),
        case("of one element", values([1], &spread(1))),
        case("of a scalar", values([], &spread(1))),
        // Longer than a tile and no multiple of a vector.
        case("of 517 elements", values([517], &spread(517))),
    ];
    let zeros = values([4], &[0.0, -0.0, 1e-30, -1e-30]);
    let edges = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 100.0, -100.0];
    match op {
        Log | Log1p | Sqrt | Rsqrt | Recip => cases.push(case("at its border", values([3], &[0.0, f64::INFINITY, 1.0]))),
        Sin | Cos => cases.push(case("at zero", zeros)),
        // ∞ · 0 is NaN in the formula and 0 in a clamped kernel, so only large finite values are pinned.
        Gelu | GeluTanh | Silu | Mish => {
            cases.push(case("at zero", zeros));
            cases.push(case("of large values", values([4], &[100.0, -100.0, 40.0, -40.0])));
        }
        _ => {
            cases.push(case("at zero", zeros));
            cases.push(case("of ±∞, NaN and large values", values([5], &edges)));
        }
    }
    cases
}

fn binary_cases() -> Vec<OpCase> {
    use BinaryOp::*;
    let mut cases = Vec::new();
    for op in [Add, Sub, Mul, Div, Pow, Max, Min, Lt, Le, Eq] {
        // x ↦ exp(b·log a) turns the error of the logarithm into b·log a times as many units.
        let tolerance = if op == Pow { 2e-5 } else { ONE_ROUNDING };
        let right = |shape: &[usize], seed| match op {
            Div | Pow => normal(shape, seed).map(|x| x.abs() + 0.5),
            _ => normal(shape, seed),
        };
        let left = |shape: &[usize], seed| if op == Pow { right(shape, seed) } else { normal(shape, seed) };
        let differentiable: &[usize] = if matches!(op, Lt | Le | Eq) { &[] } else { &[0, 1] };
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
            let inputs = vec![left(a, 2 * i as u32), right(b, 2 * i as u32 + 1)];
            let name = format!("{op} {} with {}", Shape::from(a), Shape::from(b));
            cases.push(OpCase::new(name, Binary(op), inputs).tolerance(tolerance).gradients(differentiable));
        }
        if op == Pow {
            // The range for which every backend agrees: negative bases need an integer exponent, which only libm tells apart.
            let inputs = vec![values([4], &[0.0, 1.0, 2.0, 4.0]), values([4], &[2.0, 0.0, -1.0, 0.5])];
            cases.push(OpCase::new("pow of round numbers", Binary(op), inputs).tolerance(tolerance));
        } else {
            let a = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, 1e30, 2.0, -3.0];
            let b = [1.0, 2.0, 1.0, 2.0, 3.0, -1e-5, 2.0, -3.0];
            let inputs = vec![values([8], &a), values([8], &b)];
            cases.push(OpCase::new(format!("{op} on ties, zeros and ±∞"), Binary(op), inputs).tolerance(tolerance));
        }
    }
    cases
}
