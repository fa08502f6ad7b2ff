//! Dropout (Srivastava et al. 2014), inverted as in PyTorch.

use std::fmt;

use downhill_tensor::TensorTy;
use downhill_tensor::rng::{Stream, hash, uniform};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::floats;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::Lowered;
use crate::tensors::{Env, Tensor};
use crate::{BinaryOp, Expr, ExprOp, Graph, Node, OpError, StepScalars, Value};

/// x / (1 − p) where a random number reaches p, else 0; the number depends on seed, salt, step and linear index alone, so that
/// the way back draws the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of a zero, in [0, 1].
    pub p: f32,
    /// Tells apart the dropouts of one graph; below 2²⁴.
    pub salt: u32,
}

impl Dropout {
    fn scale(&self) -> f32 {
        if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 }
    }
}

impl OpDef for Dropout {
    const NAME: &'static str = "dropout";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(Self::NAME, inputs)?;
        if !(0.0..=1.0).contains(&self.p) {
            return Err(OpError::new(Self::NAME, format!("p is a probability, not {}", self.p)));
        }
        Ok(smallvec![TensorTy::f32(x.clone())])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let grad = cx.grad();
        smallvec![grad.map(|g| cx.apply(self.clone(), &[g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], env: &mut Env) -> Vec<Tensor> {
        let stream = Stream::Dropout as u32 | self.salt << 8;
        let keep = |i: usize| uniform(hash(env.step.seed, stream, env.step.step, i as u32)) >= self.p;
        let scale = f64::from(self.scale());
        let data = inputs[0].data.iter().enumerate().map(|(i, x)| if keep(i) { x * scale } else { 0.0 }).collect();
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        let mut e = Expr::default();
        let (x, p, scale, zero) = (e.read(0), e.constant(self.p), e.constant(self.scale()), e.constant(0.0));
        let random = e.push(ExprOp::Random { salt: self.salt });
        let keep = e.binary(BinaryOp::Le, p, random);
        let scaled = e.binary(BinaryOp::Mul, x, scale);
        let y = e.push(ExprOp::Select(keep, scaled, zero));
        e.outputs.push(y);
        Lowered::Elementwise(e)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropout<{}, {}>", self.p, self.salt)
    }

    fn cases() -> Vec<OpCase> {
        let env = |seed, step| Env { step: StepScalars { seed, step, ..StepScalars::default() }, ..Env::default() };
        let case = |name: &str, p, salt, shape: &[usize]| {
            OpCase::new(name, Dropout { p, salt }, vec![normal(shape, 5)]).gradients(&[0]).env(env(7, 3))
        };
        vec![
            case("dropout half", 0.5, 0, &[17, 31]),
            case("dropout of a scalar", 0.5, 1, &[]),
            case("dropout salted", 0.2, 9, &[4, 5, 3]),
            case("dropout nothing", 0.0, 0, &[3, 5]),
            case("dropout everything", 1.0, 0, &[3, 5]),
            OpCase::new("dropout at a late step", Dropout { p: 0.3, salt: 2 }, vec![normal([300], 1)])
                .env(env(u32::MAX, u32::MAX)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_p_of_the_elements_are_dropped_and_the_mean_is_kept() {
        let x = Tensor::f32([100_000], vec![1.0; 100_000]);
        let y = &Dropout { p: 0.25, salt: 3 }.eval(&[&x], std::slice::from_ref(&x.ty), &mut Env::default())[0];
        let zeros = y.data.iter().filter(|v| **v == 0.0).count();
        assert!((24_000..26_000).contains(&zeros), "{zeros} zeros");
        assert!((y.data.iter().sum::<f64>() / 1e5 - 1.0).abs() < 0.01);
    }

    #[test]
    fn another_salt_and_another_step_draw_other_masks() {
        let x = Tensor::f32([64], vec![1.0; 64]);
        let mask = |salt, step| {
            let mut env = Env { step: StepScalars { step, ..StepScalars::default() }, ..Env::default() };
            Dropout { p: 0.5, salt }.eval(&[&x], std::slice::from_ref(&x.ty), &mut env).remove(0).data
        };
        assert_eq!(mask(1, 1), mask(1, 1));
        assert_ne!(mask(1, 1), mask(2, 1));
        assert_ne!(mask(1, 1), mask(1, 2));
    }
}
