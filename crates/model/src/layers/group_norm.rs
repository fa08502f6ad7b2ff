//! The layers `group_norm` and `instance_norm`: channels with mean 0 and variance 1 within each sample, several together or each by itself.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::Draw;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Gives groups of channels mean 0 and variance 1 within each sample, then every channel a learned factor and a learned constant.
    #[schemars(title = "Group norm")]
    GroupNorm {
        /// Into how many groups the channels are divided.
        #[schemars(title = "Groups", range(min = 1, max = 4096))]
        num_groups: usize = 1,
        /// Added to the variance, so that a group of equal numbers is not divided by zero.
        #[schemars(title = "Epsilon", range(min = 1e-12, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-5,
        /// Whether a learned factor and a learned constant follow.
        #[schemars(title = "Affine")]
        affine: bool = true,
    }
}

fields! {
    /// Gives every channel mean 0 and variance 1 within each sample.
    #[schemars(title = "Instance norm")]
    InstanceNorm {
        /// Added to the variance, so that a channel of equal numbers is not divided by zero.
        #[schemars(title = "Epsilon", range(min = 1e-12, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-5,
        /// Whether a learned factor and a learned constant follow.
        #[schemars(title = "Affine")]
        affine: bool = false,
    }
}

fn infer(name: &str, input: &Port, affine: bool) -> Result<Inferred, UserError> {
    if input.lengths.is_some() {
        let message = format!("{name} would count the padding of sequences.");
        return Err(UserError::new(message).hint("Use `layer_norm`, which looks at one step at a time."));
    }
    let channels = input.shape.first().copied().unwrap_or_default();
    let mut inferred = Inferred::new(input.clone()).flops(elements(&input.shape).saturating_mul(8));
    if affine {
        inferred.parameter("weight", &[channels], Draw::Constant(1.0));
        inferred.parameter("bias", &[channels], Draw::Constant(0.0));
    }
    Ok(inferred)
}

/// Every one of `groups` equal parts of a sample by itself, then factor and constant of each channel.
fn build(cx: &mut Builder, at: &Resolved, x: Value, (groups, eps, affine): (usize, f64, bool)) -> Result<Value, OpError> {
    let shape = cx.graph.shape(x).clone();
    let (rows, sample) = (shape.first().copied().unwrap_or_default(), &at.input().shape);
    let width = sample.iter().product::<usize>() / groups.max(1);
    let x = cx.graph.reshape(x, [rows, groups, width])?;
    let x = cx.graph.layer_norm(x, true, eps as f32, None, None)?;
    let x = cx.graph.reshape(x, shape)?;
    if !affine {
        return Ok(x);
    }
    let per_channel: Vec<usize> = sample.iter().enumerate().map(|(d, &n)| if d == 0 { n } else { 1 }).collect();
    let weight = cx.parameter(at, "weight")?;
    let weight = cx.graph.reshape(weight, per_channel.as_slice())?;
    let bias = cx.parameter(at, "bias")?;
    let bias = cx.graph.reshape(bias, per_channel.as_slice())?;
    let x = cx.graph.mul(x, weight)?;
    cx.graph.plus(x, bias)
}

fn channels(at: &Resolved) -> usize {
    at.input().shape.first().copied().unwrap_or_default()
}

impl SimpleLayer for GroupNorm {
    fn label(&self) -> String {
        format!("group norm {}", self.num_groups)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let channels = input.shape.first().copied().unwrap_or_default();
        if channels == 0 || !channels.is_multiple_of(self.num_groups) {
            let message = format!("{channels} channels cannot be divided into {} groups alike.", self.num_groups);
            return Err(UserError::at("num_groups", message).hint("Use a divisor of the number of channels."));
        }
        infer("group_norm", input, self.affine)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        build(cx, at, x, (self.num_groups, self.eps, self.affine))
    }

    fn torch(&self, at: &Resolved) -> String {
        let affine = if self.affine { "" } else { ", affine=False" };
        format!("nn.GroupNorm({}, {}, eps={}{affine})", self.num_groups, channels(at), self.eps)
    }
}

impl SimpleLayer for InstanceNorm {
    fn label(&self) -> String {
        "instance norm".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        if !(2..=4).contains(&input.shape.len()) || input.shape[1..].iter().product::<usize>() < 2 {
            let message = format!("instance_norm expects channels of several numbers, gets {input}.");
            return Err(UserError::new(message).hint("Use `layer_norm` for vectors."));
        }
        infer("instance_norm", input, self.affine)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        build(cx, at, x, (channels(at), self.eps, self.affine))
    }

    fn torch(&self, at: &Resolved) -> String {
        let affine = if self.affine { ", affine=True" } else { "" };
        format!("nn.InstanceNorm{}d({}, eps={}{affine})", at.input().shape.len() - 1, channels(at), self.eps)
    }
}
