//! Convolutions that keep the size of the image, each with relu and pooling by two, and a linear layer.

use crate::network::{Linear, Network, Parameters};
use candle_core::{Result, Tensor};
use candle_nn::loss::cross_entropy;

pub struct Cnn {
    convolutions: Vec<Convolution>,
    output: Linear,
}

struct Convolution {
    weight: Tensor,
    bias: Tensor,
    padding: usize,
}

/// `image` is the number of channels of the images, `channels` that of each convolution.
pub fn new(
    p: &mut Parameters,
    mut side: usize,
    kernel: usize,
    classes: usize,
    image: usize,
    channels: &[usize],
) -> Result<Cnn> {
    let (mut convolutions, mut from) = (Vec::new(), image);
    for &to in channels {
        let (weight, bias) = (p.next(&[to, from, kernel, kernel])?, p.next(&[to])?);
        convolutions.push(Convolution { weight, bias, padding: kernel / 2 });
        (side, from) = (side / 2, to);
    }
    let output = p.linear(from * side * side, classes)?;
    Ok(Cnn { convolutions, output })
}

impl Network for Cnn {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let mut h = x.clone();
        for Convolution { weight, bias, padding } in &self.convolutions {
            let bias = bias.reshape((1, (), 1, 1))?;
            h = h.conv2d(weight, *padding, 1, 1, 1)?.broadcast_add(&bias)?.relu()?.max_pool2d(2)?;
        }
        cross_entropy(&self.output.forward(&h.flatten_from(1)?)?, y)
    }
}
