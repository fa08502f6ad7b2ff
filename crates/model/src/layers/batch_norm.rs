//! The layer `batch_norm`: every channel with mean 0 and variance 1 over the batch, as `torch.nn.BatchNorm1d` and, of images, `BatchNorm2d`.

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

/// The input without the mean of every channel, and the variance of every channel, `[C]`.
struct Centered {
    x: Value,
    variance: Value,
}

impl SimpleLayer for BatchNorm {
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        "batch norm".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (channels, length) = match *input.shape.as_slice() {
            [channels] => (channels, 1),
            [channels, length] => (channels, length),
            [channels, height, width] => (channels, height.saturating_mul(width)),
            _ => {
                let message = format!("batch_norm expects a vector, channels of numbers or an image, gets {input}.");
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

    /// `(x − mean) · (weight / √(variance + eps)) + bias`. The two factors are joined before they meet the batch, so that the way back sums
    /// over it once for both.
    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let Centered { x, variance } = if cx.mode().noise { self.of_batch(cx, at, x)? } else { Self::running(cx, at, x)? };
        let eps = cx.graph.constant(self.eps as f32)?;
        let variance = cx.graph.plus(variance, eps)?;
        let scale = cx.graph.unary(UnaryOp::Rsqrt, variance)?;
        if !self.affine {
            let factor = per_channel(cx, at, scale)?;
            return cx.graph.mul(x, factor);
        }
        let weight = cx.parameter(at, "weight")?;
        let factor = cx.graph.mul(weight, scale)?;
        let factor = per_channel(cx, at, factor)?;
        let y = cx.graph.mul(x, factor)?;
        let bias = cx.parameter(at, "bias")?;
        let bias = per_channel(cx, at, bias)?;
        cx.graph.plus(y, bias)
    }

    fn torch(&self, at: &Resolved) -> String {
        let affine = if self.affine { "" } else { ", affine=False" };
        let dimensions = if at.input().shape.len() == 3 { 2 } else { 1 };
        format!("nn.BatchNorm{dimensions}d({}, eps={}, momentum={}{affine})", channels(at), self.eps, self.momentum)
    }
}

impl BatchNorm {
    /// Those of the batch. The variance is the mean square of what is left once the mean is taken away: the difference of the mean square and
    /// the squared mean would lose all digits where a mean is large beside its deviation.
    fn of_batch(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Centered, OpError> {
        let axes = &[0, 2, 3][..at.input().shape.len()];
        let mean = cx.graph.mean(x, axes, false)?;
        let centered = without(cx, at, x, mean)?;
        let squares = cx.graph.unary(UnaryOp::Square, centered)?;
        let variance = cx.graph.mean(squares, axes, false)?;
        if cx.mode().moves {
            let origin = cx.graph.set_origin(Origin::Update);
            self.move_running(cx, at, (x, mean, variance))?;
            cx.graph.set_origin(origin);
        }
        Ok(Centered { x: centered, variance })
    }

    /// `running ← running + momentum · (batch − running)`, where the variance is divided by one less than what it was taken over, as in PyTorch.
    fn move_running(&self, cx: &mut Builder, at: &Resolved, (x, mean, variance): (Value, Value, Value)) -> Result<(), OpError> {
        let count = cx.graph.shape(x).numel() / channels(at).max(1);
        let unbiased = cx.graph.scale((count as f64 / (count.max(2) - 1) as f64) as f32, variance)?;
        for (name, batch) in [("running_mean", mean), ("running_var", unbiased)] {
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
    fn running(cx: &mut Builder, at: &Resolved, x: Value) -> Result<Centered, OpError> {
        let mean = cx.buffer(at, "running_mean")?;
        Ok(Centered { x: without(cx, at, x, mean)?, variance: cx.buffer(at, "running_var")? })
    }
}

fn channels(at: &Resolved) -> usize {
    at.input().shape.first().copied().unwrap_or_default()
}

/// `x` without the mean of every channel.
fn without(cx: &mut Builder, at: &Resolved, x: Value, mean: Value) -> Result<Value, OpError> {
    let mean = per_channel(cx, at, mean)?;
    cx.graph.sub(x, mean)
}

/// One number per channel in a shape that broadcasts to the input: `[C]` before a vector, `[C, 1]` before channels, `[C, 1, 1]` before images.
fn per_channel(cx: &mut Builder, at: &Resolved, value: Value) -> Result<Value, OpError> {
    match at.input().shape.len() {
        1 => Ok(value),
        2 => cx.graph.reshape(value, [channels(at), 1]),
        _ => cx.graph.reshape(value, [channels(at), 1, 1]),
    }
}

#[cfg(test)]
mod tests {
    use downhill_graph::interp::run;
    use downhill_graph::tensors::{Env, Tensor};
    use downhill_graph::verify;
    use downhill_tensor::Dtype;
    use serde_json::json;

    use super::*;
    use crate::{Checked, Experiment, ProgramKind, Signature, build, check};

    /// batch_norm on samples of this shape, and its programs.
    fn on(shape: &[usize]) -> Result<Checked, UserError> {
        let model = json!([{ "batch_norm": { "momentum": 0.25, "eps": 0.5 } }, "flatten", { "linear": { "out": "classes" } }]);
        let document = json!({ "data": "xor", "model": model, "training": { "batch_size": 2 } });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let mut signature = Signature::of(&experiment.data).unwrap();
        signature.inputs[0].port.shape = shape.to_vec();
        check(experiment, signature)
    }

    /// Runs a program on two samples `1 2 3 …` and gives what it outputs and leaves as states.
    fn outcome(shape: &[usize], kind: &ProgramKind) -> (Vec<f64>, Vec<Vec<f64>>) {
        let checked = on(shape).unwrap();
        let graph = build(&checked, kind).unwrap();
        verify(&graph).unwrap();
        let filled = |shape: &[usize], value: f64| Tensor::f32(shape.to_vec(), vec![value; shape.iter().product()]);
        let parameters = graph.parameters().iter().map(|p| filled(&p.shape, if p.name == "0.weight" { 2.0 } else { 1.0 }));
        let states = graph.states().iter().map(|s| filled(&s.shape, if s.name == "0.running_var" { 1.0 } else { 0.0 }));
        let feeds = graph.feeds().iter().map(|feed| {
            let counted = feed.ty.dtype == Dtype::F32;
            let numbers = (1..=feed.ty.shape.numel()).map(|i| if counted { i as f64 } else { 0.0 });
            Tensor::new(&feed.ty, numbers.collect())
        });
        let parameters: Vec<Tensor> = parameters.collect();
        let slots = vec![parameters.iter().map(|p| filled(&p.ty.shape, 0.0)).collect(); 2];
        let mut env = Env { parameters, slots, states: states.collect(), feeds: feeds.collect(), ..Env::default() };
        let ran = run(&graph, &mut env);
        let output = ran.output(&graph, "model[0]").map(|t| t.data.clone()).unwrap_or_default();
        (output, env.states.into_iter().map(|t| t.data).collect())
    }

    fn inspection(with_gradients: bool) -> ProgramKind {
        ProgramKind::Inspect { rows: 2, tensors: vec!["model[0]".to_string()], with_gradients }
    }

    fn assert_close(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}, expected {want:?}");
    }

    #[test]
    fn a_look_at_a_step_takes_the_statistics_of_the_batch_and_one_at_samples_the_running_ones() {
        // Two samples of two numbers, 1 2 and 3 4: means 2 and 3, variances 1.
        let root = 1.5f64.sqrt();
        let (of_batch, kept) = outcome(&[2], &inspection(true));
        assert_close(&of_batch, &[1.0 - 2.0 / root, 1.0 - 2.0 / root, 1.0 + 2.0 / root, 1.0 + 2.0 / root]);
        assert_eq!(kept, [vec![0.0; 2], vec![1.0; 2], vec![0.0]]);
        let (of_samples, _) = outcome(&[2], &inspection(false));
        assert_close(&of_samples, &[1.0, 2.0, 3.0, 4.0].map(|x| 1.0 + 2.0 * x / root));
        // Two samples of two channels of two numbers, 1 2 | 3 4 and 5 6 | 7 8: means 3.5 and 5.5, variances 4.25.
        let (of_batch, _) = outcome(&[2, 2], &inspection(true));
        let spread = [-2.5, -1.5, -2.5, -1.5, 1.5, 2.5, 1.5, 2.5];
        assert_close(&of_batch, &spread.map(|d| 1.0 + 2.0 * d / 4.75f64.sqrt()));
    }

    #[test]
    fn a_channel_of_several_numbers_needs_no_second_sample_and_other_shapes_are_refused() {
        let least = |shape: &[usize]| on(shape).unwrap().layers[0].least_batch;
        assert_eq!((least(&[3]), least(&[3, 1]), least(&[3, 5])), (2, 2, 1));
        assert_eq!((least(&[3, 1, 1]), least(&[3, 2, 2])), (2, 1));
        let error = on(&[1, 4, 4, 4]).unwrap_err().to_string();
        assert_eq!(
            error,
            "model[0]: batch_norm expects a vector, channels of numbers or an image, gets 1×4×4×4. Insert `flatten` before it."
        );
    }
}
