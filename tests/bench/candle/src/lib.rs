//! candle as a peer of the benchmark: the workloads' networks out of its tensors, trained with its AdamW at weight decay 0.

mod cnn;
mod gpt;
mod lstm;
mod mlp;
mod network;

use candle_core::{Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use network::{Made, Network, Parameters, tensors};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

type Answer<T> = std::result::Result<T, JsError>;

/// A network, its data and its optimizer. JavaScript chooses the network by the constructor. Each is told the samples of a batch, the learning
/// rate, the sizes of its network, all parameters one after the other in the order of `pages/parameters.js`, and the data of all batches.
#[wasm_bindgen]
pub struct Training {
    network: Box<dyn Network>,
    batches: Vec<(Tensor, Tensor)>,
    optimizer: AdamW,
    last: Option<Tensor>,
}

fn missing() -> JsError {
    JsError::new("sizes are missing")
}

#[wasm_bindgen]
impl Training {
    /// `sizes` are the widths of the network. With `labels` it has relu and cross entropy, otherwise tanh and squared error from `y`.
    pub fn mlp(
        batch: usize,
        lr: f64,
        sizes: &[usize],
        parameters: &[f32],
        x: &[f32],
        y: &[f32],
        labels: &[u32],
    ) -> Answer<Training> {
        let inputs = *sizes.first().ok_or_else(missing)?;
        let made = Parameters::read(parameters, |p| mlp::new(p, sizes, !labels.is_empty()))?;
        let targets = if labels.is_empty() { tensors(y, &[batch, 1]) } else { tensors(labels, &[batch]) };
        Ok(Self::new(made, lr, tensors(x, &[batch, inputs])?, targets?)?)
    }

    /// `sizes` are the sides of images and kernels, the number of classes, and the channels of the images and of each convolution.
    pub fn cnn(batch: usize, lr: f64, sizes: &[usize], parameters: &[f32], x: &[f32], labels: &[u32]) -> Answer<Training> {
        let &[side, kernel, classes, image, ref convolutions @ ..] = sizes else { return Err(missing()) };
        let made = Parameters::read(parameters, |p| cnn::new(p, side, kernel, classes, image, convolutions))?;
        Ok(Self::new(made, lr, tensors(x, &[batch, image, side, side])?, tensors(labels, &[batch])?)?)
    }

    /// `sizes` are the steps of a sequence, the number of tokens that there are, the numbers of an embedding, and the units. Tokens and
    /// labels stand step by step: first the first ones of all sequences.
    pub fn lstm(
        batch: usize,
        lr: f64,
        sizes: &[usize],
        parameters: &[f32],
        tokens: &[u32],
        labels: &[u32],
    ) -> Answer<Training> {
        let &[steps, vocabulary, dim, hidden] = sizes else { return Err(missing()) };
        let made = Parameters::read(parameters, |p| lstm::new(p, [batch, steps, vocabulary, dim, hidden]))?;
        Ok(Self::new(made, lr, tensors(tokens, &[steps * batch])?, tensors(labels, &[steps * batch])?)?)
    }

    /// `sizes` are the steps of a sequence, the number of tokens that there are, the numbers of an embedding, the heads, the blocks, and the
    /// units of a block's feed-forward network. Tokens and labels stand sequence by sequence.
    pub fn gpt(batch: usize, lr: f64, sizes: &[usize], parameters: &[f32], tokens: &[u32], labels: &[u32]) -> Answer<Training> {
        let &[steps, vocabulary, dim, heads, blocks, units] = sizes else { return Err(missing()) };
        let made = Parameters::read(parameters, |p| gpt::new(p, [batch, steps, vocabulary, dim, heads, blocks, units]))?;
        Ok(Self::new(made, lr, tensors(tokens, &[batch * steps])?, tensors(labels, &[batch * steps])?)?)
    }

    /// One step on batch `index`, which is taken modulo their number.
    pub fn step(&mut self, index: usize) -> Answer<()> {
        let (x, y) = &self.batches[index % self.batches.len()];
        let loss = self.network.loss(x, y)?;
        self.optimizer.backward_step(&loss)?;
        self.last = Some(loss);
        Ok(())
    }

    /// The loss of the last step.
    pub fn loss(&self) -> Answer<f32> {
        let last = self.last.as_ref().ok_or_else(|| JsError::new("no step was made"))?;
        Ok(last.to_scalar()?)
    }
}

impl Training {
    fn new<N: Network + 'static>((network, variables): Made<N>, lr: f64, x: Vec<Tensor>, y: Vec<Tensor>) -> Result<Self> {
        let optimizer = AdamW::new(variables, ParamsAdamW { lr, weight_decay: 0.0, ..ParamsAdamW::default() })?;
        Ok(Self { network: Box::new(network), batches: x.into_iter().zip(y).collect(), optimizer, last: None })
    }
}

/// Two square matrices.
#[wasm_bindgen]
pub struct Product {
    a: Tensor,
    b: Tensor,
}

#[wasm_bindgen]
impl Product {
    /// `a` and `b` are `n`×`n`; a transposed one is stored as its transpose.
    #[wasm_bindgen(constructor)]
    pub fn new(n: usize, a: &[f32], transpose_a: bool, b: &[f32], transpose_b: bool) -> Answer<Product> {
        let matrix = |values: &[f32], transposed: bool| -> Result<Tensor> {
            let stored = Tensor::from_slice(values, (n, n), &Device::Cpu)?;
            if transposed { stored.t() } else { Ok(stored) }
        };
        Ok(Self { a: matrix(a, transpose_a)?, b: matrix(b, transpose_b)? })
    }

    /// One product, thrown away.
    pub fn multiply(&self) -> Answer<()> {
        self.a.matmul(&self.b)?;
        Ok(())
    }
}
