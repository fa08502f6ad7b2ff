//! Finds Adam's step in an expression.

use downhill_graph::{BinaryOp, UnaryOp};

use super::value::{Source, Value};
use crate::simd::tile::TileOp;

/// The averages of Adam and the step along them, found in an expression whose outputs they are: one instruction in place of a dozen, most of
/// whose time would go into tiles. The operands are what [`TileOp::Adam`] reads, in its order.
pub(super) fn find(values: &[Value], outputs: &[usize]) -> Option<[usize; 10]> {
    let &[weight, first, second] = outputs else { return None };
    let find = Finder { values };
    let [from, change] = find.binary(weight, BinaryOp::Sub)?;
    let (lr, direction) = find.scaled(change)?;
    let [numerator, denominator] = find.binary(direction, BinaryOp::Div)?;
    let (eps, root) = find.with_scalar(denominator, BinaryOp::Add)?;
    if numerator != first || find.unary(root, UnaryOp::Sqrt)? != second {
        return None;
    }
    let [(keep, m), (take, g)] = find.average(first)?;
    let [(keep_square, v), (take_square, square)] = find.average(second)?;
    let same = find.unary(square, UnaryOp::Square)? == g;
    same.then_some([lr, eps, keep, take, keep_square, take_square, from, g, m, v])
}

struct Finder<'a> {
    values: &'a [Value],
}

impl Finder<'_> {
    fn unary(&self, at: usize, op: UnaryOp) -> Option<usize> {
        match self.values[at] {
            Value::Op(TileOp::Unary(found), [a, ..], _) if found == op => Some(a),
            _ => None,
        }
    }

    fn binary(&self, at: usize, op: BinaryOp) -> Option<[usize; 2]> {
        match self.values[at] {
            Value::Op(TileOp::Binary(found), [a, b, _], _) if found == op => Some([a, b]),
            _ => None,
        }
    }

    /// A scalar and what it is joined with, whichever comes first.
    fn with_scalar(&self, at: usize, op: BinaryOp) -> Option<(usize, usize)> {
        let uniform = |at: usize| matches!(self.values[at], Value::Leaf(Source::Scalar(_) | Source::Const(_)));
        let [a, b] = self.binary(at, op)?;
        match (uniform(a), uniform(b)) {
            (true, false) => Some((a, b)),
            (false, true) => Some((b, a)),
            _ => None,
        }
    }

    fn scaled(&self, at: usize) -> Option<(usize, usize)> {
        self.with_scalar(at, BinaryOp::Mul)
    }

    /// `keep · old + take · new`, the old first.
    fn average(&self, at: usize) -> Option<[(usize, usize); 2]> {
        let [a, b] = self.binary(at, BinaryOp::Add)?;
        Some([self.scaled(a)?, self.scaled(b)?])
    }
}
