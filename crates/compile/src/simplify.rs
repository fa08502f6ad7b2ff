//! Rewrites scalar expressions: folds constants, drops ×1 and +0, and puts one expression in the place of another's read.

use downhill_graph::{BinaryOp, Expr, ExprOp, Reg, ScalarId, UnaryOp};
use downhill_tensor::sort_short;

/// What takes the place of a read.
#[derive(Clone, Debug)]
pub(crate) enum Source<'a> {
    /// The read of this number.
    Read(u8),
    /// A constant.
    Const(f32),
    /// A step scalar.
    Scalar(ScalarId),
    /// Output `output` of another expression whose read `i` becomes `reads[i]`.
    Expr { expr: &'a Expr, output: usize, reads: &'a [Source<'a>] },
}

/// `expr` with `sources[i]` in the place of read `i`, simplified, without dead instructions. Reads keep their numbers.
pub(crate) fn rewrite(expr: &Expr, sources: &[Source<'_>]) -> Expr {
    let mut out = Expr::default();
    let regs = emit_all(&mut out, expr, sources);
    out.outputs = expr.outputs.iter().map(|r| regs[usize::from(*r)]).collect();
    strip(&out)
}

/// An expression with the outputs of both; they share instructions.
pub(crate) fn join(a: &Expr, b: &Expr) -> Expr {
    let mut out = Expr::default();
    for e in [a, b] {
        let regs = emit_all(&mut out, e, &(0..e.reads()).map(|i| Source::Read(i as u8)).collect::<Vec<_>>());
        out.outputs.extend(e.outputs.iter().map(|r| regs[usize::from(*r)]));
    }
    strip(&out)
}

/// Keeps the outputs for which `keep` holds.
pub(crate) fn keep_outputs(expr: &Expr, keep: impl Fn(usize) -> bool) -> Expr {
    let mut out = expr.clone();
    out.outputs = expr.outputs.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, r)| *r).collect();
    strip(&out)
}

/// Renumbers the reads that occur to 0, 1, …; returns the old number of each.
pub(crate) fn compact_reads(expr: &mut Expr) -> Vec<usize> {
    let mut old: Vec<usize> =
        expr.ops.iter().filter_map(|op| if let ExprOp::Read(n) = op { Some(usize::from(*n)) } else { None }).collect();
    sort_short(&mut old);
    old.dedup();
    for op in &mut expr.ops {
        if let ExprOp::Read(n) = op {
            *n = old.binary_search(&usize::from(*n)).unwrap_or_default() as u8;
        }
    }
    old
}

/// Whether the expression draws random numbers, which hang on the iteration space.
pub(crate) fn is_random(expr: &Expr) -> bool {
    expr.ops.iter().any(|op| matches!(op, ExprOp::Random { .. }))
}

/// Rough price per element: 1 for arithmetic, more for what takes a polynomial.
pub(crate) fn price(expr: &Expr) -> u64 {
    expr.ops.iter().map(op_price).sum()
}

fn op_price(op: &ExprOp) -> u64 {
    match op {
        ExprOp::Read(_) | ExprOp::Scalar(_) | ExprOp::Const(_) => 0,
        ExprOp::Random { .. } => 20,
        ExprOp::Unary(op, _) => op.price(),
        ExprOp::Binary(op, ..) => op.price(),
        ExprOp::Select(..) => 1,
    }
}

fn emit_all(out: &mut Expr, expr: &Expr, sources: &[Source<'_>]) -> Vec<Reg> {
    let mut regs: Vec<Reg> = Vec::with_capacity(expr.ops.len());
    for op in &expr.ops {
        let r = |i: &Reg| regs[usize::from(*i)];
        let reg = match op {
            ExprOp::Read(n) => emit_source(out, &sources[usize::from(*n)]),
            ExprOp::Unary(f, a) => emit_unary(out, *f, r(a)),
            ExprOp::Binary(f, a, b) => emit_binary(out, *f, r(a), r(b)),
            ExprOp::Select(c, a, b) => emit_select(out, r(c), r(a), r(b)),
            leaf => out.push(*leaf),
        };
        regs.push(reg);
    }
    regs
}

fn emit_source(out: &mut Expr, source: &Source<'_>) -> Reg {
    match source {
        Source::Read(n) => out.read(*n),
        Source::Const(c) => out.constant(*c),
        Source::Scalar(id) => out.scalar(*id),
        Source::Expr { expr, output, reads } => {
            let regs = emit_all(out, expr, reads);
            regs[usize::from(expr.outputs[*output])]
        }
    }
}

fn constant(out: &Expr, r: Reg) -> Option<f32> {
    match out.ops[usize::from(r)] {
        ExprOp::Const(c) => Some(c),
        _ => None,
    }
}

fn emit_unary(out: &mut Expr, f: UnaryOp, a: Reg) -> Reg {
    match (f, out.ops[usize::from(a)]) {
        (_, ExprOp::Const(c)) => out.constant(f.eval(f64::from(c)) as f32),
        (UnaryOp::Neg, ExprOp::Unary(UnaryOp::Neg, inner)) => inner,
        (UnaryOp::Relu, ExprOp::Unary(UnaryOp::Relu, _)) => a,
        _ => out.unary(f, a),
    }
}

fn emit_binary(out: &mut Expr, f: BinaryOp, a: Reg, b: Reg) -> Reg {
    use BinaryOp::*;
    match (f, constant(out, a), constant(out, b)) {
        (_, Some(x), Some(y)) => out.constant(f.eval(f64::from(x), f64::from(y)) as f32),
        (Add, Some(0.0), _) | (Mul, Some(1.0), _) => b,
        (Add | Sub, _, Some(0.0)) | (Mul | Div | Pow, _, Some(1.0)) => a,
        (Sub, Some(0.0), _) | (Mul, Some(-1.0), _) => emit_unary(out, UnaryOp::Neg, b),
        (Mul | Div, _, Some(-1.0)) => emit_unary(out, UnaryOp::Neg, a),
        (Pow, _, Some(2.0)) => out.unary(UnaryOp::Square, a),
        (Pow, _, Some(0.5)) => out.unary(UnaryOp::Sqrt, a),
        (Mul, _, _) if a == b => out.unary(UnaryOp::Square, a),
        // One order for commutative operations, so that equal ones are shared; a constant stands on the right.
        (Add | Mul, Some(_), None) => out.binary(f, b, a),
        (Add | Mul, None, None) => out.binary(f, a.min(b), a.max(b)),
        _ => out.binary(f, a, b),
    }
}

fn emit_select(out: &mut Expr, c: Reg, a: Reg, b: Reg) -> Reg {
    match constant(out, c) {
        Some(0.0) => b,
        Some(_) => a,
        None if a == b => a,
        None => out.push(ExprOp::Select(c, a, b)),
    }
}

/// Without instructions that no output needs.
fn strip(expr: &Expr) -> Expr {
    let mut live = vec![false; expr.ops.len()];
    for r in &expr.outputs {
        live[usize::from(*r)] = true;
    }
    for i in (0..expr.ops.len()).rev() {
        if live[i] {
            match expr.ops[i] {
                ExprOp::Unary(_, a) => live[usize::from(a)] = true,
                ExprOp::Binary(_, a, b) => [a, b].iter().for_each(|r| live[usize::from(*r)] = true),
                ExprOp::Select(c, a, b) => [c, a, b].iter().for_each(|r| live[usize::from(*r)] = true),
                _ => {}
            }
        }
    }
    let mut place: Vec<Reg> = vec![0; expr.ops.len()];
    let mut out = Expr::default();
    for (i, op) in expr.ops.iter().enumerate().filter(|(i, _)| live[*i]) {
        let r = |a: Reg| place[usize::from(a)];
        place[i] = out.push(match *op {
            ExprOp::Unary(f, a) => ExprOp::Unary(f, r(a)),
            ExprOp::Binary(f, a, b) => ExprOp::Binary(f, r(a), r(b)),
            ExprOp::Select(c, a, b) => ExprOp::Select(r(c), r(a), r(b)),
            leaf => leaf,
        });
    }
    out.outputs = expr.outputs.iter().map(|r| place[usize::from(*r)]).collect();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affine() -> Expr {
        let mut e = Expr::default();
        let (x, a, b) = (e.read(0), e.read(1), e.read(2));
        let scaled = e.binary(BinaryOp::Mul, x, a);
        let y = e.binary(BinaryOp::Add, scaled, b);
        e.outputs.push(y);
        e
    }

    #[test]
    fn times_one_plus_zero_is_the_read_itself() {
        let e = rewrite(&affine(), &[Source::Read(0), Source::Const(1.0), Source::Const(0.0)]);
        assert_eq!(e.to_string(), "r0");
        assert_eq!(e.ops.len(), 1);
    }

    #[test]
    fn constants_fold() {
        let e = rewrite(&affine(), &[Source::Const(2.0), Source::Const(3.0), Source::Const(4.0)]);
        assert_eq!(e.ops, [ExprOp::Const(10.0)]);
    }

    #[test]
    fn an_expression_takes_the_place_of_a_read() {
        let mut inner = Expr::default();
        let (p, q) = (inner.read(0), inner.read(1));
        let sum = inner.binary(BinaryOp::Add, p, q);
        let t = inner.unary(UnaryOp::Tanh, sum);
        inner.outputs.push(t);
        let reads = [Source::Read(3), Source::Read(1)];
        let fused = rewrite(
            &affine(),
            &[Source::Expr { expr: &inner, output: 0, reads: &reads }, Source::Read(1), Source::Scalar(ScalarId::LR)],
        );
        let values = [0.0, 0.5, 0.0, 0.25];
        let got = fused.eval(&values, &|_| 10.0, &|_| 0.0)[0];
        assert!((got - (0.75f64.tanh() * 0.5 + 10.0)).abs() < 1e-12);
        let mut compacted = fused.clone();
        assert_eq!(compact_reads(&mut compacted), [1, 3]);
        assert_eq!(compacted.eval(&[0.5, 0.25], &|_| 10.0, &|_| 0.0)[0], got);
    }

    #[test]
    fn joined_expressions_share_work_and_dropped_outputs_take_theirs_along() {
        let both = join(&affine(), &affine());
        assert_eq!(both.outputs.len(), 2);
        assert_eq!(both.ops.len(), affine().ops.len());
        let none = keep_outputs(&both, |_| false);
        assert!(none.ops.is_empty());
    }

    #[test]
    fn a_not_a_number_is_not_multiplied_away() {
        let mut e = Expr::default();
        let (x, zero) = (e.read(0), e.constant(0.0));
        let y = e.binary(BinaryOp::Mul, x, zero);
        e.outputs.push(y);
        assert!(rewrite(&e, &[Source::Read(0)]).eval(&[f64::NAN], &|_| 0.0, &|_| 0.0)[0].is_nan());
    }
}
