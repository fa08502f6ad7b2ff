//! The layer `linear`: a matrix of weights and a bias.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use super::{Init, Size};
use crate::registry::fields;

fields! {
    /// Every output is a weighted sum of all inputs: `y = x Wᵀ + b`; of a sequence, at every step.
    #[schemars(title = "Linear")]
    Linear {
        /// Number of outputs, or "classes" or "targets" for as many as the data asks for.
        #[schemars(title = "Outputs")]
        out: Size = Size::Units(8),
        /// Whether a learned constant is added to every output.
        #[schemars(title = "Bias")]
        bias: bool = true,
        /// How the weights are drawn at the start.
        #[schemars(title = "Initial weights")]
        init: Init = Init::default(),
    }
}

impl SimpleLayer for Linear {
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        format!("linear {}", self.out)
    }

    fn infer(&self, cx: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (&[fan_in] | &[_, fan_in]) = input.shape.as_slice() else {
            let message = format!("linear expects a vector, gets {input}.");
            return Err(UserError::new(message).hint("Insert `flatten` before it."));
        };
        let out = cx.size(self.out).map_err(|e| e.under("out"))?;
        let shape: Vec<usize> = input.shape[..input.shape.len() - 1].iter().copied().chain([out]).collect();
        let flops = elements(&input.shape).saturating_mul(2).saturating_mul(out as u64);
        let mut inferred = Inferred::new(Port { lengths: input.lengths.clone(), ..Port::numbers(shape) }).flops(flops);
        inferred.parameter("weight", &[out, fan_in], self.init.weight(fan_in, out));
        if self.bias {
            inferred.parameter("bias", &[out], self.init.bias(fan_in));
        }
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let weight = cx.parameter(at, "weight")?;
        let bias = if self.bias { Some(cx.parameter(at, "bias")?) } else { None };
        project(cx, x, weight, bias)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let bias = if self.bias { "" } else { ", bias=False" };
        format!("nn.Linear({}, {}{bias})", at.input().shape.last().unwrap_or(&0), at.output.shape.last().unwrap_or(&0))
    }
}

/// `x Wᵀ + b` for every vector of every sequence, as one product.
pub(super) fn project(cx: &mut Builder, x: Value, weight: Value, bias: Option<Value>) -> Result<Value, OpError> {
    let shape = cx.graph.shape(x).clone();
    let Some((&width, leading)) = shape.split_last().filter(|(_, leading)| leading.len() > 1) else {
        return cx.graph.linear(x, weight, bias);
    };
    let out = cx.graph.shape(weight).first().copied().unwrap_or_default();
    let flat = cx.graph.reshape(x, [leading.iter().product(), width])?;
    let y = cx.graph.linear(flat, weight, bias)?;
    let shape: Vec<usize> = leading.iter().copied().chain([out]).collect();
    cx.graph.reshape(y, shape.as_slice())
}
