//! The layers `layer_norm` and `rms_norm`: every vector with mean 0 and variance 1, or with mean square 1.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::Draw;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Gives every vector mean 0 and variance 1, then a learned factor and a learned constant for each of its numbers.
    #[schemars(title = "Layer norm")]
    LayerNorm {
        /// Added to the variance, so that a vector of equal numbers is not divided by zero.
        #[schemars(title = "Epsilon", range(min = 1e-12, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-5,
        /// Whether a learned factor and a learned constant follow.
        #[schemars(title = "Affine")]
        elementwise_affine: bool = true,
        /// Whether there is a learned constant beside the factor.
        #[schemars(title = "Bias")]
        bias: bool = true,
    }
}

fields! {
    /// Gives every vector mean square 1, then a learned factor for each of its numbers.
    #[schemars(title = "RMS norm")]
    RmsNorm {
        /// Added to the mean square, so that a vector of zeros is not divided by zero.
        #[schemars(title = "Epsilon", range(min = 1e-12, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-6,
        /// Whether a learned factor follows.
        #[schemars(title = "Affine")]
        elementwise_affine: bool = true,
    }
}

fn infer(name: &str, input: &Port, weight: bool, bias: bool) -> Result<Inferred, UserError> {
    let Some(&width) = input.shape.last() else {
        return Err(
            UserError::new(format!("{name} expects vectors, gets {input}.")).hint("Put it behind a layer that gives some.")
        );
    };
    let mut inferred = Inferred::new(input.clone()).flops(elements(&input.shape).saturating_mul(6));
    if weight {
        inferred.parameter("weight", &[width], Draw::Constant(1.0));
    }
    if bias {
        inferred.parameter("bias", &[width], Draw::Constant(0.0));
    }
    Ok(inferred)
}

fn width(at: &Resolved) -> usize {
    at.input().shape.last().copied().unwrap_or_default()
}

impl SimpleLayer for LayerNorm {
    fn label(&self) -> String {
        "layer norm".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        infer("layer_norm", input, self.elementwise_affine, self.elementwise_affine && self.bias)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let weight = if self.elementwise_affine { Some(cx.parameter(at, "weight")?) } else { None };
        let bias = if self.elementwise_affine && self.bias { Some(cx.parameter(at, "bias")?) } else { None };
        cx.graph.layer_norm(x, true, self.eps as f32, weight, bias)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let affine = if self.elementwise_affine { "" } else { ", elementwise_affine=False" };
        let bias = if self.bias { "" } else { ", bias=False" };
        format!("nn.LayerNorm({}, eps={}{affine}{bias})", width(at), self.eps)
    }
}

impl SimpleLayer for RmsNorm {
    fn label(&self) -> String {
        "RMS norm".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        infer("rms_norm", input, self.elementwise_affine, false)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let weight = if self.elementwise_affine { Some(cx.parameter(at, "weight")?) } else { None };
        cx.graph.layer_norm(x, false, self.eps as f32, weight, None)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let affine = if self.elementwise_affine { "" } else { ", elementwise_affine=False" };
        format!("nn.RMSNorm({}, eps={}{affine})", width(at), self.eps)
    }
}
