//! What the networks have in common: a loss, and parameters that are read one after the other.

use candle_core::{Device, Error, Result, Tensor, Var, WithDType};

/// A network that is trained.
pub trait Network {
    /// The mean loss of a batch.
    fn loss(&self, x: &Tensor, y: &Tensor) -> Result<Tensor>;
}

/// A network, and its parameters for the optimizer.
pub type Made<N> = (N, Vec<Var>);

/// Hands out parameters in the order in which their values stand.
pub struct Parameters<'a> {
    rest: &'a [f32],
    made: Vec<Var>,
}

impl<'a> Parameters<'a> {
    /// What `network` makes of exactly these values.
    pub fn read<N>(values: &'a [f32], network: impl FnOnce(&mut Self) -> Result<N>) -> Result<Made<N>> {
        let mut parameters = Self { rest: values, made: Vec::new() };
        let network = network(&mut parameters)?;
        if !parameters.rest.is_empty() {
            return Err(Error::Msg(format!("{} parameters are left over", parameters.rest.len())));
        }
        Ok((network, parameters.made))
    }

    /// The next one; it shares its numbers with the variable that the optimizer changes.
    pub fn next(&mut self, shape: &[usize]) -> Result<Tensor> {
        let count = shape.iter().product();
        let (values, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| Error::Msg("parameters are missing".to_owned()))?;
        self.rest = rest;
        let variable = Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu)?)?;
        self.made.push(variable.clone());
        Ok(variable.as_tensor().clone())
    }

    /// A weight `[inputs, outputs]` and a bias.
    pub fn linear(&mut self, inputs: usize, outputs: usize) -> Result<Linear> {
        Ok(Linear { weight: self.next(&[inputs, outputs])?, bias: self.next(&[outputs])? })
    }
}

/// A linear layer.
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// `x` is `[rows, inputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// One tensor of this shape for each batch.
pub fn tensors<T: WithDType>(values: &[T], shape: &[usize]) -> Result<Vec<Tensor>> {
    values.chunks(shape.iter().product()).map(|part| Tensor::from_slice(part, shape, &Device::Cpu)).collect()
}
