//! candle as a peer of the benchmark: the workloads' networks out of its tensors, trained with its AdamW at weight decay 0.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss};
use wasm_bindgen::prelude::wasm_bindgen;

type Answer<T> = std::result::Result<T, String>;

fn told<T>(result: Result<T>) -> Answer<T> {
    result.map_err(|error| error.to_string())
}

struct Layer {
    weight: Var,
    bias: Var,
}

/// A network, its data and its optimizer.
#[wasm_bindgen]
pub struct Training {
    layers: Vec<Layer>,
    batches: Vec<(Tensor, Tensor)>,
    optimizer: AdamW,
    classes: bool,
    last: Option<Tensor>,
}

#[wasm_bindgen]
impl Training {
    /// `sizes` are the widths of the network; `weights` those of all layers, `[in, out]`, one after the other; `x` and `y` all batches. With
    /// `labels` the network has relu and cross entropy, otherwise tanh and squared error.
    #[wasm_bindgen(constructor)]
    pub fn new(sizes: &[usize], batch: usize, lr: f64, weights: &[f32], x: &[f32], y: &[f32], labels: &[u32]) -> Answer<Training> {
        told(Self::build(sizes, batch, lr, weights, x, y, labels))
    }

    /// One step on batch `index`, which is taken modulo their number.
    pub fn step(&mut self, index: usize) -> Answer<()> {
        told(self.train(index))
    }

    /// The loss of the last step.
    pub fn loss(&self) -> Answer<f32> {
        self.last.as_ref().map_or(Err("no step was made".to_owned()), |last| told(last.to_scalar()))
    }
}

impl Training {
    fn build(sizes: &[usize], batch: usize, lr: f64, weights: &[f32], x: &[f32], y: &[f32], labels: &[u32]) -> Result<Self> {
        let device = Device::Cpu;
        let (mut layers, mut rest) = (Vec::new(), weights);
        for pair in sizes.windows(2) {
            let (values, more) = rest.split_at(pair[0] * pair[1]);
            rest = more;
            let weight = Var::from_tensor(&Tensor::from_slice(values, (pair[0], pair[1]), &device)?)?;
            layers.push(Layer { weight, bias: Var::zeros(pair[1], DType::F32, &device)? });
        }
        let features = x.chunks(batch * sizes[0]).map(|part| Tensor::from_slice(part, (batch, sizes[0]), &device));
        let classes = !labels.is_empty();
        let targets: Vec<Result<Tensor>> = if classes {
            labels.chunks(batch).map(|part| Tensor::from_slice(part, batch, &device)).collect()
        } else {
            y.chunks(batch).map(|part| Tensor::from_slice(part, (batch, 1), &device)).collect()
        };
        let batches = features.zip(targets).map(|(x, y)| Ok((x?, y?))).collect::<Result<_>>()?;
        let variables = layers.iter().flat_map(|layer| [layer.weight.clone(), layer.bias.clone()]).collect();
        let optimizer = AdamW::new(variables, ParamsAdamW { lr, weight_decay: 0.0, ..ParamsAdamW::default() })?;
        Ok(Self { layers, batches, optimizer, classes, last: None })
    }

    fn train(&mut self, index: usize) -> Result<()> {
        let (x, y) = &self.batches[index % self.batches.len()];
        let mut h = x.clone();
        for (at, layer) in self.layers.iter().enumerate() {
            h = h.matmul(&layer.weight)?.broadcast_add(&layer.bias)?;
            let is_last = at + 1 == self.layers.len();
            h = match (self.classes, is_last) {
                (true, true) => h,
                (true, false) => h.relu()?,
                (false, _) => h.tanh()?,
            };
        }
        let value = if self.classes { loss::cross_entropy(&h, y)? } else { (h - y)?.sqr()?.mean_all()? };
        self.optimizer.backward_step(&value)?;
        self.last = Some(value);
        Ok(())
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
        let matrix = |values: &[f32], transposed: bool| {
            let stored = Tensor::from_slice(values, (n, n), &Device::Cpu)?;
            if transposed { stored.t() } else { Ok(stored) }
        };
        told(matrix(a, transpose_a).and_then(|a| Ok(Self { a, b: matrix(b, transpose_b)? })))
    }

    /// One product, thrown away.
    pub fn multiply(&self) -> Answer<()> {
        told(self.a.matmul(&self.b).map(drop))
    }
}
