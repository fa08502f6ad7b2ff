//! The derivative of an expression, as an expression.

use super::{Expr, ExprOp, Reg};

/// The gradient of the only read of an expression with one output: reads the gradient of the output, then the argument. `None` where the output
/// does not depend on it.
///
/// Backwards through the instructions, each hands its gradient on to its operands. Of y = x·tanh(x), instructions `0: x`, `1: tanh(0)`, `2: 0·1`:
/// 2 gives g·tanh(x) to 0 and g·x to 1; 1 gives (g·x)·(1 − tanh²x) to 0; the answer is the sum of the two.
pub fn gradient(expr: &Expr) -> Option<Expr> {
    let mut out = Expr::default();
    let (g, x) = (out.read(0), out.read(1));
    let values = out.inline(expr, &[x]);
    let mut grads: Vec<Option<Reg>> = vec![None; expr.ops.len()];
    grads[usize::from(*expr.outputs.first()?)] = Some(g);
    let mut answer = None;
    for (i, op) in expr.ops.iter().enumerate().rev() {
        let Some(g) = grads[i] else { continue };
        let value = |r: Reg| values[usize::from(r)];
        let parts: [Option<(Reg, Reg)>; 2] = match *op {
            ExprOp::Read(_) => {
                answer = Some(g);
                continue;
            }
            ExprOp::Scalar(_) | ExprOp::Const(_) | ExprOp::Random { .. } => continue,
            ExprOp::Unary(f, a) => {
                let part = f.gradient().map(|rule| (a, out.result(&rule, &[g, value(a), values[i]])));
                [part, None]
            }
            ExprOp::Binary(f, a, b) => {
                let reads = [g, value(a), value(b), values[i]];
                let left = f.left_gradient().map(|rule| (a, out.result(&rule, &reads)));
                [left, f.right_gradient().map(|rule| (b, out.result(&rule, &reads)))]
            }
            ExprOp::Select(c, a, b) => {
                let zero = out.constant(0.0);
                let (left, right) = (out.select(value(c), g, zero), out.select(value(c), zero, g));
                [Some((a, left)), Some((b, right))]
            }
        };
        for (to, part) in parts.into_iter().flatten() {
            let sum = &mut grads[usize::from(to)];
            *sum = Some(match *sum {
                Some(before) => out.add(before, part),
                None => part,
            });
        }
    }
    out.outputs.push(answer?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BinaryOp, ComposedOp, UnaryOp};

    fn slope(expr: &Expr, x: f64) -> f64 {
        let value = |x: f64| expr.eval(&[x], &|_| 0.0, &|_| 0.0)[0];
        (value(x + 1e-6) - value(x - 1e-6)) / 2e-6
    }

    #[test]
    fn the_gradient_of_an_expression_is_its_slope() {
        let mut tangled = Expr::default();
        let x = tangled.read(0);
        let t = tangled.unary(UnaryOp::Tanh, x);
        let p = tangled.mul(x, t);
        let positive = tangled.above(0.3, x);
        let q = tangled.binary(BinaryOp::Max, p, t);
        let y = tangled.select(positive, q, x);
        tangled.outputs.push(y);
        let all = ComposedOp::ALL.iter().map(|op| op.value()).chain([tangled]);
        for expr in all {
            let gradient = gradient(&expr).unwrap();
            for x in [-3.7, -0.4, 0.2, 0.9, 4.1] {
                let got = gradient.eval(&[2.0, x], &|_| 0.0, &|_| 0.0)[0];
                let want = 2.0 * slope(&expr, x);
                assert!((got - want).abs() < 1e-6, "{expr} at {x}: {got}, not {want}");
            }
        }
    }

    #[test]
    fn what_does_not_depend_on_its_argument_has_no_gradient() {
        let mut expr = Expr::default();
        let x = expr.read(0);
        let y = expr.unary(UnaryOp::Sign, x);
        expr.outputs.push(y);
        assert_eq!(gradient(&expr), None);
    }
}
