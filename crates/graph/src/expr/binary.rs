//! The list of functions of two numbers that every backend computes in one instruction: name, price, value, derivatives, and what tests need.

use std::fmt;

use super::entry::{Nature, ONE_ROUNDING};
use super::{Expr, Reg, UnaryOp};

/// Pairs of arguments that tests try besides random ones: all first ones, then all second ones.
type Pairs = (&'static [f64], &'static [f64]);

/// Declares [`BinaryOp`] and everything about its functions. Columns are those of the list of functions of one number but:
///
/// - `positive`: which of the two arguments tests take positive, and away from 0;
/// - `gradient`: from the gradient `g` of the output, the arguments `a` and `b` and the output `y` the gradients of `a` and of `b`; no closures
///   where both are zero everywhere.
macro_rules! binary {
    ($(
        $(#[$doc:meta])*
        $op:ident {
            name: $name:literal, price: $price:literal, nature: $nature:ident, positive: $positive:expr, points: $points:expr,
            tolerance: $tolerance:expr,
            value: |$va:ident, $vb:ident| $value:expr,
            gradient: $(|$e:ident, $g:ident, $a:ident, $b:ident, $y:ident| $left:expr, $right:expr)?,
        }
    )+) => {
        /// A function of two numbers. Comparisons give 0 or 1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum BinaryOp {
            $( $(#[$doc])* $op, )+
        }

        impl BinaryOp {
            /// Every function.
            pub const ALL: &'static [BinaryOp] = &[$(BinaryOp::$op),+];

            /// The function in f64.
            pub fn eval(self, a: f64, b: f64) -> f64 {
                match self { $( BinaryOp::$op => { let ($va, $vb) = (a, b); $value } )+ }
            }

            /// The gradient of the first argument, `None` where it is zero: reads the output's gradient, both arguments and the output.
            pub fn left_gradient(self) -> Option<Expr> {
                match self {
                    $( BinaryOp::$op => None$(.or_else(|| with_reads(|$e, [$g, $a, $b, $y]| { let _ = (&$e, $g, $a, $b, $y); $left })))?, )+
                }
            }

            /// The gradient of the second argument, as [`BinaryOp::left_gradient`].
            pub fn right_gradient(self) -> Option<Expr> {
                match self {
                    $( BinaryOp::$op => None$(.or_else(|| with_reads(|$e, [$g, $a, $b, $y]| { let _ = (&$e, $g, $a, $b, $y); $right })))?, )+
                }
            }

            /// Lower-case name.
            pub fn name(self) -> &'static str {
                match self { $( BinaryOp::$op => $name, )+ }
            }

            /// Rough price of an element, an addition being 1.
            pub fn price(self) -> u64 {
                match self { $( BinaryOp::$op => $price, )+ }
            }

            /// How smooth it is.
            pub fn nature(self) -> Nature {
                match self { $( BinaryOp::$op => Nature::$nature, )+ }
            }

            /// Which arguments tests take positive, and away from 0.
            pub fn positive(self) -> [bool; 2] {
                match self { $( BinaryOp::$op => $positive, )+ }
            }

            /// Further pairs of arguments that tests try.
            pub fn points(self) -> Pairs {
                match self { $( BinaryOp::$op => $points, )+ }
            }

            /// What a backend may differ from [`BinaryOp::eval`], relative to the largest result.
            pub fn tolerance(self) -> f64 {
                match self { $( BinaryOp::$op => $tolerance, )+ }
            }
        }
    };
}

/// An expression over the reads `g`, `a`, `b`, `y`.
fn with_reads(build: impl FnOnce(&mut Expr, [Reg; 4]) -> Reg) -> Option<Expr> {
    let mut expr = Expr::default();
    let reads = [0, 1, 2, 3].map(|n| expr.read(n));
    let result = build(&mut expr, reads);
    expr.outputs.push(result);
    Some(expr)
}

/// Ties, zeros and infinities.
const EDGES: Pairs =
    (&[0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, 1e30, 2.0, -3.0], &[1.0, 2.0, 1.0, 2.0, 3.0, -1e-5, 2.0, -3.0]);

binary! {
    /// a + b
    Add {
        name: "add", price: 1, nature: Smooth, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| a + b,
        gradient: |e, g, a, b, y| g, g,
    }
    /// a − b
    Sub {
        name: "sub", price: 1, nature: Smooth, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| a - b,
        gradient: |e, g, a, b, y| g, e.unary(UnaryOp::Neg, g),
    }
    /// a · b
    Mul {
        name: "mul", price: 1, nature: Smooth, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| a * b,
        gradient: |e, g, a, b, y| e.mul(g, b), e.mul(g, a),
    }
    /// a / b, with the gradient −y/b of b.
    Div {
        name: "div", price: 4, nature: Partial, positive: [false, true], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| a / b,
        gradient: |e, g, a, b, y| e.div(g, b), {
            let slope = e.div(y, b);
            let product = e.mul(g, slope);
            e.unary(UnaryOp::Neg, product)
        },
    }
    /// aᵇ, with the gradients b·aᵇ⁻¹ of a and aᵇ·ln a of b, which is 0 where a = 0 as in PyTorch.
    Pow {
        name: "pow", price: 30, nature: Partial, positive: [true, true],
        // The range for which every backend agrees: negative bases need an integer exponent, which only libm tells apart.
        points: (&[0.0, 1.0, 2.0, 4.0], &[2.0, 0.0, -1.0, 0.5]),
        // x ↦ exp(b·log a) turns the error of the logarithm into b·log a times as many units.
        tolerance: 2e-5,
        value: |a, b| libm::pow(a, b),
        gradient: |e, g, a, b, y| {
            let less = e.offset(-1.0, b);
            let power = e.binary(BinaryOp::Pow, a, less);
            let slope = e.mul(b, power);
            e.mul(g, slope)
        }, {
            let log = e.unary(UnaryOp::Log, a);
            let slope = e.mul(y, log);
            let product = e.mul(g, slope);
            e.masked(a, product)
        },
    }
    /// The larger one.
    Max {
        name: "max", price: 1, nature: Kinked, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| if a.is_nan() || a > b { a } else { b },
        gradient: |e, g, a, b, y| winner(e, g, b, a), winner(e, g, a, b),
    }
    /// The smaller one.
    Min {
        name: "min", price: 1, nature: Kinked, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| if a.is_nan() || a < b { a } else { b },
        gradient: |e, g, a, b, y| winner(e, g, a, b), winner(e, g, b, a),
    }
    /// a < b
    Lt {
        name: "lt", price: 1, nature: Jumps, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| truth(a < b),
        gradient: ,
    }
    /// a ≤ b
    Le {
        name: "le", price: 1, nature: Jumps, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| truth(a <= b),
        gradient: ,
    }
    /// a = b
    Eq {
        name: "eq", price: 1, nature: Jumps, positive: [false, false], points: EDGES, tolerance: ONE_ROUNDING,
        value: |a, b| truth(a == b),
        gradient: ,
    }
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// g where `low` < `high`, half of it on a tie, as PyTorch shares it.
fn winner(e: &mut Expr, g: Reg, low: Reg, high: Reg) -> Reg {
    let (lt, le) = (e.binary(BinaryOp::Lt, low, high), e.binary(BinaryOp::Le, low, high));
    let twice = e.add(lt, le);
    let share = e.scale(0.5, twice);
    e.mul(g, share)
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
