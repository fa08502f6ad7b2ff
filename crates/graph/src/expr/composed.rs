//! The list of functions of one number that other functions express. Such a function is its entry here: its derivative follows from its value,
//! backends run the expression inside of the kernels around it, and random programs and the cases of all backends take it up.

use std::fmt;

use super::entry::{LARGE, Nature, TRANSCENDENTAL, ZEROS};
use super::{Expr, Reg, UnaryOp};

/// Declares [`ComposedOp`] and everything about its functions. Columns are those of the list of `unary.rs`, but that `value` is an expression.
macro_rules! composed {
    ($(
        $(#[$doc:meta])*
        $op:ident {
            name: $name:literal, nature: $nature:ident,
            range: $low:literal to $high:literal, kinks: [$($kink:expr),*], points: [$($points:expr),*], tolerance: $tolerance:expr,
            value: |$e:ident, $x:ident| $value:expr,
        }
    )+) => {
        /// A function of one number that is made of others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ComposedOp {
            $( $(#[$doc])* $op, )+
        }

        impl ComposedOp {
            /// Every function.
            pub const ALL: &'static [ComposedOp] = &[$(ComposedOp::$op),+];

            /// What it is: reads the argument.
            pub fn value(self) -> Expr {
                let mut expr = Expr::default();
                let x = expr.read(0);
                let result: Reg = match self { $( ComposedOp::$op => { let ($e, $x) = (&mut expr, x); $value } )+ };
                expr.outputs.push(result);
                expr
            }

            /// Lower-case name as PyTorch spells it.
            pub fn name(self) -> &'static str {
                match self { $( ComposedOp::$op => $name, )+ }
            }

            /// How smooth it is.
            pub fn nature(self) -> Nature {
                match self { $( ComposedOp::$op => Nature::$nature, )+ }
            }

            /// The arguments that tests try.
            pub fn range(self) -> (f64, f64) {
                match self { $( ComposedOp::$op => ($low, $high), )+ }
            }

            /// Where in its range the first or the second derivative jumps.
            pub fn kinks(self) -> &'static [f64] {
                match self { $( ComposedOp::$op => &[$($kink),*], )+ }
            }

            /// Further arguments that tests try, in groups of like magnitude.
            pub fn points(self) -> &'static [&'static [f64]] {
                match self { $( ComposedOp::$op => &[$($points),*], )+ }
            }

            /// What a backend may differ from the value in f64, relative to the largest result.
            pub fn tolerance(self) -> f64 {
                match self { $( ComposedOp::$op => $tolerance, )+ }
            }
        }
    };
}

composed! {
    /// x / (1 + |x|)
    Softsign {
        name: "softsign", nature: Smooth,
        range: -9.0 to 9.0, kinks: [0.0], points: [ZEROS, LARGE], tolerance: TRANSCENDENTAL,
        value: |e, x| {
            let size = e.unary(UnaryOp::Abs, x);
            let more = e.offset(1.0, size);
            e.div(x, more)
        },
    }
    /// x·min(max(x + 3, 0), 6) / 6
    Hardswish {
        name: "hardswish", nature: Kinked,
        range: -9.0 to 9.0, kinks: [-3.0, 3.0], points: [ZEROS, LARGE], tolerance: TRANSCENDENTAL,
        value: |e, x| {
            let more = e.offset(3.0, x);
            let gate = e.unary(UnaryOp::Hardtanh(0.0, 6.0), more);
            let product = e.mul(x, gate);
            e.scale(1.0 / 6.0, product)
        },
    }
}

impl fmt::Display for ComposedOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
