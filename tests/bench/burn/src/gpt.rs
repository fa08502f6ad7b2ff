//! A small GPT that predicts the next token at every step: learned positions, blocks with the norm first and gelu, no bias at the end.

use crate::network::{Network, Parameters, cross_entropy};
use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::module::{attention, embedding};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Int, Tensor};
use wasm_bindgen::JsError;

#[derive(Module, Debug)]
pub struct Gpt {
    embedding: Param<Tensor<2>>,
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    output: Linear,
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    in_proj: Linear,
    out_proj: Linear,
    norm2: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    heads: usize,
}

pub fn new(p: &mut Parameters, [steps, vocabulary, dim, heads, blocks, units]: [usize; 6]) -> Result<Gpt, JsError> {
    let (embedding, positions) = (p.next([vocabulary, dim])?, p.next([steps, dim])?);
    let blocks = (0..blocks).map(|_| Block::new(p, dim, heads, units)).collect::<Result<_, _>>()?;
    Ok(Gpt { embedding, positions, blocks, norm: norm(p, dim)?, output: p.linear(dim, vocabulary, false)? })
}

fn norm(p: &mut Parameters, dim: usize) -> Result<LayerNorm, JsError> {
    let mut norm = LayerNormConfig::new(dim).init(p.device);
    norm.gamma = p.next([dim])?;
    norm.beta = Some(p.next([dim])?);
    Ok(norm)
}

impl Block {
    fn new(p: &mut Parameters, dim: usize, heads: usize, units: usize) -> Result<Self, JsError> {
        Ok(Self {
            norm1: norm(p, dim)?,
            in_proj: p.linear(dim, 3 * dim, true)?,
            out_proj: p.linear(dim, dim, true)?,
            norm2: norm(p, dim)?,
            linear1: p.linear(dim, units, true)?,
            linear2: p.linear(units, dim, true)?,
            heads,
        })
    }

    /// `x` is `[batch · steps, dim]`: so a linear layer is one product, which is a tenth faster.
    fn forward(&self, x: Tensor<2>, [batch, steps]: [usize; 2]) -> Tensor<2> {
        let [rows, dim] = x.dims();
        let projected = self.in_proj.forward(self.norm1.forward(x.clone()));
        let part = |at: usize| {
            let part = projected.clone().narrow(1, at * dim, dim);
            part.reshape([batch, steps, self.heads, dim / self.heads]).swap_dims(1, 2)
        };
        let causal = AttentionModuleOptions { is_causal: true, ..AttentionModuleOptions::default() };
        let seen = attention(part(0), part(1), part(2), None, None, causal).swap_dims(1, 2).reshape([rows, dim]);
        let x = x + self.out_proj.forward(seen);
        x.clone() + self.linear2.forward(gelu(self.linear1.forward(self.norm2.forward(x))))
    }
}

impl Network for Gpt {
    type Input = Tensor<2, Int>;
    type Target = Tensor<1, Int>;

    /// Tokens are `[batch, steps]`.
    fn loss(&self, tokens: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let shape = tokens.dims();
        let embedded = embedding(self.embedding.val(), tokens) + self.positions.val().unsqueeze();
        let mut h = embedded.flatten::<2>(0, 1);
        for block in &self.blocks {
            h = block.forward(h, shape);
        }
        cross_entropy(self.output.forward(self.norm.forward(h)), labels)
    }
}
