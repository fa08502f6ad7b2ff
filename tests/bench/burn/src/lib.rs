//! Burn as a peer of the benchmark: the workloads' networks out of its linear layers, trained with its Adam.

use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use wasm_bindgen::prelude::wasm_bindgen;

/// Burn's two backends for a CPU without a runtime of their own.
#[expect(deprecated, reason = "ndarray is on its way out, but it is what most pages out there run on")]
fn device(backend: &str) -> Result<Device, String> {
    match backend {
        "flex" => Ok(Device::flex()),
        "ndarray" => Ok(Device::ndarray()),
        _ => Err(format!("there is no backend {backend}; there are flex and ndarray")),
    }
}

fn matrix(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

/// What a batch is compared with.
enum Target {
    Values(Tensor<2>),
    Labels(Tensor<1, Int>),
}

/// A network, its data and its optimizer.
#[wasm_bindgen]
pub struct Training {
    /// Empty only while the optimizer owns it.
    network: Option<Mlp>,
    batches: Vec<(Tensor<2>, Target)>,
    optimizer: ModuleOptimizer,
    lr: f64,
    last: Option<Tensor<1>>,
}

#[wasm_bindgen]
impl Training {
    /// `sizes` are the widths of the network; `weights` those of all layers, `[in, out]`, one after the other; `x` and `y` all batches. With
    /// `labels` the network has relu and cross entropy, otherwise tanh and squared error.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::too_many_arguments, reason = "a constructor that JavaScript calls has no named fields")]
    pub fn new(
        backend: &str,
        sizes: &[usize],
        batch: usize,
        lr: f64,
        weights: &[f32],
        x: &[f32],
        y: &[f32],
        labels: &[u32],
    ) -> Result<Training, String> {
        let device = device(backend)?.autodiff();
        let (mut layers, mut rest) = (Vec::new(), weights);
        for pair in sizes.windows(2) {
            let (values, more) = rest.split_at(pair[0] * pair[1]);
            rest = more;
            let mut layer = LinearConfig::new(pair[0], pair[1]).init(&device);
            layer.weight = Param::from_tensor(matrix(values, [pair[0], pair[1]], &device));
            layer.bias = Some(Param::from_tensor(Tensor::zeros([pair[1]], &device)));
            layers.push(layer);
        }
        let features = x.chunks(batch * sizes[0]).map(|part| matrix(part, [batch, sizes[0]], &device));
        let targets: Vec<Target> = if labels.is_empty() {
            y.chunks(batch).map(|part| Target::Values(matrix(part, [batch, 1], &device))).collect()
        } else {
            let tensor = |part: &[u32]| {
                Tensor::from_data(TensorData::new(part.iter().map(|&label| label as i32).collect(), [batch]), &device)
            };
            labels.chunks(batch).map(|part| Target::Labels(tensor(part))).collect()
        };
        // The others' epsilon; Burn's own default is larger.
        let optimizer = AdamConfig::new().with_epsilon(1e-8).init();
        Ok(Self { network: Some(Mlp { layers }), batches: features.zip(targets).collect(), optimizer, lr, last: None })
    }

    /// One step on batch `index`, which is taken modulo their number.
    pub fn step(&mut self, index: usize) -> Result<(), String> {
        let network = self.network.take().ok_or("an earlier step has failed")?;
        let (x, target) = &self.batches[index % self.batches.len()];
        let loss = loss(&network, x.clone(), target);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        self.last = Some(loss.inner());
        self.network = Some(self.optimizer.step(self.lr, network, gradients));
        Ok(())
    }

    /// The loss of the last step.
    pub fn loss(&self) -> Result<f32, String> {
        let last = self.last.clone().ok_or("no step was made")?;
        Ok(last.into_scalar::<f32>())
    }
}

fn loss(network: &Mlp, x: Tensor<2>, target: &Target) -> Tensor<1> {
    let mut h = x;
    for (at, layer) in network.layers.iter().enumerate() {
        h = layer.forward(h);
        h = match target {
            Target::Values(_) => h.tanh(),
            Target::Labels(_) if at + 1 < network.layers.len() => relu(h),
            Target::Labels(_) => h,
        };
    }
    match target {
        Target::Values(values) => (h - values.clone()).square().mean(),
        Target::Labels(labels) => CrossEntropyLossConfig::new().init(&h.device()).forward(h, labels.clone()),
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
    pub fn new(backend: &str, n: usize, a: &[f32], transpose_a: bool, b: &[f32], transpose_b: bool) -> Result<Product, String> {
        let device = device(backend)?;
        let stored = |values: &[f32], transposed: bool| {
            let stored = matrix(values, [n, n], &device);
            if transposed { stored.transpose() } else { stored }
        };
        Ok(Self { a: stored(a, transpose_a), b: stored(b, transpose_b) })
    }

    /// One product, thrown away.
    pub fn multiply(&self) {
        drop(self.a.clone().matmul(self.b.clone()));
    }
}
