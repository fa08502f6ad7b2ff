//! A small GPT that predicts the next token at every step: learned positions, blocks with the norm first and the exact gelu, no bias at the end.

use crate::network::{Linear, Network, Parameters};
use candle_core::{D, Device, Result, Tensor};
use candle_nn::{loss::cross_entropy, ops::softmax};

/// Added to variances.
const EPS: f64 = 1e-5;
/// What a token sees of those behind it.
const NOTHING: f32 = -1e9;

pub struct Gpt {
    embedding: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
    output: Tensor,
    mask: Tensor,
    batch: usize,
    steps: usize,
    dim: usize,
}

struct Block {
    norm1: Norm,
    in_proj: Linear,
    out_proj: Linear,
    norm2: Norm,
    linear1: Linear,
    linear2: Linear,
    heads: usize,
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
}

pub fn new(p: &mut Parameters, [batch, steps, vocabulary, dim, heads, blocks, units]: [usize; 7]) -> Result<Gpt> {
    let (embedding, positions) = (p.next(&[vocabulary, dim])?, p.next(&[steps, dim])?);
    let blocks = (0..blocks).map(|_| Block::new(p, dim, heads, units)).collect::<Result<_>>()?;
    let (norm, output) = (Norm::new(p, dim)?, p.next(&[dim, vocabulary])?);
    let mask: Vec<f32> = (0..steps * steps).map(|at| if at % steps > at / steps { NOTHING } else { 0.0 }).collect();
    let mask = Tensor::from_vec(mask, (steps, steps), &Device::Cpu)?;
    Ok(Gpt { embedding, positions, blocks, norm, output, mask, batch, steps, dim })
}

impl Norm {
    fn new(p: &mut Parameters, dim: usize) -> Result<Self> {
        Ok(Self { weight: p.next(&[dim])?, bias: p.next(&[dim])? })
    }

    /// Out of single ops: candle's own has no gradient.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centered.sqr()?.mean_keepdim(D::Minus1)?;
        centered.broadcast_div(&(variance + EPS)?.sqrt()?)?.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

impl Block {
    fn new(p: &mut Parameters, dim: usize, heads: usize, units: usize) -> Result<Self> {
        Ok(Self {
            norm1: Norm::new(p, dim)?,
            in_proj: p.linear(dim, 3 * dim)?,
            out_proj: p.linear(dim, dim)?,
            norm2: Norm::new(p, dim)?,
            linear1: p.linear(dim, units)?,
            linear2: p.linear(units, dim)?,
            heads,
        })
    }

    /// `x` is `[batch · steps, dim]`.
    fn forward(&self, x: &Tensor, mask: &Tensor, [batch, steps, dim]: [usize; 3]) -> Result<Tensor> {
        let width = dim / self.heads;
        let projected = self.in_proj.forward(&self.norm1.forward(x)?)?;
        let part = |at: usize| {
            let part = projected.narrow(1, at * dim, dim)?.reshape((batch, steps, self.heads, width))?;
            part.transpose(1, 2)?.contiguous()
        };
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let scores = (q.matmul(&k.transpose(2, 3)?)? * (1.0 / (width as f64).sqrt()))?.broadcast_add(mask)?;
        let seen = softmax(&scores, D::Minus1)?.matmul(&v)?.transpose(1, 2)?.reshape((batch * steps, dim))?;
        let x = (x + self.out_proj.forward(&seen)?)?;
        let inner = self.linear1.forward(&self.norm2.forward(&x)?)?.gelu_erf()?;
        x + self.linear2.forward(&inner)?
    }
}

impl Network for Gpt {
    /// `x` and `y` are `[batch · steps]`.
    fn loss(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let shape = [self.batch, self.steps, self.dim];
        let embedded = self.embedding.index_select(x, 0)?.reshape(&shape)?.broadcast_add(&self.positions)?;
        let mut h = embedded.reshape((self.batch * self.steps, self.dim))?;
        for block in &self.blocks {
            h = block.forward(&h, &self.mask, shape)?;
        }
        cross_entropy(&self.norm.forward(&h)?.matmul(&self.output)?, y)
    }
}
