//! An lstm over embedded tokens that predicts the next one at every step. Burn's own multiplies for every gate by itself at every step; here the
//! four stand beside each other, and what they get of the tokens is one product over all steps, which is several times as fast.

use crate::network::{Network, Parameters, cross_entropy};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::sigmoid;
use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor};
use wasm_bindgen::JsError;

#[derive(Module, Debug)]
pub struct Lstm {
    embedding: Param<Tensor<2>>,
    /// Input, forget, cell and output gate beside each other.
    weight_ih: Param<Tensor<2>>,
    weight_hh: Param<Tensor<2>>,
    bias_ih: Param<Tensor<1>>,
    bias_hh: Param<Tensor<1>>,
    output: Linear,
}

pub fn new(p: &mut Parameters, vocabulary: usize, dim: usize, hidden: usize) -> Result<Lstm, JsError> {
    let gates = 4 * hidden;
    Ok(Lstm {
        embedding: p.next([vocabulary, dim])?,
        weight_ih: p.next([dim, gates])?,
        weight_hh: p.next([hidden, gates])?,
        bias_ih: p.next([gates])?,
        bias_hh: p.next([gates])?,
        output: p.linear(hidden, vocabulary, true)?,
    })
}

impl Network for Lstm {
    type Input = Tensor<2, Int>;
    type Target = Tensor<1, Int>;

    /// Tokens are `[steps, batch]`.
    fn loss(&self, tokens: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let [steps, batch] = tokens.dims();
        let [hidden, width] = self.weight_hh.dims();
        let vectors = embedding(self.embedding.val(), tokens).flatten::<2>(0, 1);
        let bias = self.bias_ih.val() + self.bias_hh.val();
        let inputs = vectors.matmul(self.weight_ih.val()) + bias.reshape([1, width]);
        let mut h = Tensor::<2>::zeros([batch, hidden], &inputs.device());
        let mut c = h.clone();
        let mut states = Vec::with_capacity(steps);
        for input in inputs.chunk(steps, 0) {
            let gates = input + h.matmul(self.weight_hh.val());
            let gate = |at: usize| gates.clone().narrow(1, at * hidden, hidden);
            c = sigmoid(gate(1)) * c + sigmoid(gate(0)) * gate(2).tanh();
            h = sigmoid(gate(3)) * c.clone().tanh();
            states.push(h.clone());
        }
        cross_entropy(self.output.forward(Tensor::cat(states, 0)), labels)
    }
}
