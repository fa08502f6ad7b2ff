//! Burn as a peer of the benchmark: the workloads' networks out of its layers, trained with its Adam.

mod cnn;
mod gpt;
mod lstm;
mod mlp;
mod network;

use burn::tensor::{Device, Tensor};
use network::{Parameters, Run, Step, labels_of, tensors, tokens_of};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

type Answer<T> = Result<T, JsError>;

/// Burn's two backends for a CPU without a runtime of their own.
#[expect(deprecated, reason = "ndarray is on its way out, but it is what most pages out there run on")]
fn device(backend: &str) -> Answer<Device> {
    match backend {
        "flex" => Ok(Device::flex()),
        "ndarray" => Ok(Device::ndarray()),
        _ => Err(JsError::new(&format!("there is no backend {backend}; there are flex and ndarray"))),
    }
}

fn missing() -> JsError {
    JsError::new("sizes are missing")
}

/// A network, its data and its optimizer. JavaScript chooses the network by the constructor. Each is told the backend, the samples of a batch, the
/// learning rate, the sizes of its network, all parameters one after the other in the order of `pages/parameters.js`, and the data of all batches.
#[wasm_bindgen]
pub struct Training {
    run: Box<dyn Step>,
    last: Option<Tensor<1>>,
}

#[wasm_bindgen]
#[allow(clippy::too_many_arguments, reason = "a constructor that JavaScript calls has no named fields")]
impl Training {
    /// `sizes` are the widths of the network. With `labels` it has relu and cross entropy, otherwise tanh and squared error from `y`.
    pub fn mlp(
        backend: &str,
        batch: usize,
        lr: f64,
        sizes: &[usize],
        parameters: &[f32],
        x: &[f32],
        y: &[f32],
        labels: &[u32],
    ) -> Answer<Training> {
        let device = device(backend)?.autodiff();
        let inputs = *sizes.first().ok_or_else(missing)?;
        let network = Parameters::read(parameters, &device, |p| mlp::new(p, sizes))?;
        let targets: Vec<_> = if labels.is_empty() {
            tensors(y, [batch, 1], &device).into_iter().map(mlp::Target::Values).collect()
        } else {
            labels_of(labels, batch, &device).into_iter().map(mlp::Target::Labels).collect()
        };
        Ok(Self::new(network, lr, tensors(x, [batch, inputs], &device), targets))
    }

    /// `sizes` are the sides of images and kernels, the number of classes, and the channels of the images and of each convolution.
    pub fn cnn(
        backend: &str,
        batch: usize,
        lr: f64,
        sizes: &[usize],
        parameters: &[f32],
        x: &[f32],
        labels: &[u32],
    ) -> Answer<Training> {
        let device = device(backend)?.autodiff();
        let &[side, kernel, classes, image, ref convolutions @ ..] = sizes else { return Err(missing()) };
        let network = Parameters::read(parameters, &device, |p| cnn::new(p, side, kernel, classes, image, convolutions))?;
        let images = tensors(x, [batch, image, side, side], &device);
        Ok(Self::new(network, lr, images, labels_of(labels, batch, &device)))
    }

    /// `sizes` are the steps of a sequence, the number of tokens that there are, the numbers of an embedding, and the units. Tokens and
    /// labels stand step by step: first the first ones of all sequences.
    pub fn lstm(
        backend: &str,
        batch: usize,
        lr: f64,
        sizes: &[usize],
        parameters: &[f32],
        tokens: &[u32],
        labels: &[u32],
    ) -> Answer<Training> {
        let device = device(backend)?.autodiff();
        let &[steps, vocabulary, dim, hidden] = sizes else { return Err(missing()) };
        let network = Parameters::read(parameters, &device, |p| lstm::new(p, vocabulary, dim, hidden))?;
        let tokens = tokens_of(tokens, [steps, batch], &device);
        Ok(Self::new(network, lr, tokens, labels_of(labels, steps * batch, &device)))
    }

    /// `sizes` are the steps of a sequence, the number of tokens that there are, the numbers of an embedding, the heads, the blocks, and the
    /// units of a block's feed-forward network. Tokens and labels stand sequence by sequence.
    pub fn gpt(
        backend: &str,
        batch: usize,
        lr: f64,
        sizes: &[usize],
        parameters: &[f32],
        tokens: &[u32],
        labels: &[u32],
    ) -> Answer<Training> {
        let device = device(backend)?.autodiff();
        let &[steps, vocabulary, dim, heads, blocks, units] = sizes else { return Err(missing()) };
        let network = Parameters::read(parameters, &device, |p| gpt::new(p, [steps, vocabulary, dim, heads, blocks, units]))?;
        let tokens = tokens_of(tokens, [batch, steps], &device);
        Ok(Self::new(network, lr, tokens, labels_of(labels, batch * steps, &device)))
    }

    /// One step on batch `index`, which is taken modulo their number.
    pub fn step(&mut self, index: usize) -> Answer<()> {
        let loss = self.run.step(index).ok_or_else(|| JsError::new("an earlier step has failed"))?;
        self.last = Some(loss);
        Ok(())
    }

    /// The loss of the last step.
    pub fn loss(&self) -> Answer<f32> {
        let last = self.last.clone().ok_or_else(|| JsError::new("no step was made"))?;
        Ok(last.into_scalar::<f32>())
    }
}

impl Training {
    fn new<N: network::Network + 'static>(network: N, lr: f64, x: Vec<N::Input>, y: Vec<N::Target>) -> Self {
        Self { run: Box::new(Run::new(network, lr, x.into_iter().zip(y).collect())), last: None }
    }
}

/// Two square matrices.
#[wasm_bindgen]
pub struct Product {
    a: Tensor<2>,
    b: Tensor<2>,
}

#[wasm_bindgen]
impl Product {
    /// `a` and `b` are `n`×`n`; a transposed one is stored as its transpose.
    #[wasm_bindgen(constructor)]
    pub fn new(backend: &str, n: usize, a: &[f32], transpose_a: bool, b: &[f32], transpose_b: bool) -> Answer<Product> {
        let device = device(backend)?;
        let stored = |values: &[f32], transposed: bool| {
            let stored = network::tensor(values, [n, n], &device);
            if transposed { stored.transpose() } else { stored }
        };
        Ok(Self { a: stored(a, transpose_a), b: stored(b, transpose_b) })
    }

    /// One product, thrown away.
    pub fn multiply(&self) {
        drop(self.a.clone().matmul(self.b.clone()));
    }
}
