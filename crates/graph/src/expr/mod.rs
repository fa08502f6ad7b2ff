//! Scalar expressions: what a fused elementwise kernel computes per element, and what an update rule does to one weight. The functions they
//! are made of are the entries of three lists, one file each.

mod binary;
mod composed;
mod entry;
mod gradient;
mod unary;

use std::fmt;

use smallvec::SmallVec;

pub use binary::BinaryOp;
pub use composed::ComposedOp;
pub use entry::{Accuracy, Nature};
pub use gradient::gradient;
pub use unary::UnaryOp;

use crate::ScalarId;

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

    /// a + b
    pub fn add(&mut self, a: Reg, b: Reg) -> Reg {
        self.binary(BinaryOp::Add, a, b)
    }

    /// a · b
    pub fn mul(&mut self, a: Reg, b: Reg) -> Reg {
        self.binary(BinaryOp::Mul, a, b)
    }

    /// a / b
    pub fn div(&mut self, a: Reg, b: Reg) -> Reg {
        self.binary(BinaryOp::Div, a, b)
    }

    /// c · a; nothing new where c is 1.
    pub fn scale(&mut self, c: f32, a: Reg) -> Reg {
        if c == 1.0 {
            return a;
        }
        let c = self.constant(c);
        self.mul(c, a)
    }

    /// c + a
    pub fn offset(&mut self, c: f32, a: Reg) -> Reg {
        let c = self.constant(c);
        self.add(c, a)
    }

    /// c − a
    pub fn from_constant(&mut self, c: f32, a: Reg) -> Reg {
        let c = self.constant(c);
        self.binary(BinaryOp::Sub, c, a)
    }

    /// 1 where c < a, else 0.
    pub fn above(&mut self, c: f32, a: Reg) -> Reg {
        let c = self.constant(c);
        self.binary(BinaryOp::Lt, c, a)
    }

    /// b where a ≠ 0, else c.
    pub fn select(&mut self, a: Reg, b: Reg, c: Reg) -> Reg {
        self.push(ExprOp::Select(a, b, c))
    }

    /// b where a ≠ 0, else 0: unlike a product with the mask it keeps infinities of `b` out.
    pub fn masked(&mut self, a: Reg, b: Reg) -> Reg {
        let zero = self.constant(0.0);
        self.select(a, b, zero)
    }

    /// Appends the instructions of another expression, whose read `n` is the register `reads[n]`; gives the register of each of its instructions.
    pub fn inline(&mut self, other: &Expr, reads: &[Reg]) -> Vec<Reg> {
        let mut regs: Vec<Reg> = Vec::with_capacity(other.ops.len());
        for op in &other.ops {
            let r = |i: Reg| regs[usize::from(i)];
            let reg = match *op {
                ExprOp::Read(n) => reads[usize::from(n)],
                ExprOp::Unary(f, a) => self.unary(f, r(a)),
                ExprOp::Binary(f, a, b) => self.binary(f, r(a), r(b)),
                ExprOp::Select(c, a, b) => self.select(r(c), r(a), r(b)),
                leaf => self.push(leaf),
            };
            regs.push(reg);
        }
        regs
    }

    /// The first output of another expression over these registers; see [`Expr::inline`].
    pub fn result(&mut self, other: &Expr, reads: &[Reg]) -> Reg {
        let regs = self.inline(other, reads);
        regs[usize::from(other.outputs[0])]
    }

    /// Number of distinct reads (the highest `Read` plus one).
    pub fn reads(&self) -> usize {
        self.ops.iter().map(|op| if let ExprOp::Read(n) = op { usize::from(*n) + 1 } else { 0 }).max().unwrap_or(0)
    }

    /// Instructions that compute something.
    pub fn operations(&self) -> u64 {
        self.ops.iter().filter(|op| !matches!(op, ExprOp::Read(_) | ExprOp::Const(_) | ExprOp::Scalar(_))).count() as u64
    }

    /// Checks that instructions use results of earlier ones, outputs exist, and no more than `reads` operands are read.
    ///
    /// # Errors
    /// What it names and does not have.
    pub fn check(&self, reads: usize) -> Result<(), String> {
        let before = |i: usize, r: Reg| usize::from(r) < i;
        let fits = self.ops.iter().enumerate().all(|(i, op)| match *op {
            ExprOp::Unary(_, a) => before(i, a),
            ExprOp::Binary(_, a, b) => before(i, a) && before(i, b),
            ExprOp::Select(c, a, b) => before(i, c) && before(i, a) && before(i, b),
            ExprOp::Read(_) | ExprOp::Scalar(_) | ExprOp::Const(_) | ExprOp::Random { .. } => true,
        });
        if fits && self.reads() <= reads && self.outputs.iter().all(|&r| before(self.ops.len(), r)) {
            Ok(())
        } else {
            Err("an expression names what it does not have".into())
        }
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
