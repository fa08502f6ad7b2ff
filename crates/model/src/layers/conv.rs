//! What layers that slide a kernel over images or lines share: their sizes, borders, weights and how PyTorch writes them. Which fields each
//! has stands in its own file.

use downhill_graph::ops::Convolution;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Init;
use super::def::{Builder, Inferred, Port, Resolved, elements, times};

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

/// A kernel that slides over one axis or two. A line is an image of one row: its kernel is one row high.
pub(super) struct Sliding {
    /// Name of the layer.
    pub name: &'static str,
    /// 1 for a line, 2 for an image.
    pub axes: usize,
    /// Kernels.
    pub out_channels: usize,
    /// Taps along an axis.
    pub kernel_size: usize,
    /// How far it moves.
    pub stride: usize,
    /// Border.
    pub padding: Padding,
    /// How far taps lie apart.
    pub dilation: usize,
    /// Parts of the channels that do not meet.
    pub groups: usize,
    /// Whether a constant is added.
    pub bias: bool,
    /// What stands in the border.
    pub padding_mode: PaddingMode,
    /// How weights begin.
    pub init: Init,
}

/// Channels, height and width of what a layer gets: an image, or a line as an image of one row.
///
/// # Errors
/// When the layer gets something else.
pub(super) fn extent(layer: &str, axes: usize, input: &Port) -> Result<[usize; 3], UserError> {
    if axes == 2 { image(layer, input) } else { line(layer, input) }
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

/// Channels and length of a line, as an image of one row.
fn line(layer: &str, input: &Port) -> Result<[usize; 3], UserError> {
    let &[channels, length] = input.shape.as_slice() else {
        let message = format!("{layer} expects channels of numbers (channels × length), gets {input}.");
        let hint = if input.shape.len() == 3 {
            format!("Use `{}`, which takes images.", layer.replace("1d", "2d"))
        } else {
            "Give it what `transpose` makes of a sequence of vectors.".to_string()
        };
        return Err(UserError::new(message).hint(hint));
    };
    match input.lengths {
        None => Ok([channels, 1, length]),
        Some(_) => Err(UserError::new(format!("{layer} would slide over the padding of sequences of several lengths."))
            .hint("Use a recurrent layer, or attention.")),
    }
}

/// One number for every axis: images have two, a line has one row, for which `row` stands.
pub(super) fn of_axes(axes: usize, row: usize, n: usize) -> [usize; 2] {
    if axes == 2 { [n; 2] } else { [row, n] }
}

/// The sizes that a kernel leaves of an image or a line.
///
/// # Errors
/// When it is larger.
pub(super) fn places(
    layer: &str,
    axes: usize,
    slide: &Convolution,
    image: [usize; 2],
    kernel: [usize; 2],
) -> Result<[usize; 2], UserError> {
    match [0, 1].map(|axis| slide.places(axis, image[axis], kernel[axis])) {
        [Some(down), Some(across)] => Ok([down, across]),
        _ => {
            let what = if axes == 2 { "an image" } else { "a line" };
            let [kernel, image] = [kernel, image].map(|sizes| times(&sizes[2 - axes..]));
            let message = format!("{layer}: a kernel of {kernel} does not fit into {what} of {image}.");
            Err(UserError::at("kernel_size", message)
                .hint("Lower `kernel_size` or `dilation`, raise `padding`, or pool less before it."))
        }
    }
}

/// What `make` gives of `x` as images, where it is lines, as lines.
pub(super) fn as_images(
    cx: &mut Builder,
    x: Value,
    make: impl FnOnce(&mut Builder, Value) -> Result<Value, OpError>,
) -> Result<Value, OpError> {
    let &[rows, channels, length] = &cx.graph.shape(x)[..] else { return make(cx, x) };
    let x = cx.graph.reshape(x, [rows, channels, 1, length])?;
    let y = make(cx, x)?;
    let &[rows, channels, _, length] = &cx.graph.shape(y)[..] else { return Ok(y) };
    cx.graph.reshape(y, [rows, channels, length])
}

/// Refuses groups that do not share the channels evenly.
pub(super) fn check_groups(layer: &str, groups: usize, channels: usize, out: usize) -> Result<(), UserError> {
    if channels.is_multiple_of(groups) && out.is_multiple_of(groups) {
        return Ok(());
    }
    let message = format!("{layer}: {channels} channels in and {out} out cannot be shared evenly by {groups} groups.");
    Err(UserError::at("groups", message).hint("Choose a number that divides both, or 1."))
}

impl Sliding {
    fn convolution(&self) -> Convolution {
        let (before, after) = match self.padding {
            Padding::Pixels(n) => (n, n),
            Padding::Word(Same::Same) => {
                let all = self.dilation * (self.kernel_size - 1);
                (all / 2, all - all / 2)
            }
        };
        let above = if self.axes == 2 { (before, after) } else { (0, 0) };
        let [stride, dilation] = [self.stride, self.dilation].map(|n| of_axes(self.axes, 1, n));
        Convolution { stride, padding: [above, (before, after)], dilation, groups: self.groups }
    }

    fn kernel(&self) -> [usize; 2] {
        of_axes(self.axes, 1, self.kernel_size)
    }

    /// See [`SimpleLayer::label`](super::def::SimpleLayer::label).
    pub fn label(&self) -> String {
        format!("conv {}, {}", self.out_channels, times(&self.kernel()[2 - self.axes..]))
    }

    /// See [`SimpleLayer::infer`](super::def::SimpleLayer::infer).
    pub fn infer(&self, input: &Port) -> Result<Inferred, UserError> {
        let name = self.name;
        let [channels, height, width] = extent(name, self.axes, input)?;
        let slide = self.convolution();
        check_groups(name, self.groups, channels, self.out_channels)?;
        if matches!(self.padding, Padding::Word(_)) && self.stride > 1 {
            let message = format!("{name}: with a stride an output cannot be as large as its input.");
            return Err(UserError::at("padding", message).hint("Set `stride` to 1, or `padding` to a number."));
        }
        let border = slide.padding[1].0.max(slide.padding[1].1);
        let room = if self.axes == 2 { height.min(width) } else { width };
        if self.padding_mode == PaddingMode::Reflect && border >= room {
            let sizes = [height, width];
            let message = format!("{name}: a border of {border} cannot mirror {}.", times(&sizes[2 - self.axes..]));
            return Err(UserError::at("padding", message).hint("Lower it below every side, or use zeros."));
        }
        let kernel = self.kernel();
        let places = places(name, self.axes, &slide, [height, width], kernel)?;
        let [taps, spots] = [kernel, places].map(|sizes| sizes.iter().product::<usize>());
        let shape: Vec<usize> =
            [self.out_channels, channels / self.groups].into_iter().chain(kernel[2 - self.axes..].iter().copied()).collect();
        let fan_in = channels / self.groups * taps;
        let fan_out = self.out_channels * taps / self.groups;
        let output: Vec<usize> = [self.out_channels].into_iter().chain(places[2 - self.axes..].iter().copied()).collect();
        let flops = elements(&[2, fan_in, self.out_channels, spots]);
        let mut inferred = Inferred::numbers(output).flops(flops);
        inferred.parameter("weight", &shape, self.init.weight(fan_in, fan_out.max(1)));
        if self.bias {
            inferred.parameter("bias", &[self.out_channels], self.init.bias(fan_in));
        }
        Ok(inferred)
    }

    /// See [`SimpleLayer::build`](super::def::SimpleLayer::build).
    pub fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let mut weight = cx.parameter(at, "weight")?;
        let bias = if self.bias { Some(cx.parameter(at, "bias")?) } else { None };
        if let &[out, channels, taps] = &cx.graph.shape(weight)[..] {
            weight = cx.graph.reshape(weight, [out, channels, 1, taps])?;
        }
        as_images(cx, x, |cx, mut x| {
            let mut slide = self.convolution();
            if self.padding_mode == PaddingMode::Reflect {
                for axis in 0..2 {
                    x = mirrored(cx, x, 2 + axis, slide.padding[axis])?;
                }
                slide.padding = [(0, 0); 2];
            }
            cx.graph.conv2d(slide, x, weight, bias)
        })
    }

    /// See [`SimpleLayer::torch`](super::def::SimpleLayer::torch).
    pub fn torch(&self, at: &Resolved) -> String {
        let channels = at.input().shape.first().unwrap_or(&0);
        let mut text = format!("nn.Conv{}d({channels}, {}, {}", self.axes, self.out_channels, self.kernel_size);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::{Experiment, Signature, check};

    /// Why a layer cannot take a picture of one channel and 8×8 pixels, or, of lines, 16 channels of 5 numbers.
    fn refused(lines: bool, layer: Json) -> String {
        let before = if lines { json!({ "patch_embedding": { "patch_size": 2, "dim": 5 } }) } else { json!("tanh") };
        let model = json!(["reshape", before, layer, "flatten", { "linear": { "out": "classes" } }]);
        let experiment = Experiment::from_value(&json!({ "data": "digits", "model": model })).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_field_and_the_way_out() {
        let line = |layer: Json| refused(true, layer);
        let image = |layer: Json| refused(false, layer);
        let more = "Lower `kernel_size` or `dilation`, raise `padding`, or pool less before it.";
        assert_eq!(
            image(json!({ "conv2d": { "kernel_size": 9 } })),
            format!("model[2].conv2d.kernel_size: conv2d: a kernel of 9×9 does not fit into an image of 8×8. {more}")
        );
        assert_eq!(
            line(json!({ "conv1d": { "kernel_size": 3, "dilation": 3 } })),
            format!("model[2].conv1d.kernel_size: conv1d: a kernel of 3 does not fit into a line of 5. {more}")
        );
        assert_eq!(
            line(json!({ "max_pool1d": { "kernel_size": 6 } })),
            format!("model[2].max_pool1d.kernel_size: max_pool1d: a kernel of 6 does not fit into a line of 5. {more}")
        );
        let groups = "channels in and 9 out cannot be shared evenly by 4 groups. Choose a number that divides both, or 1.";
        let uneven = json!({ "out_channels": 9, "groups": 4 });
        assert_eq!(line(json!({ "conv1d": uneven })), format!("model[2].conv1d.groups: conv1d: 16 {groups}"));
        assert_eq!(
            image(json!({ "conv_transpose2d": uneven })),
            format!("model[2].conv_transpose2d.groups: conv_transpose2d: 1 {groups}")
        );
        assert_eq!(
            image(json!({ "conv_transpose2d": { "stride": 2, "output_padding": 2 } })),
            "model[2].conv_transpose2d.output_padding: conv_transpose2d: an output padding of 2 is not less than the stride, 2. Lower it to 1 or \
             less."
        );
        assert_eq!(
            image(json!({ "conv_transpose2d": { "padding": 6 } })),
            "model[2].conv_transpose2d.padding: conv_transpose2d: a padding of 6 cuts off all that 1×8×8 becomes. Lower `padding`, or raise \
             `kernel_size` or `stride`."
        );
        assert_eq!(
            line(json!({ "conv1d": { "padding": 5, "padding_mode": "reflect" } })),
            "model[2].conv1d.padding: conv1d: a border of 5 cannot mirror 5. Lower it below every side, or use zeros."
        );
        assert_eq!(
            image(json!({ "patch_embedding": { "patch_size": 3 } })),
            "model[2].patch_embedding.patch_size: patch_embedding: an image of 8×8 cannot be cut into patches of 3×3. Choose a number that \
             divides both height and width."
        );
        assert_eq!(
            image(json!("pixel_shuffle")),
            "model[2]: pixel_shuffle: 1 channels do not make squares of 2×2 pixels. Let the layer before it give a multiple of 4 channels, or \
             lower `upscale_factor`."
        );
        assert_eq!(
            image(json!("conv1d")),
            "model[2]: conv1d expects channels of numbers (channels × length), gets 1×8×8. Use `conv2d`, which takes images."
        );
        assert!(line(json!("conv2d")).starts_with("model[2]: conv2d expects an image (channels × height × width), gets 16×5."));
    }
}
