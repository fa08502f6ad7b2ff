//! An expression as a list of values, before they have places: leaves, operations, products joined with sums.

use downhill_graph::{BinaryOp, Expr, ExprOp, ScalarId, UnaryOp};
use downhill_tensor::rng::Stream;
use smallvec::SmallVec;

use crate::simd::tile::TileOp;

/// Where a value lies while code runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    /// A constant, repeated.
    Const(f32),
    /// A step scalar, repeated.
    Scalar(ScalarId),
    /// A read of the kernel.
    Read(u8),
    /// An output of the kernel.
    Out(u8),
    /// A tile of the machine, for intermediates.
    Tile(u8),
}

/// What an instruction of an expression computes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Value {
    Leaf(Source),
    Op(TileOp, [usize; 3], usize),
}

impl Value {
    /// The values it is made of.
    pub fn args(&self) -> SmallVec<[usize; 3]> {
        match self {
            Value::Leaf(_) => SmallVec::new(),
            Value::Op(_, args, n) => SmallVec::from_slice(&args[..*n]),
        }
    }
}

/// Values and which of them are outputs.
pub(super) fn read(expr: &Expr) -> (Vec<Value>, SmallVec<[usize; 4]>) {
    (expr.ops.iter().map(value).collect(), expr.outputs.iter().map(|&r| usize::from(r)).collect())
}

fn value(op: &ExprOp) -> Value {
    let (unary, binary) = (
        |op, a: &u16| Value::Op(op, [usize::from(*a), 0, 0], 1),
        |op, a: &u16, b: &u16| Value::Op(op, [usize::from(*a), usize::from(*b), 0], 2),
    );
    match op {
        ExprOp::Read(n) => Value::Leaf(Source::Read(*n)),
        ExprOp::Scalar(id) => Value::Leaf(Source::Scalar(*id)),
        ExprOp::Const(c) => Value::Leaf(Source::Const(*c)),
        ExprOp::Random { salt } => Value::Op(TileOp::Random(Stream::Dropout as u32 | salt << 8), [0; 3], 0),
        ExprOp::Unary(op, a) => unary(TileOp::Unary(*op), a),
        ExprOp::Binary(op, a, b) => binary(TileOp::Binary(*op), a, b),
        ExprOp::Select(c, a, b) => Value::Op(TileOp::Select, [usize::from(*c), usize::from(*a), usize::from(*b)], 3),
    }
}

/// How often each value is needed: for the values `needed` and what those are made of.
pub(super) fn uses(values: &[Value], needed: &[usize]) -> Vec<usize> {
    let mut uses = vec![0; values.len()];
    for &value in needed {
        uses[value] += 1;
    }
    // Backwards, so that what only dead values use is dead too.
    for i in (0..values.len()).rev() {
        if uses[i] > 0 {
            for arg in values[i].args() {
                uses[arg] += 1;
            }
        }
    }
    uses
}

/// Joins a product with the sum or difference that is its only reader: one instruction less over the tile.
pub(super) fn contract(values: &mut [Value], needed: &[usize]) {
    let mut uses = uses(values, needed);
    for i in 0..values.len() {
        let Value::Op(TileOp::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)), [x, y, _], _) = values[i] else { continue };
        let factors = |v: usize, uses: &[usize]| match values[v] {
            Value::Op(TileOp::Binary(BinaryOp::Mul), [a, b, _], _) if uses[v] == 1 => Some([a, b]),
            Value::Op(TileOp::Unary(UnaryOp::Square), [a, ..], _) if uses[v] == 1 => Some([a, a]),
            _ => None,
        };
        let (joined, product) = match (op, factors(x, &uses), factors(y, &uses)) {
            (BinaryOp::Add, Some([a, b]), _) => ((TileOp::MulAdd, [a, b, y]), x),
            (BinaryOp::Add, None, Some([a, b])) => ((TileOp::MulAdd, [a, b, x]), y),
            (BinaryOp::Sub, Some([a, b]), _) => ((TileOp::MulSub, [a, b, y]), x),
            (BinaryOp::Sub, None, Some([a, b])) => ((TileOp::SubMul, [a, b, x]), y),
            _ => continue,
        };
        values[i] = Value::Op(joined.0, joined.1, 3);
        uses[product] = 0;
    }
}
