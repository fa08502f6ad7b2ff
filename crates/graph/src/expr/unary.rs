//! The list of functions of one number that every backend computes in one instruction. An entry holds all that is known of a function but the
//! backends' code: name, price, value, derivative, and what tests need. A function that other ones express belongs into `composed.rs`.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::fmt;

use smallvec::{SmallVec, smallvec};

use super::entry::{Accuracy, BORDER, EDGES, LARGE, Nature, ONE_ROUNDING, TINY, TRANSCENDENTAL, ZEROS, within};
use super::{BinaryOp, Expr, Reg};

/// The type of a parameter: f32, whatever it is called.
macro_rules! number {
    ($name:ident) => {
        f32
    };
}

/// Declares [`UnaryOp`] and everything about its functions. Per entry:
///
/// - `name`: PyTorch's, lower case; `price`: of one element, an addition being 1;
/// - `nature`: see [`Nature`]; `tries`: the instances that tests run; `range`: the arguments they try, `kinks`: where among them the derivative jumps,
///   `points`: further arguments, in groups of like magnitude;
/// - `tolerance`: what a backend may differ from `value`, relative to the largest result; `accuracy`: what the CPU keeps over wide ranges;
/// - `value`: the function in f64;
/// - `gradient`: from the gradient `g` of the output, the argument `x` and the output `y` the gradient of the argument; `None` where it is zero
///   everywhere. It reads `y` where that says enough, so that `x` need not be kept for the way back.
macro_rules! unary {
    ($(
        $(#[$doc:meta])*
        $op:ident $(($($parameter:ident),+))? {
            name: $name:literal, price: $price:literal, nature: $nature:ident, tries: [$($try:expr),+ $(,)?],
            range: $low:literal to $high:literal, kinks: [$($kink:expr),*], points: [$($points:expr),*],
            tolerance: $tolerance:expr, accuracy: [$($accuracy:expr),+ $(,)?],
            value: |$arg:ident| $value:expr,
            gradient: |$e:ident, $g:ident, $x:ident, $y:ident| $gradient:expr,
        }
    )+) => {
        /// A function of one number.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum UnaryOp {
            $( $(#[$doc])* $op $(($(number!($parameter)),+))?, )+
        }

        #[allow(unused_variables, reason = "not every column of the list needs a function's parameters")]
        impl UnaryOp {
            /// Every function, those with parameters with some of them: what tests try.
            pub fn tries() -> Vec<UnaryOp> {
                use UnaryOp::*;
                vec![$($($try),+),+]
            }

            /// The function in f64.
            pub fn eval(self, x: f64) -> f64 {
                match self { $( UnaryOp::$op $(($($parameter),+))? => { $( $(let $parameter = f64::from($parameter);)+ )? let $arg = x; $value } )+ }
            }

            /// The gradient of the argument, `None` where it is zero: reads the output's gradient, the argument and the output.
            pub fn gradient(self) -> Option<Expr> {
                let mut expr = Expr::default();
                let [g, x, y] = [0, 1, 2].map(|n| expr.read(n));
                let result: Option<Reg> = match self {
                    $( UnaryOp::$op $(($($parameter),+))? => { let ($e, $g, $x, $y) = (&mut expr, g, x, y); $gradient } )+
                };
                expr.outputs.push(result?);
                Some(expr)
            }

            /// Lower-case name as PyTorch spells it.
            pub fn name(self) -> &'static str {
                match self { $( UnaryOp::$op { .. } => $name, )+ }
            }

            /// Rough price of an element, an addition being 1.
            pub fn price(self) -> u64 {
                match self { $( UnaryOp::$op { .. } => $price, )+ }
            }

            /// How smooth it is.
            pub fn nature(self) -> Nature {
                match self { $( UnaryOp::$op { .. } => Nature::$nature, )+ }
            }

            /// The arguments that tests try.
            pub fn range(self) -> (f64, f64) {
                match self { $( UnaryOp::$op { .. } => ($low, $high), )+ }
            }

            /// Where in its range the derivative jumps.
            pub fn kinks(self) -> SmallVec<[f64; 2]> {
                match self { $( UnaryOp::$op $(($($parameter),+))? => { $( $(let $parameter = f64::from($parameter);)+ )? smallvec![$($kink),*] } )+ }
            }

            /// Further arguments that tests try, in groups of like magnitude.
            pub fn points(self) -> &'static [&'static [f64]] {
                match self { $( UnaryOp::$op { .. } => &[$($points),*], )+ }
            }

            /// What a backend may differ from [`UnaryOp::eval`], relative to the largest result.
            pub fn tolerance(self) -> f64 {
                match self { $( UnaryOp::$op { .. } => $tolerance, )+ }
            }

            /// What the CPU's function keeps over wide ranges.
            pub fn accuracy(self) -> &'static [Accuracy] {
                match self { $( UnaryOp::$op { .. } => const { &[$($accuracy),+] }, )+ }
            }

            /// Its parameters.
            pub fn parameters(self) -> SmallVec<[f32; 2]> {
                match self { $( UnaryOp::$op $(($($parameter),+))? => smallvec![$($($parameter),+)?], )+ }
            }
        }
    };
}

unary! {
    /// −x
    Neg {
        name: "neg", price: 1, nature: Smooth, tries: [Neg],
        range: -9.0 to 9.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e30, 1e30, TINY, 0.0)],
        value: |x| -x,
        gradient: |e, g, _x, _y| Some(e.unary(UnaryOp::Neg, g)),
    }
    /// |x|
    Abs {
        name: "abs", price: 1, nature: Kinked, tries: [Abs],
        range: -9.0 to 9.0, kinks: [0.0], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e30, 1e30, TINY, 0.0)],
        value: |x| x.abs(),
        gradient: |e, g, x, _y| {
            let sign = e.unary(UnaryOp::Sign, x);
            Some(e.mul(g, sign))
        },
    }
    /// −1, 0 or 1
    Sign {
        name: "sign", price: 1, nature: Jumps, tries: [Sign],
        range: -9.0 to 9.0, kinks: [0.0], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e30, 1e30, TINY, 0.0)],
        value: |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x },
        gradient: |_e, _g, _x, _y| None,
    }
    /// eˣ
    Exp {
        name: "exp", price: 16, nature: Partial, tries: [Exp],
        range: -20.0 to 20.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: TRANSCENDENTAL, accuracy: [within(-86.0, 88.7, TINY, 4e-7)],
        value: |x| libm::exp(x),
        gradient: |e, g, _x, y| Some(e.mul(g, y)),
    }
    /// Natural logarithm.
    Log {
        name: "log", price: 16, nature: Partial, tries: [Log],
        range: 0.01 to 50.0, kinks: [], points: [BORDER],
        tolerance: TRANSCENDENTAL, accuracy: [within(1e-37, 1e30, 1e-3, 4e-7)],
        value: |x| libm::log(x),
        gradient: |e, g, x, _y| Some(e.div(g, x)),
    }
    /// log(1 + x), accurate near 0.
    Log1p {
        name: "log1p", price: 16, nature: Partial, tries: [Log1p],
        range: -0.9 to 50.0, kinks: [], points: [BORDER],
        tolerance: TRANSCENDENTAL, accuracy: [within(-0.999, 1e6, TINY, 6e-7)],
        value: |x| libm::log1p(x),
        gradient: |e, g, x, _y| {
            let d = e.offset(1.0, x);
            Some(e.div(g, d))
        },
    }
    /// √x
    Sqrt {
        name: "sqrt", price: 4, nature: Partial, tries: [Sqrt],
        range: 0.01 to 50.0, kinks: [], points: [BORDER],
        tolerance: ONE_ROUNDING, accuracy: [within(1e-30, 1e30, TINY, 1e-7)],
        value: |x| x.sqrt(),
        gradient: |e, g, _x, y| {
            let half = e.scale(0.5, g);
            Some(e.div(half, y))
        },
    }
    /// 1/√x
    Rsqrt {
        name: "rsqrt", price: 4, nature: Partial, tries: [Rsqrt],
        range: 0.01 to 50.0, kinks: [], points: [BORDER],
        tolerance: ONE_ROUNDING, accuracy: [within(1e-30, 1e30, TINY, 3e-7)],
        value: |x| 1.0 / x.sqrt(),
        gradient: |e, g, _x, y| {
            let (square, minus_half) = (e.unary(UnaryOp::Square, y), e.scale(-0.5, y));
            let slope = e.mul(minus_half, square);
            Some(e.mul(g, slope))
        },
    }
    /// 1/x
    Recip {
        name: "reciprocal", price: 4, nature: Partial, tries: [Recip],
        range: 0.1 to 9.0, kinks: [], points: [BORDER],
        tolerance: ONE_ROUNDING, accuracy: [within(1e-30, 1e30, TINY, 1e-7)],
        value: |x| 1.0 / x,
        gradient: |e, g, _x, y| {
            let square = e.unary(UnaryOp::Square, y);
            let slope = e.unary(UnaryOp::Neg, square);
            Some(e.mul(g, slope))
        },
    }
    /// x²
    Square {
        name: "square", price: 1, nature: Smooth, tries: [Square],
        range: -9.0 to 9.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e15, 1e15, 1e-30, 1e-7)],
        value: |x| x * x,
        gradient: |e, g, x, _y| {
            let slope = e.scale(2.0, x);
            Some(e.mul(g, slope))
        },
    }
    /// sin x
    Sin {
        name: "sin", price: 16, nature: Smooth, tries: [Sin],
        range: -30.0 to 30.0, kinks: [], points: [ZEROS],
        tolerance: TRANSCENDENTAL, accuracy: [within(-8000.0, 8000.0, 1e-2, 1e-6), within(-1e5, 1e5, 1e-2, 1e-6)],
        value: |x| libm::sin(x),
        gradient: |e, g, x, _y| {
            let slope = e.unary(UnaryOp::Cos, x);
            Some(e.mul(g, slope))
        },
    }
    /// cos x
    Cos {
        name: "cos", price: 16, nature: Smooth, tries: [Cos],
        range: -30.0 to 30.0, kinks: [], points: [ZEROS],
        tolerance: TRANSCENDENTAL, accuracy: [within(-8000.0, 8000.0, 1e-2, 1e-6)],
        value: |x| libm::cos(x),
        gradient: |e, g, x, _y| {
            let sin = e.unary(UnaryOp::Sin, x);
            let slope = e.unary(UnaryOp::Neg, sin);
            Some(e.mul(g, slope))
        },
    }
    /// Hyperbolic tangent.
    Tanh {
        name: "tanh", price: 16, nature: Smooth, tries: [Tanh],
        range: -9.0 to 9.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: TRANSCENDENTAL, accuracy: [within(-30.0, 30.0, TINY, 6e-7)],
        value: |x| libm::tanh(x),
        gradient: |e, g, _x, y| {
            let slope = one_minus_square(e, y);
            Some(e.mul(g, slope))
        },
    }
    /// 1/(1 + e⁻ˣ)
    Sigmoid {
        name: "sigmoid", price: 16, nature: Smooth, tries: [Sigmoid],
        range: -20.0 to 20.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: TRANSCENDENTAL, accuracy: [within(-80.0, 80.0, TINY, 6e-7)],
        value: |x| sigmoid(x),
        gradient: |e, g, _x, y| {
            let rest = e.from_constant(1.0, y);
            let slope = e.mul(y, rest);
            Some(e.mul(g, slope))
        },
    }
    /// Error function. Its slope is 2/√π · exp(−x²).
    Erf {
        name: "erf", price: 16, nature: Smooth, tries: [Erf],
        range: -4.0 to 4.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: TRANSCENDENTAL, accuracy: [within(-6.0, 6.0, TINY, 6e-7)],
        value: |x| libm::erf(x),
        gradient: |e, g, x, _y| {
            let bell = gaussian(e, x, 1.0);
            let slope = e.scale(FRAC_2_SQRT_PI as f32, bell);
            Some(e.mul(g, slope))
        },
    }
    /// max(x, 0)
    Relu {
        name: "relu", price: 1, nature: Kinked, tries: [Relu],
        range: -9.0 to 9.0, kinks: [0.0], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e30, 1e30, TINY, 0.0)],
        value: |x| if x > 0.0 || x.is_nan() { x } else { 0.0 },
        gradient: |e, g, _x, y| {
            let positive = e.above(0.0, y);
            Some(e.masked(positive, g))
        },
    }
    /// x where positive, `slope`·x elsewhere.
    LeakyRelu(slope) {
        name: "leaky_relu", price: 1, nature: Kinked, tries: [LeakyRelu(0.01), LeakyRelu(-0.5)],
        range: -9.0 to 9.0, kinks: [0.0], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e30, 1e30, TINY, 1e-7)],
        value: |x| if x > 0.0 { x } else { slope * x },
        gradient: |e, g, x, y| {
            let (positive, small) = (e.above(0.0, if slope < 0.0 { x } else { y }), e.scale(slope, g));
            Some(e.select(positive, g, small))
        },
    }
    /// x where positive, `alpha`·(eˣ − 1) elsewhere, with the slope y + alpha there.
    Elu(alpha) {
        name: "elu", price: 16, nature: Kinked, tries: [Elu(1.0), Elu(0.5), Elu(-0.5)],
        range: -9.0 to 9.0, kinks: [0.0], points: [ZEROS, EDGES],
        tolerance: TRANSCENDENTAL, accuracy: [within(-80.0, 80.0, TINY, 1e-6)],
        value: |x| if x > 0.0 { x } else { alpha * libm::expm1(x) },
        gradient: |e, g, x, y| {
            let positive = e.above(0.0, if alpha < 0.0 { x } else { y });
            let slope = e.offset(alpha, y);
            let left = e.mul(g, slope);
            Some(e.select(positive, g, left))
        },
    }
    /// x·Φ(x), exact. 1 + erf cancels below about −2, as it does in PyTorch.
    Gelu {
        name: "gelu", price: 16, nature: Smooth, tries: [Gelu],
        range: -6.0 to 6.0, kinks: [], points: [ZEROS, LARGE],
        tolerance: TRANSCENDENTAL, accuracy: [within(-1.0, 80.0, TINY, 2e-6), within(-80.0, 80.0, 1.0, 1e-6)],
        value: |x| 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
        gradient: |e, g, x, _y| {
            let slope = gelu_slope(e, x);
            Some(e.mul(g, slope))
        },
    }
    /// Its tanh approximation (Hendrycks, Gimpel 2016).
    GeluTanh {
        name: "gelu_tanh", price: 16, nature: Smooth, tries: [GeluTanh],
        range: -6.0 to 6.0, kinks: [], points: [ZEROS, LARGE],
        tolerance: TRANSCENDENTAL, accuracy: [within(-1.0, 80.0, TINY, 2e-6), within(-80.0, 80.0, 1e-3, 2e-6)],
        value: |x| 0.5 * x * (1.0 + libm::tanh(GELU_C * (x + GELU_A * x * x * x))),
        gradient: |e, g, x, _y| {
            let slope = gelu_tanh_slope(e, x);
            Some(e.mul(g, slope))
        },
    }
    /// x·sigmoid(x). Its slope is s + y·(1 − s) with s = sigmoid(x).
    Silu {
        name: "silu", price: 16, nature: Smooth, tries: [Silu],
        range: -20.0 to 20.0, kinks: [], points: [ZEROS, LARGE],
        tolerance: TRANSCENDENTAL, accuracy: [within(-80.0, 80.0, TINY, 1e-6)],
        value: |x| x * sigmoid(x),
        gradient: |e, g, x, y| {
            let s = e.unary(UnaryOp::Sigmoid, x);
            let rest = e.from_constant(1.0, s);
            let bent = e.mul(y, rest);
            let slope = e.add(s, bent);
            Some(e.mul(g, slope))
        },
    }
    /// x·tanh(softplus(x)). Its slope is t + x·sigmoid(x)·(1 − t²) with t = tanh(softplus(x)).
    Mish {
        name: "mish", price: 16, nature: Smooth, tries: [Mish],
        range: -20.0 to 20.0, kinks: [], points: [ZEROS, LARGE],
        tolerance: TRANSCENDENTAL, accuracy: [within(-80.0, 80.0, TINY, 1e-6)],
        value: |x| x * libm::tanh(softplus(x)),
        gradient: |e, g, x, _y| {
            let soft = e.unary(UnaryOp::Softplus, x);
            let t = e.unary(UnaryOp::Tanh, soft);
            let (silu, rest) = (e.unary(UnaryOp::Silu, x), one_minus_square(e, t));
            let bent = e.mul(silu, rest);
            let slope = e.add(t, bent);
            Some(e.mul(g, slope))
        },
    }
    /// log(1 + eˣ). Its slope is sigmoid(x); 1 − e⁻ʸ would lose all digits for negative x.
    Softplus {
        name: "softplus", price: 16, nature: Smooth, tries: [Softplus],
        range: -20.0 to 20.0, kinks: [], points: [ZEROS, EDGES],
        tolerance: TRANSCENDENTAL, accuracy: [within(-80.0, 80.0, TINY, 8e-7)],
        value: |x| softplus(x),
        gradient: |e, g, x, _y| {
            let slope = e.unary(UnaryOp::Sigmoid, x);
            Some(e.mul(g, slope))
        },
    }
    /// x limited to `[min, max]`.
    Hardtanh(min, max) {
        name: "hardtanh", price: 1, nature: Kinked, tries: [Hardtanh(-1.0, 1.0), Hardtanh(0.0, 6.0)],
        range: -9.0 to 9.0, kinks: [min, max], points: [ZEROS, EDGES],
        tolerance: ONE_ROUNDING, accuracy: [within(-1e30, 1e30, TINY, 0.0)],
        value: |x| if x.is_nan() { x } else { x.max(min).min(max) },
        gradient: |e, g, _x, y| {
            let (over, most) = (e.above(min, y), e.constant(max));
            let under = e.binary(BinaryOp::Lt, y, most);
            let inside = e.mul(over, under);
            Some(e.masked(inside, g))
        },
    }
}

/// √(2/π) of the tanh approximation of GELU.
const GELU_C: f64 = 0.797_884_560_802_865_4;
/// Its cubic coefficient.
const GELU_A: f64 = 0.044_715;

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + libm::exp(-x)) } else { libm::exp(x) / (1.0 + libm::exp(x)) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// 1 − a²
fn one_minus_square(e: &mut Expr, a: Reg) -> Reg {
    let square = e.unary(UnaryOp::Square, a);
    e.from_constant(1.0, square)
}

/// exp(−c·x²)
fn gaussian(e: &mut Expr, x: Reg, c: f32) -> Reg {
    let square = e.unary(UnaryOp::Square, x);
    let exponent = e.scale(-c, square);
    e.unary(UnaryOp::Exp, exponent)
}

/// Φ(x) + x·φ(x)
fn gelu_slope(e: &mut Expr, x: Reg) -> Reg {
    let scaled = e.scale(FRAC_1_SQRT_2 as f32, x);
    let erf = e.unary(UnaryOp::Erf, scaled);
    let twice = e.offset(1.0, erf);
    let cdf = e.scale(0.5, twice);
    let bell = gaussian(e, x, 0.5);
    let density = e.scale((0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) as f32, bell);
    let bent = e.mul(x, density);
    e.add(cdf, bent)
}

/// ½(1 + t) + ½·x·(1 − t²)·c·(1 + 3a·x²) with t = tanh(c·(x + a·x³))
fn gelu_tanh_slope(e: &mut Expr, x: Reg) -> Reg {
    let square = e.unary(UnaryOp::Square, x);
    let cubic = e.scale(GELU_A as f32, square);
    let factor = e.offset(1.0, cubic);
    let poly = e.mul(x, factor);
    let inner = e.scale(GELU_C as f32, poly);
    let t = e.unary(UnaryOp::Tanh, inner);
    let twice = e.offset(1.0, t);
    let rest = one_minus_square(e, t);
    let steep = e.scale(3.0 * GELU_A as f32, square);
    let steep = e.offset(1.0, steep);
    let steep = e.scale(GELU_C as f32, steep);
    let bent = e.mul(x, rest);
    let bent = e.mul(bent, steep);
    let sum = e.add(twice, bent);
    e.scale(0.5, sum)
}

impl fmt::Display for UnaryOp {
    /// `tanh`, `hardtanh<-1, 1>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (i, parameter) in self.parameters().iter().enumerate() {
            write!(f, "{}{parameter}", if i == 0 { "<" } else { ", " })?;
        }
        f.write_str(if self.parameters().is_empty() { "" } else { ">" })
    }
}
