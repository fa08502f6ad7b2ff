//! Changes to expressions before they become code.

use downhill_graph::kernel::Epilogue;
use downhill_graph::{BinaryOp, Expr, ExprOp, Reg, ScalarId};

/// Appends `expr` to `out`, with some instructions replaced by what `out` holds already. `replace` is asked for every instruction, with its number,
/// itself, and the registers that the instructions before it became; it answers with a register of `out`, or `None` to keep the instruction.
///
/// With `out` = `0: r1`, `1: r4`, `2: 0·1` and a `replace` that answers 2 for `Read(1)`:
///
/// ```text
/// before       0: r0   1: r1   2: lr   3: 2·1   4: 0 − 3
/// replacement          1 → register 2, r1·r4
/// after        … 3: r0         4: lr   5: 4·2   6: 3 − 5        that is r0 − lr·(r1·r4)
/// ```
fn rewrite(expr: &Expr, mut out: Expr, replace: impl Fn(usize, &ExprOp, &[Reg]) -> Option<Reg>) -> Expr {
    let mut map: Vec<Reg> = Vec::with_capacity(expr.ops.len());
    for (i, op) in expr.ops.iter().enumerate() {
        let to = |r: Reg| map[usize::from(r)];
        let reg = replace(i, op, &map).unwrap_or_else(|| {
            out.push(match *op {
                ExprOp::Unary(f, a) => ExprOp::Unary(f, to(a)),
                ExprOp::Binary(f, a, b) => ExprOp::Binary(f, to(a), to(b)),
                ExprOp::Select(c, a, b) => ExprOp::Select(to(c), to(a), to(b)),
                leaf => leaf,
            })
        });
        map.push(reg);
    }
    out.outputs = expr.outputs.iter().map(|&r| map[usize::from(r)]).collect();
    out
}

/// The rule with a group's own rate and decay.
pub(crate) fn with_scalars(expr: &Expr, lr: ScalarId, decay: ScalarId) -> Expr {
    let mut out = expr.clone();
    for op in &mut out.ops {
        match op {
            ExprOp::Scalar(id @ ScalarId::LR) => *id = lr,
            ExprOp::Scalar(id @ ScalarId::DECAY) => *id = decay,
            _ => {}
        }
    }
    out
}

/// The rule with the gradient, read 1, multiplied by read `factor` first.
pub(crate) fn with_scaled_gradient(expr: &Expr, factor: u8) -> Expr {
    let mut out = Expr::default();
    let (gradient, factor) = (out.read(1), out.read(factor));
    let scaled = out.binary(BinaryOp::Mul, gradient, factor);
    rewrite(expr, out, |_, op, _| (*op == ExprOp::Read(1)).then_some(scaled))
}

/// Takes `product + bias` out of an epilogue where the product is used nowhere else: sums start from the bias instead.
pub(crate) fn peel_bias(epilogue: &mut Epilogue, m: usize) -> Option<(usize, [u32; 3])> {
    let expr = &epilogue.expr;
    let product = expr.ops.iter().position(|op| *op == ExprOp::Read(0))? as u16;
    let uses = |op: &ExprOp| match *op {
        ExprOp::Unary(_, a) => a == product,
        ExprOp::Binary(_, a, b) => a == product || b == product,
        ExprOp::Select(c, a, b) => [a, b, c].contains(&product),
        _ => false,
    };
    let mut users = expr.ops.iter().enumerate().filter(|(_, op)| uses(op));
    let (user, op) = users.next()?;
    if users.next().is_some() || expr.outputs.contains(&product) {
        return None;
    }
    let ExprOp::Binary(BinaryOp::Add, x, y) = *op else { return None };
    let ExprOp::Read(n @ 1..) = *expr.ops.get(usize::from(if x == product { y } else { x }))? else { return None };
    let read = usize::from(n) - 1;
    let strides = *epilogue.read_strides.get(read)?;
    if strides[2] != 1 || (strides[1] != 0 && m > 1) {
        return None;
    }
    epilogue.expr = rewrite(expr, Expr::default(), |i, _, map| (i == user).then(|| map[usize::from(product)]));
    Some((read, strides))
}

#[cfg(test)]
mod tests {
    use downhill_graph::UnaryOp;
    use smallvec::smallvec;

    use super::*;

    fn biased(stride: [u32; 3]) -> Epilogue {
        let mut e = Expr::default();
        let (product, bias) = (e.read(0), e.read(1));
        let sum = e.binary(BinaryOp::Add, product, bias);
        let y = e.unary(UnaryOp::Tanh, sum);
        e.outputs.push(y);
        Epilogue { expr: e, read_strides: smallvec![stride] }
    }

    #[test]
    fn a_bias_of_columns_is_peeled_off_and_one_of_rows_is_not() {
        let mut columns = biased([0, 0, 1]);
        assert_eq!(peel_bias(&mut columns, 4), Some((0, [0, 0, 1])));
        assert_eq!(columns.expr.to_string(), "tanh(r0)");
        let mut rows = biased([0, 1, 0]);
        assert_eq!(peel_bias(&mut rows, 4), None);
        assert_eq!(rows, biased([0, 1, 0]));
    }

    #[test]
    fn a_product_that_is_needed_elsewhere_keeps_its_bias() {
        let mut e = biased([0, 0, 1]);
        e.expr.outputs.push(0);
        assert_eq!(peel_bias(&mut e, 4), None);
    }

    #[test]
    fn a_rule_gets_its_groups_scalars_and_a_scaled_gradient() {
        let mut e = Expr::default();
        let (w, g, lr) = (e.read(0), e.read(1), e.scalar(ScalarId::LR));
        let change = e.binary(BinaryOp::Mul, lr, g);
        let w = e.binary(BinaryOp::Sub, w, change);
        e.outputs.push(w);
        let own = with_scalars(&e, ScalarId(9), ScalarId(10));
        assert_eq!(own.to_string(), "sub(r0, mul(s9, r1))");
        assert_eq!(with_scaled_gradient(&e, 4).to_string(), "sub(r0, mul(lr, mul(r1, r4)))");
    }
}
