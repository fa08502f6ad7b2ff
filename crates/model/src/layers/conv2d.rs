//! The layer `conv2d`: a kernel that slides over an image, as `torch.nn.Conv2d`.

use downhill_graph::ops::Convolution;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Init;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Every output channel is a small kernel that slides over the image and looks for the same thing everywhere.
    #[schemars(title = "Conv 2D")]
    Conv2d {
        /// Number of kernels, each of which gives a channel.
        #[schemars(title = "Channels", range(min = 1, max = 4096))]
        out_channels: usize = 8,
        /// Height and width of a kernel.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 3,
        /// How far a kernel moves from a place to the next.
        #[schemars(title = "Stride", range(min = 1, max = 64))]
        stride: usize = 1,
        /// Border of the image on each side, or "same" for an output as large as the image.
        #[schemars(title = "Padding")]
        padding: Padding = Padding::Pixels(0),
        /// How far the pixels that a kernel sees lie apart.
        #[schemars(title = "Dilation", range(min = 1, max = 64))]
        dilation: usize = 1,
        /// Parts of the channels that do not meet; as many as channels make each a picture of its own.
        #[schemars(title = "Groups", range(min = 1, max = 4096))]
        groups: usize = 1,
        /// Whether a learned constant is added to every channel.
        #[schemars(title = "Bias")]
        bias: bool = true,
        /// What stands in the border.
        #[schemars(title = "Border")]
        padding_mode: PaddingMode = PaddingMode::Zeros,
        /// How the weights are drawn at the start.
        #[schemars(title = "Initial weights")]
        init: Init = Init::default(),
    }
}

/// A border of so many pixels, or as many as keep the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Padding {
    /// That many on each side.
    Pixels(#[schemars(range(min = 0, max = 64))] usize),
    /// As a word.
    Word(Same),
}

/// The border that keeps the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Same {
    /// The output is as large as the image.
    Same,
}

/// What stands in a border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaddingMode {
    /// Zeros.
    Zeros,
    /// The image, mirrored at its edge.
    Reflect,
}

/// Channels, height and width of an image.
///
/// # Errors
/// When the layer gets something else.
pub(super) fn image(layer: &str, input: &Port) -> Result<[usize; 3], UserError> {
    if let &[channels, height, width] = input.shape.as_slice() {
        return Ok([channels, height, width]);
    }
    let message = format!("{layer} expects an image (channels × height × width), gets {input}.");
    let pixels = elements(&input.shape) as usize;
    let side = (1..=512).find(|side| side * side == pixels).filter(|_| input.shape.len() == 1);
    let hint = match side {
        Some(side) => {
            format!("Insert {{ \"reshape\": {{ \"channels\": 1, \"height\": {side}, \"width\": {side} }} }} before it.")
        }
        None => "Insert `reshape` before it, with as many numbers as there are.".to_string(),
    };
    Err(UserError::new(message).hint(hint))
}

/// The sizes that a kernel leaves of an image.
///
/// # Errors
/// When it is larger than the image.
pub(super) fn places(
    layer: &str,
    slide: &Convolution,
    [height, width]: [usize; 2],
    kernel: usize,
) -> Result<[usize; 2], UserError> {
    match [slide.places(0, height, kernel), slide.places(1, width, kernel)] {
        [Some(down), Some(across)] => Ok([down, across]),
        _ => {
            let message = format!("{layer}: a kernel of {kernel}×{kernel} does not fit into an image of {height}×{width}.");
            Err(UserError::at("kernel_size", message)
                .hint("Lower `kernel_size` or `dilation`, raise `padding`, or pool less before it."))
        }
    }
}

impl Conv2d {
    fn convolution(&self) -> Convolution {
        let (before, after) = match self.padding {
            Padding::Pixels(n) => (n, n),
            Padding::Word(Same::Same) => {
                let all = self.dilation * (self.kernel_size - 1);
                (all / 2, all - all / 2)
            }
        };
        let (stride, dilation) = ([self.stride; 2], [self.dilation; 2]);
        Convolution { stride, padding: [(before, after); 2], dilation, groups: self.groups }
    }
}

impl SimpleLayer for Conv2d {
    fn label(&self) -> String {
        format!("conv {}, {}×{}", self.out_channels, self.kernel_size, self.kernel_size)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let [channels, height, width] = image("conv2d", input)?;
        let slide = self.convolution();
        if !channels.is_multiple_of(self.groups) || !self.out_channels.is_multiple_of(self.groups) {
            let (groups, out) = (self.groups, self.out_channels);
            let message = format!("conv2d: {channels} channels in and {out} out cannot be shared evenly by {groups} groups.");
            return Err(UserError::at("groups", message).hint("Choose a number that divides both, or 1."));
        }
        if matches!(self.padding, Padding::Word(_)) && self.stride > 1 {
            let message = "conv2d: with a stride an output cannot be as large as its image.";
            return Err(UserError::at("padding", message).hint("Set `stride` to 1, or `padding` to a number."));
        }
        let border = slide.padding[0].0.max(slide.padding[0].1);
        if self.padding_mode == PaddingMode::Reflect && border >= height.min(width) {
            let message = format!("conv2d: a border of {border} cannot mirror an image of {height}×{width}.");
            return Err(UserError::at("padding", message).hint("Lower it below height and width, or use zeros."));
        }
        let [down, across] = places("conv2d", &slide, [height, width], self.kernel_size)?;
        let shape = [self.out_channels, channels / self.groups, self.kernel_size, self.kernel_size];
        let fan_in: usize = shape[1..].iter().product();
        let fan_out = self.out_channels * self.kernel_size * self.kernel_size / self.groups;
        let flops = elements(&[2, fan_in, self.out_channels, down, across]);
        let mut inferred = Inferred::numbers([self.out_channels, down, across]).flops(flops);
        inferred.parameter("weight", &shape, self.init.weight(fan_in, fan_out.max(1)));
        if self.bias {
            inferred.parameter("bias", &[self.out_channels], self.init.bias(fan_in));
        }
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, mut x: Value) -> Result<Value, OpError> {
        let mut slide = self.convolution();
        if self.padding_mode == PaddingMode::Reflect {
            for axis in 0..2 {
                x = mirrored(cx, x, 2 + axis, slide.padding[axis])?;
            }
            slide.padding = [(0, 0); 2];
        }
        let weight = cx.parameter(at, "weight")?;
        let bias = if self.bias { Some(cx.parameter(at, "bias")?) } else { None };
        cx.graph.conv2d(slide, x, weight, bias)
    }

    fn torch(&self, at: &Resolved) -> String {
        let channels = at.input().shape.first().unwrap_or(&0);
        let mut text = format!("nn.Conv2d({channels}, {}, {}", self.out_channels, self.kernel_size);
        for (name, value, default) in [("stride", self.stride, 1), ("dilation", self.dilation, 1), ("groups", self.groups, 1)] {
            if value != default {
                text.push_str(&format!(", {name}={value}"));
            }
        }
        match self.padding {
            Padding::Pixels(0) => {}
            Padding::Pixels(n) => text.push_str(&format!(", padding={n}")),
            Padding::Word(Same::Same) => text.push_str(", padding=\"same\""),
        }
        if !self.bias {
            text.push_str(", bias=False");
        }
        if self.padding_mode == PaddingMode::Reflect {
            text.push_str(", padding_mode=\"reflect\"");
        }
        text + ")"
    }
}

/// `x` with its mirror image before and behind an axis; the edge itself is not repeated: 2 1 | 0 1 2 3 | 2 1.
fn mirrored(cx: &mut Builder, x: Value, axis: usize, (before, after): (usize, usize)) -> Result<Value, OpError> {
    if (before, after) == (0, 0) {
        return Ok(x);
    }
    let size = cx.graph.shape(x).get(axis).copied().unwrap_or(1);
    let mut line = |at: usize| cx.graph.slice(x, axis as isize, at, at + 1);
    let mut parts = (1..=before).rev().map(&mut line).collect::<Result<Vec<_>, _>>()?;
    parts.push(x);
    for i in 1..=after {
        parts.push(line(size - 1 - i)?);
    }
    cx.graph.concat(&parts, axis as isize)
}
