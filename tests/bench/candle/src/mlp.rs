//! Linear layers: with relu and cross entropy, or with tanh behind every one and squared error.

use crate::network::{Linear, Network, Parameters};
use candle_core::{Result, Tensor};
use candle_nn::loss::cross_entropy;

pub struct Mlp {
    layers: Vec<Linear>,
    classes: bool,
}

pub fn new(p: &mut Parameters, sizes: &[usize], classes: bool) -> Result<Mlp> {
    let layers = sizes.windows(2).map(|pair| p.linear(pair[0], pair[1])).collect::<Result<_>>()?;
    Ok(Mlp { layers, classes })
}

impl Network for Mlp {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let mut h = x.clone();
        for (at, layer) in self.layers.iter().enumerate() {
            h = layer.forward(&h)?;
            let is_last = at + 1 == self.layers.len();
            h = match (self.classes, is_last) {
                (true, true) => h,
                (true, false) => h.relu()?,
                (false, _) => h.tanh()?,
            };
        }
        if self.classes { cross_entropy(&h, y) } else { (h - y)?.sqr()?.mean_all() }
    }
}
