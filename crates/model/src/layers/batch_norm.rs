//! The layer `batch_norm`: every channel with mean 0 and variance 1 over the batch, as `torch.nn.BatchNorm1d`.

use downhill_graph::{OpError, Origin, UnaryOp, Value};
use downhill_tensor::UserError;

use super::Draw;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Gives every number mean 0 and variance 1 over the batch while training, and over what it has seen so far everywhere else.
    #[schemars(title = "Batch norm")]
    BatchNorm {
        /// Added to the variance, so that a number which never changes is not divided by zero.
        #[schemars(title = "Epsilon", range(min = 1e-12, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-5,
        /// How much a batch moves the running mean and variance.
        #[schemars(title = "Momentum", range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.1,
        /// Whether a learned factor and a learned constant follow.
        #[schemars(title = "Affine")]
        affine: bool = true,
    }
}

/// Mean and variance of every channel, broadcasting to the input.
struct Statistics {
    mean: Value,
    variance: Value,
}

impl SimpleLayer for BatchNorm {
    fn label(&self) -> String {
        "batch norm".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (channels, length) = match *input.shape.as_slice() {
            [channels] => (channels, 1),
            [channels, length] => (channels, length),
            _ => {
                let message = format!("batch_norm expects a vector, or channels of numbers, gets {input}.");
                return Err(UserError::new(message).hint("Insert `flatten` before it."));
            }
        };
        if input.lengths.is_some() {
            let message = "batch_norm would count the padding of sequences.".to_string();
            return Err(UserError::new(message).hint("Put it behind `mean_over_time`."));
        }
        let mut inferred = Inferred::new(input.clone()).flops(elements(&input.shape).saturating_mul(8));
        if self.affine {
            inferred.parameter("weight", &[channels], Draw::Constant(1.0));
            inferred.parameter("bias", &[channels], Draw::Constant(0.0));
        }
        inferred.buffer("running_mean", &[channels], 0.0);
        inferred.buffer("running_var", &[channels], 1.0);
        inferred.count("num_batches_tracked");
        // The variance of a single number says nothing.
        inferred.least_batch = if length == 1 { 2 } else { 1 };
        Ok(inferred)
    }

    /// `(x − mean) / √(variance + eps) · weight + bias`
    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let Statistics { mean, variance } =
            if cx.mode().noise { self.of_batch(cx, at, x)? } else { Self::running(cx, at)? };
        let centered = cx.graph.sub(x, mean)?;
        let eps = cx.graph.constant(self.eps as f32)?;
        let variance = cx.graph.plus(variance, eps)?;
        let scale = cx.graph.unary(UnaryOp::Rsqrt, variance)?;
        let y = cx.graph.mul(centered, scale)?;
        if !self.affine {
            return Ok(y);
        }
        let [weight, bias] = ["weight", "bias"].map(|name| cx.parameter(at, name).and_then(|value| per_channel(cx, at, value)));
        let y = cx.graph.mul(y, weight?)?;
        cx.graph.plus(y, bias?)
    }

    fn torch(&self, at: &Resolved) -> String {
        let affine = if self.affine { "" } else { ", affine=False" };
        format!("nn.BatchNorm1d({}, eps={}, momentum={}{affine})", channels(at), self.eps, self.momentum)
    }
}

impl BatchNorm {
    /// Those of the batch. The variance is the mean square of what is left once the mean is taken away: the difference of the mean square and
    /// the squared mean would lose all digits where a mean is large beside its deviation.
    fn of_batch(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Statistics, OpError> {
        let axes: &[isize] = if at.input().shape.len() == 1 { &[0] } else { &[0, 2] };
        let mean = cx.graph.mean(x, axes, true)?;
        let centered = cx.graph.sub(x, mean)?;
        let squares = cx.graph.unary(UnaryOp::Square, centered)?;
        let variance = cx.graph.mean(squares, axes, true)?;
        if cx.mode().moves {
            let origin = cx.graph.set_origin(Origin::Update);
            self.move_running(cx, at, (x, mean, variance))?;
            cx.graph.set_origin(origin);
        }
        Ok(Statistics { mean, variance })
    }

    /// `running ← running + momentum · (batch − running)`, where the variance is divided by one less than what it was taken over, as in PyTorch.
    fn move_running(&self, cx: &mut Builder, at: &Resolved, (x, mean, variance): (Value, Value, Value)) -> Result<(), OpError> {
        let count = cx.graph.shape(x).numel() / channels(at).max(1);
        let unbiased = cx.graph.scale((count as f64 / (count.max(2) - 1) as f64) as f32, variance)?;
        for (name, batch) in [("running_mean", mean), ("running_var", unbiased)] {
            let batch = cx.graph.reshape(batch, [channels(at)])?;
            let running = cx.buffer(at, name)?;
            let away = cx.graph.sub(batch, running)?;
            let part = cx.graph.scale(self.momentum as f32, away)?;
            let next = cx.graph.plus(running, part)?;
            cx.move_buffer(at, name, next)?;
        }
        let (seen, one) = (cx.buffer(at, "num_batches_tracked")?, cx.graph.constant(1.0)?);
        let next = cx.graph.plus(seen, one)?;
        cx.move_buffer(at, "num_batches_tracked", next)
    }

    /// Those of what was seen so far.
    fn running(cx: &mut Builder, at: &Resolved) -> Result<Statistics, OpError> {
        let [mean, variance] =
            ["running_mean", "running_var"].map(|name| cx.buffer(at, name).and_then(|value| per_channel(cx, at, value)));
        Ok(Statistics { mean: mean?, variance: variance? })
    }
}

fn channels(at: &Resolved) -> usize {
    at.input().shape.first().copied().unwrap_or_default()
}

/// One number per channel in a shape that broadcasts to the input: `[C]` before a vector, `[C, 1]` before channels.
fn per_channel(cx: &mut Builder, at: &Resolved, value: Value) -> Result<Value, OpError> {
    if at.input().shape.len() == 1 { Ok(value) } else { cx.graph.reshape(value, [channels(at), 1]) }
}
