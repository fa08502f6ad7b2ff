//! Fused expressions as WGSL.

use downhill_graph::{BinaryOp, Expr, ExprOp, ScalarId, UnaryOp};
use downhill_tensor::rng::Stream;

use crate::shader::Params;

/// A number as a literal, or as a bit pattern that no compiler can look into: WGSL has no literal for infinity and NaN.
fn literal(c: f32, params: &mut Params) -> String {
    if c.is_finite() && (c == 0.0 || c.is_normal()) {
        return format!("T({c:?}f)");
    }
    format!("T(bitcast<f32>({:#x}u ^ {}))", c.to_bits(), params.zero())
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
            ExprOp::Const(c) => literal(c, params),
            ExprOp::Random { salt } => format!("random({index}, {}u)", Stream::Dropout as u32 | salt << 8),
            ExprOp::Unary(op, a) => unary(op, &format!("v{a}")),
            ExprOp::Binary(op, a, b) => binary(op, &format!("v{a}"), &format!("v{b}")),
            ExprOp::Select(c, a, b) => format!("select(v{b}, v{a}, v{c} != T(0.0))"),
        };
        lines.push_str(&format!("    let v{i} = {value};\n"));
    }
    Body { lines, outputs: expr.outputs.iter().map(|r| format!("v{r}")).collect() }
}

fn unary(op: UnaryOp, a: &str) -> String {
    use UnaryOp::*;
    let name = match op {
        Neg => return format!("-{a}"),
        Square => return format!("{a} * {a}"),
        Recip => return format!("T(1.0) / {a}"),
        LeakyRelu(slope) => return format!("select(T({slope:?}f) * {a}, {a}, {a} > T(0.0))"),
        Elu(alpha) => return format!("select(T({alpha:?}f) * expm1f({a}), {a}, {a} > T(0.0))"),
        Silu => return format!("{a} * sigmoidf({a})"),
        Hardtanh(min, max) => return format!("hardtanhf({a}, {min:?}f, {max:?}f)"),
        Abs => "abs",
        Sign => "signf",
        Exp => "expf",
        Log => "logf",
        Log1p => "log1pf",
        Sqrt => "sqrt",
        Rsqrt => "inverseSqrt",
        Sin => "sinf",
        Cos => "cosf",
        Tanh => "tanhf",
        Sigmoid => "sigmoidf",
        Erf => "erff",
        Relu => "reluf",
        Gelu => "geluf",
        GeluTanh => "gelu_tanhf",
        Mish => "mishf",
        Softplus => "softplusf",
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
