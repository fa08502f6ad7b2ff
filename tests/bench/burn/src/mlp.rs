//! Linear layers: with relu and cross entropy, or with tanh behind every one and squared error.

use crate::network::{Network, Parameters, cross_entropy};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};
use wasm_bindgen::JsError;

#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
}

/// What a batch is compared with.
#[derive(Clone)]
pub enum Target {
    Values(Tensor<2>),
    Labels(Tensor<1, Int>),
}

pub fn new(p: &mut Parameters, sizes: &[usize]) -> Result<Mlp, JsError> {
    let layers = sizes.windows(2).map(|pair| p.linear(pair[0], pair[1], true)).collect::<Result<_, _>>()?;
    Ok(Mlp { layers })
}

impl Network for Mlp {
    type Input = Tensor<2>;
    type Target = Target;

    fn loss(&self, x: Tensor<2>, target: Target) -> Tensor<1> {
        let mut h = x;
        for (at, layer) in self.layers.iter().enumerate() {
            h = layer.forward(h);
            h = match target {
                Target::Values(_) => h.tanh(),
                Target::Labels(_) if at + 1 < self.layers.len() => relu(h),
                Target::Labels(_) => h,
            };
        }
        match target {
            Target::Values(values) => (h - values).square().mean(),
            Target::Labels(labels) => cross_entropy(h, labels),
        }
    }
}
