//! Convolutions that keep the size of the image, each with relu and pooling by two, and a linear layer.

use crate::network::{Network, Parameters, cross_entropy};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};
use wasm_bindgen::JsError;

#[derive(Module, Debug)]
pub struct Cnn {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
    output: Linear,
}

/// `image` is the number of channels of the images, `channels` that of each convolution.
pub fn new(
    p: &mut Parameters,
    mut side: usize,
    kernel: usize,
    classes: usize,
    image: usize,
    channels: &[usize],
) -> Result<Cnn, JsError> {
    let pad = kernel / 2;
    let (mut convolutions, mut from) = (Vec::new(), image);
    for &to in channels {
        let config = Conv2dConfig::new([from, to], [kernel, kernel]);
        let mut convolution = config.with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad)).init(p.device);
        convolution.weight = p.next([to, from, kernel, kernel])?;
        convolution.bias = Some(p.next([to])?);
        convolutions.push(convolution);
        (side, from) = (side / 2, to);
    }
    let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
    Ok(Cnn { convolutions, pool, output: p.linear(from * side * side, classes, true)? })
}

impl Network for Cnn {
    type Input = Tensor<4>;
    type Target = Tensor<1, Int>;

    fn loss(&self, x: Tensor<4>, labels: Tensor<1, Int>) -> Tensor<1> {
        let mut h = x;
        for convolution in &self.convolutions {
            h = self.pool.forward(relu(convolution.forward(h)));
        }
        cross_entropy(self.output.forward(h.flatten::<2>(1, 3)), labels)
    }
}
