//! An lstm over embedded tokens that predicts the next one at every step. What its gates get of the tokens is one product over all steps, which is
//! several times as fast as a product at each.

use crate::network::{Linear, Network, Parameters};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{loss::cross_entropy, ops::sigmoid};

pub struct Lstm {
    embedding: Tensor,
    /// Input, forget, cell and output gate beside each other.
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    output: Linear,
    batch: usize,
    steps: usize,
    hidden: usize,
}

pub fn new(p: &mut Parameters, [batch, steps, vocabulary, dim, hidden]: [usize; 5]) -> Result<Lstm> {
    let gates = 4 * hidden;
    Ok(Lstm {
        embedding: p.next(&[vocabulary, dim])?,
        weight_ih: p.next(&[dim, gates])?,
        weight_hh: p.next(&[hidden, gates])?,
        bias_ih: p.next(&[gates])?,
        bias_hh: p.next(&[gates])?,
        output: p.linear(hidden, vocabulary)?,
        batch,
        steps,
        hidden,
    })
}

impl Network for Lstm {
    /// `x` and `y` are `[steps · batch]`.
    fn loss(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let bias = (&self.bias_ih + &self.bias_hh)?;
        let inputs = self.embedding.index_select(x, 0)?.matmul(&self.weight_ih)?.broadcast_add(&bias)?;
        let mut h = Tensor::zeros((self.batch, self.hidden), DType::F32, &Device::Cpu)?;
        let mut c = h.clone();
        let mut states = Vec::with_capacity(self.steps);
        for step in 0..self.steps {
            let gates = (inputs.narrow(0, step * self.batch, self.batch)? + h.matmul(&self.weight_hh)?)?;
            let gate = |at: usize| gates.narrow(1, at * self.hidden, self.hidden);
            c = ((sigmoid(&gate(1)?)? * c)? + (sigmoid(&gate(0)?)? * gate(2)?.tanh()?)?)?;
            h = (sigmoid(&gate(3)?)? * c.tanh()?)?;
            states.push(h.clone());
        }
        cross_entropy(&self.output.forward(&Tensor::cat(&states, 0)?)?, y)
    }
}
