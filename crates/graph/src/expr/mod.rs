//! Scalar expressions: what a fused elementwise kernel computes per element, and what an update rule does to one weight.

use std::fmt;

use smallvec::SmallVec;

use crate::ScalarId;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnaryOp {
    /// −x
    Neg,
    /// |x|
    Abs,
    /// −1, 0 or 1
    Sign,
    /// eˣ
    Exp,
    /// Natural logarithm.
    Log,
    /// log(1 + x), accurate near 0.
    Log1p,
    /// √x
    Sqrt,
    /// 1/√x
    Rsqrt,
    /// 1/x
    Recip,
    /// x²
    Square,
    /// sin x
    Sin,
    /// cos x
    Cos,
    /// Hyperbolic tangent.
    Tanh,
    /// 1/(1 + e⁻ˣ)
    Sigmoid,
    /// Error function.
    Erf,
    /// max(x, 0)
    Relu,
    /// x where positive, `slope`·x elsewhere.
    LeakyRelu(f32),
    /// x where positive, `alpha`·(eˣ − 1) elsewhere.
    Elu(f32),
    /// x·Φ(x), exact.
    Gelu,
    /// Its tanh approximation.
    GeluTanh,
    /// x·sigmoid(x)
    Silu,
    /// x·tanh(softplus(x))
    Mish,
    /// log(1 + eˣ)
    Softplus,
    /// x limited to `[min, max]`.
    Hardtanh(f32, f32),
}

/// A function of two numbers. Comparisons give 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a · b
    Mul,
    /// a / b
    Div,
    /// aᵇ
    Pow,
    /// The larger one.
    Max,
    /// The smaller one.
    Min,
    /// a < b
    Lt,
    /// a ≤ b
    Le,
    /// a = b
    Eq,
}

/// Index into [`Expr::ops`]: the result of that instruction.
pub type Reg = u16;

/// One instruction of an [`Expr`]; operands are results of earlier instructions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExprOp {
    /// The element of the kernel's `n`-th read.
    Read(u8),
    /// A step scalar.
    Scalar(ScalarId),
    /// A constant.
    Const(f32),
    /// Uniform in [0, 1): `hash(seed, Stream::Dropout | salt << 8, step, linear index in the iteration space)`.
    Random {
        /// Tells apart the random tensors of one graph.
        salt: u32,
    },
    /// f(a)
    Unary(UnaryOp, Reg),
    /// f(a, b)
    Binary(BinaryOp, Reg, Reg),
    /// b where a ≠ 0, else c.
    Select(Reg, Reg, Reg),
}

/// A straight-line program over scalars in single-assignment form.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Expr {
    /// Instructions; instruction `i` defines register `i`.
    pub ops: Vec<ExprOp>,
    /// Registers written to the kernel's outputs, in order.
    pub outputs: SmallVec<[Reg; 2]>,
}

impl Expr {
    /// Appends an instruction, reusing an equal earlier one.
    pub fn push(&mut self, op: ExprOp) -> Reg {
        if let Some(i) = self.ops.iter().position(|o| *o == op) {
            return i as Reg;
        }
        self.ops.push(op);
        (self.ops.len() - 1) as Reg
    }

    /// `read n`.
    pub fn read(&mut self, n: u8) -> Reg {
        self.push(ExprOp::Read(n))
    }

    /// A constant.
    pub fn constant(&mut self, c: f32) -> Reg {
        self.push(ExprOp::Const(c))
    }

    /// A step scalar.
    pub fn scalar(&mut self, id: ScalarId) -> Reg {
        self.push(ExprOp::Scalar(id))
    }

    /// f(a).
    pub fn unary(&mut self, op: UnaryOp, a: Reg) -> Reg {
        self.push(ExprOp::Unary(op, a))
    }

    /// f(a, b).
    pub fn binary(&mut self, op: BinaryOp, a: Reg, b: Reg) -> Reg {
        self.push(ExprOp::Binary(op, a, b))
    }

    /// Number of distinct reads (the highest `Read` plus one).
    pub fn reads(&self) -> usize {
        self.ops.iter().map(|op| if let ExprOp::Read(n) = op { usize::from(*n) + 1 } else { 0 }).max().unwrap_or(0)
    }

    /// Evaluates the outputs in f64. `random(salt)` gives the element's uniform number, `scalar(id)` the step scalar.
    pub fn eval(&self, reads: &[f64], scalar: &dyn Fn(ScalarId) -> f64, random: &dyn Fn(u32) -> f64) -> SmallVec<[f64; 2]> {
        let mut regs: Vec<f64> = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            let r = |i: &Reg| regs[usize::from(*i)];
            regs.push(match op {
                ExprOp::Read(n) => reads[usize::from(*n)],
                ExprOp::Scalar(id) => scalar(*id),
                ExprOp::Const(c) => f64::from(*c),
                ExprOp::Random { salt } => random(*salt),
                ExprOp::Unary(op, a) => op.eval(r(a)),
                ExprOp::Binary(op, a, b) => op.eval(r(a), r(b)),
                ExprOp::Select(c, a, b) => {
                    if r(c) != 0.0 {
                        r(a)
                    } else {
                        r(b)
                    }
                }
            });
        }
        self.outputs.iter().map(|r| regs[usize::from(*r)]).collect()
    }
}

impl UnaryOp {
    /// The function in f64.
    pub fn eval(self, x: f64) -> f64 {
        use UnaryOp::*;
        match self {
            Neg => -x,
            Abs => x.abs(),
            Sign => {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    x
                }
            }
            Exp => libm::exp(x),
            Log => libm::log(x),
            Log1p => libm::log1p(x),
            Sqrt => x.sqrt(),
            Rsqrt => 1.0 / x.sqrt(),
            Recip => 1.0 / x,
            Square => x * x,
            Sin => libm::sin(x),
            Cos => libm::cos(x),
            Tanh => libm::tanh(x),
            Sigmoid => sigmoid(x),
            Erf => libm::erf(x),
            Relu => {
                if x > 0.0 || x.is_nan() {
                    x
                } else {
                    0.0
                }
            }
            LeakyRelu(slope) => {
                if x > 0.0 {
                    x
                } else {
                    f64::from(slope) * x
                }
            }
            Elu(alpha) => {
                if x > 0.0 {
                    x
                } else {
                    f64::from(alpha) * libm::expm1(x)
                }
            }
            Gelu => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            GeluTanh => 0.5 * x * (1.0 + libm::tanh(GELU_C * (x + GELU_A * x * x * x))),
            Silu => x * sigmoid(x),
            Mish => x * libm::tanh(softplus(x)),
            Softplus => softplus(x),
            Hardtanh(min, max) => {
                if x.is_nan() {
                    x
                } else {
                    x.max(f64::from(min)).min(f64::from(max))
                }
            }
        }
    }

    /// Lower-case name as PyTorch spells it.
    pub fn name(self) -> &'static str {
        use UnaryOp::*;
        match self {
            Neg => "neg",
            Abs => "abs",
            Sign => "sign",
            Exp => "exp",
            Log => "log",
            Log1p => "log1p",
            Sqrt => "sqrt",
            Rsqrt => "rsqrt",
            Recip => "reciprocal",
            Square => "square",
            Sin => "sin",
            Cos => "cos",
            Tanh => "tanh",
            Sigmoid => "sigmoid",
            Erf => "erf",
            Relu => "relu",
            LeakyRelu(_) => "leaky_relu",
            Elu(_) => "elu",
            Gelu => "gelu",
            GeluTanh => "gelu_tanh",
            Silu => "silu",
            Mish => "mish",
            Softplus => "softplus",
            Hardtanh(..) => "hardtanh",
        }
    }
}

/// √(2/π) of the tanh approximation of GELU (Hendrycks, Gimpel 2016).
pub const GELU_C: f64 = 0.797_884_560_802_865_4;
/// Its cubic coefficient.
pub const GELU_A: f64 = 0.044_715;

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + libm::exp(-x)) } else { libm::exp(x) / (1.0 + libm::exp(x)) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

impl BinaryOp {
    /// The function in f64.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        use BinaryOp::*;
        let truth = |t: bool| if t { 1.0 } else { 0.0 };
        match self {
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Pow => libm::pow(a, b),
            Max => {
                if a.is_nan() || a > b {
                    a
                } else {
                    b
                }
            }
            Min => {
                if a.is_nan() || a < b {
                    a
                } else {
                    b
                }
            }
            Lt => truth(a < b),
            Le => truth(a <= b),
            Eq => truth(a == b),
        }
    }

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        use BinaryOp::*;
        match self {
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Pow => "pow",
            Max => "max",
            Min => "min",
            Lt => "lt",
            Le => "le",
            Eq => "eq",
        }
    }
}

impl fmt::Display for UnaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnaryOp::LeakyRelu(s) => write!(f, "leaky_relu<{s}>"),
            UnaryOp::Elu(a) => write!(f, "elu<{a}>"),
            UnaryOp::Hardtanh(a, b) => write!(f, "hardtanh<{a}, {b}>"),
            other => f.write_str(other.name()),
        }
    }
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Expr {
    /// As nested calls, one per output: `tanh(add(r0, r1))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text: Vec<String> = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            let r = |i: &Reg| text.get(usize::from(*i)).map_or("?", String::as_str);
            text.push(match op {
                ExprOp::Read(n) => format!("r{n}"),
                ExprOp::Scalar(id) => id.to_string(),
                ExprOp::Const(c) => c.to_string(),
                ExprOp::Random { salt } => format!("random<{salt}>"),
                ExprOp::Unary(op, a) => format!("{op}({})", r(a)),
                ExprOp::Binary(op, a, b) => format!("{op}({}, {})", r(a), r(b)),
                ExprOp::Select(c, a, b) => format!("select({}, {}, {})", r(c), r(a), r(b)),
            });
        }
        for (i, out) in self.outputs.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            f.write_str(text.get(usize::from(*out)).map_or("?", String::as_str))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_instructions_are_shared_and_the_printed_form_nests() {
        let mut e = Expr::default();
        let (a, b) = (e.read(0), e.read(1));
        let s = e.binary(BinaryOp::Add, a, b);
        assert_eq!(s, e.binary(BinaryOp::Add, a, b));
        let t = e.unary(UnaryOp::Tanh, s);
        e.outputs.push(t);
        assert_eq!(e.to_string(), "tanh(add(r0, r1))");
        assert_eq!(e.reads(), 2);
        assert_eq!(e.eval(&[0.5, 0.25], &|_| 0.0, &|_| 0.0).as_slice(), &[0.75f64.tanh()]);
    }
}
