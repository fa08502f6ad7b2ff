//! Fused expressions as WGSL.

use downhill_graph::{BinaryOp, Expr, ExprOp, ScalarId, UnaryOp};
use downhill_tensor::rng::Stream;

use crate::shader::Params;

/// Larger numbers are read as infinity by some compilers, because the shortest decimal of the largest float rounds up.
const LARGEST_LITERAL: f32 = 3.4e38;

/// A float as a literal, or as a bit pattern that no compiler can look into: WGSL has no literal for infinity and NaN.
fn literal(c: f32, params: &mut Params) -> String {
    if c == 0.0 || (c.is_normal() && c.abs() < LARGEST_LITERAL) {
        return format!("{c:?}f");
    }
    format!("bitcast<f32>({:#x}u ^ {})", c.to_bits(), params.zero())
}

/// A step scalar as WGSL.
pub(crate) fn scalar(id: ScalarId) -> String {
    let (vector, part) = (id.0 / 4, ["x", "y", "z", "w"][usize::from(id.0 % 4)]);
    if vector < 7 { format!("step.values[{vector}].{part}") } else { "0.0".to_string() }
}

/// The lines that compute an expression.
pub(crate) struct Body {
    /// One `let` per instruction, each line indented by four.
    pub lines: String,
    /// The variable that holds each output.
    pub outputs: Vec<String>,
}

/// Writes an expression as WGSL over `T`. `read` names the value of a read, `scalar` that of a step scalar, and `index` (of type `U`) the
/// element's number.
pub(crate) fn body(
    expr: &Expr,
    params: &mut Params,
    index: &str,
    read: &dyn Fn(u8) -> String,
    scalar: &dyn Fn(ScalarId) -> String,
) -> Body {
    let mut lines = String::new();
    for (i, op) in expr.ops.iter().enumerate() {
        let value = match *op {
            ExprOp::Read(n) => read(n),
            ExprOp::Scalar(id) => format!("T({})", scalar(id)),
            ExprOp::Const(c) => format!("T({})", literal(c, params)),
            ExprOp::Random { salt } => format!("random({index}, {}u)", Stream::Dropout as u32 | salt << 8),
            ExprOp::Unary(op, a) => unary(op, &format!("v{a}"), params),
            ExprOp::Binary(op, a, b) => binary(op, &format!("v{a}"), &format!("v{b}")),
            ExprOp::Select(c, a, b) => format!("select(v{b}, v{a}, v{c} != T(0.0))"),
        };
        lines.push_str(&format!("    let v{i} = {value};\n"));
    }
    Body { lines, outputs: expr.outputs.iter().map(|r| format!("v{r}")).collect() }
}

fn unary(op: UnaryOp, a: &str, params: &mut Params) -> String {
    use UnaryOp::*;
    let name = match op {
        Neg => return format!("-{a}"),
        Square => return format!("{a} * {a}"),
        Recip => return format!("T(1.0) / {a}"),
        LeakyRelu(slope) => return format!("select(T({}) * {a}, {a}, {a} > T(0.0))", literal(slope, params)),
        Elu(alpha) => return format!("select(T({}) * expm1f({a}), {a}, {a} > T(0.0))", literal(alpha, params)),
        Silu => return format!("{a} * sigmoidf({a})"),
        Hardtanh(min, max) => return format!("hardtanhf({a}, {}, {})", literal(min, params), literal(max, params)),
        Abs => "abs",
        Sqrt => "sqrt",
        Rsqrt => "inverseSqrt",
        // The others are in `math.wgsl`, under their name and an f; a test finds one that is missing.
        _ => return format!("{}f({a})", op.name()),
    };
    format!("{name}({a})")
}

fn binary(op: BinaryOp, a: &str, b: &str) -> String {
    use BinaryOp::*;
    let truth = |sign: &str| format!("select(T(0.0), T(1.0), {a} {sign} {b})");
    match op {
        Add => format!("{a} + {b}"),
        Sub => format!("{a} - {b}"),
        Mul => format!("{a} * {b}"),
        Div => format!("{a} / {b}"),
        Pow => format!("powf({a}, {b})"),
        Max => format!("maxf({a}, {b})"),
        Min => format!("minf({a}, {b})"),
        Lt => truth("<"),
        Le => truth("<="),
        Eq => truth("=="),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_literal_are_bits() {
        let mut params = Params::default();
        assert_eq!(literal(-0.5, &mut params), "-0.5f");
        assert_eq!(literal(1e-8, &mut params), "1e-8f");
        assert_eq!(literal(f32::NEG_INFINITY, &mut params), "bitcast<f32>(0xff800000u ^ p.zero)");
        assert_eq!(literal(f32::MAX, &mut params), "bitcast<f32>(0x7f7fffffu ^ p.zero)");
        assert_eq!(literal(f32::from_bits(7), &mut params), "bitcast<f32>(0x7u ^ p.zero)");
    }

    #[test]
    fn a_scalar_out_of_range_is_zero() {
        assert_eq!(scalar(ScalarId(5)), "step.values[1].y");
        assert_eq!(scalar(ScalarId(200)), "0.0");
    }
}
