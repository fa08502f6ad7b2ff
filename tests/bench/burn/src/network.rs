//! What the networks have in common: a loss, steps of Adam, and parameters that are read one after the other.

use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use wasm_bindgen::JsError;

/// A network that is trained.
pub trait Network: Module {
    type Input: Clone;
    type Target: Clone;

    /// The mean loss of a batch.
    fn loss(&self, x: Self::Input, y: Self::Target) -> Tensor<1>;
}

/// The mean cross entropy.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, labels)
}

/// A training run of any network.
pub trait Step {
    /// One step on batch `index`, which is taken modulo their number: its loss, none if an earlier one has failed.
    fn step(&mut self, index: usize) -> Option<Tensor<1>>;
}

pub struct Run<N: Network> {
    /// Empty only while the optimizer owns it.
    network: Option<N>,
    batches: Vec<(N::Input, N::Target)>,
    optimizer: ModuleOptimizer,
    lr: f64,
}

impl<N: Network> Run<N> {
    pub fn new(network: N, lr: f64, batches: Vec<(N::Input, N::Target)>) -> Self {
        // The others' epsilon; Burn's own default is larger.
        let optimizer = AdamConfig::new().with_epsilon(1e-8).init();
        Self { network: Some(network), batches, optimizer, lr }
    }
}

impl<N: Network> Step for Run<N> {
    fn step(&mut self, index: usize) -> Option<Tensor<1>> {
        let network = self.network.take()?;
        let (x, y) = self.batches[index % self.batches.len()].clone();
        let loss = network.loss(x, y);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        self.network = Some(self.optimizer.step(self.lr, network, gradients));
        Some(loss.inner())
    }
}

/// Hands out parameters in the order in which their values stand.
pub struct Parameters<'a> {
    rest: &'a [f32],
    pub device: &'a Device,
}

impl<'a> Parameters<'a> {
    /// What `network` makes of exactly these values.
    pub fn read<N>(
        values: &'a [f32],
        device: &'a Device,
        network: impl FnOnce(&mut Self) -> Result<N, JsError>,
    ) -> Result<N, JsError> {
        let mut parameters = Self { rest: values, device };
        let network = network(&mut parameters)?;
        if parameters.rest.is_empty() {
            return Ok(network);
        }
        Err(JsError::new(&format!("{} parameters are left over", parameters.rest.len())))
    }

    /// The next one.
    pub fn next<const D: usize>(&mut self, shape: [usize; D]) -> Result<Param<Tensor<D>>, JsError> {
        let count = shape.iter().product();
        let (values, rest) = self.rest.split_at_checked(count).ok_or_else(|| JsError::new("parameters are missing"))?;
        self.rest = rest;
        Ok(Param::from_tensor(tensor(values, shape, self.device)))
    }

    /// A weight `[inputs, outputs]`, and a bias where there is one.
    pub fn linear(&mut self, inputs: usize, outputs: usize, bias: bool) -> Result<Linear, JsError> {
        let mut layer = LinearConfig::new(inputs, outputs).with_bias(bias).init(self.device);
        layer.weight = self.next([inputs, outputs])?;
        if bias {
            layer.bias = Some(self.next([outputs])?);
        }
        Ok(layer)
    }
}

pub fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// One tensor of this shape for each batch.
pub fn tensors<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Vec<Tensor<D>> {
    values.chunks(shape.iter().product()).map(|part| tensor(part, shape, device)).collect()
}

/// The same of labels.
pub fn labels_of(labels: &[u32], count: usize, device: &Device) -> Vec<Tensor<1, Int>> {
    labels.chunks(count).map(|part| integers(part, [count], device)).collect()
}

/// The same of tokens.
pub fn tokens_of(tokens: &[u32], shape: [usize; 2], device: &Device) -> Vec<Tensor<2, Int>> {
    tokens.chunks(shape[0] * shape[1]).map(|part| integers(part, shape, device)).collect()
}

fn integers<const D: usize>(values: &[u32], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
