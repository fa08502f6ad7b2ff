//! The layers `max_pool2d` and `avg_pool2d`, as in `torch.nn`.

use downhill_graph::ops::{Convolution, Pooling};
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::conv2d::{image, places};
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Keeps the largest number of each small window: what was found stays, where exactly is forgotten.
    #[schemars(title = "Max pool 2D")]
    MaxPool2d {
        /// Height and width of a window.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 2,
        /// How far a window moves from a place to the next; 0 for as far as it is wide.
        #[schemars(title = "Stride", range(min = 0, max = 64))]
        stride: usize = 0,
        /// Border on each side, which is never the largest.
        #[schemars(title = "Padding", range(min = 0, max = 32))]
        padding: usize = 0,
    }
}

fields! {
    /// Replaces each small window by its mean.
    #[schemars(title = "Average pool 2D")]
    AvgPool2d {
        /// Height and width of a window.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 2,
        /// How far a window moves from a place to the next; 0 for as far as it is wide.
        #[schemars(title = "Stride", range(min = 0, max = 64))]
        stride: usize = 0,
        /// Border of zeros on each side.
        #[schemars(title = "Padding", range(min = 0, max = 32))]
        padding: usize = 0,
        /// Whether the zeros of the border count for the mean.
        #[schemars(title = "Count the border")]
        count_include_pad: bool = true,
    }
}

fn pooling(kernel: usize, stride: usize, padding: usize, count_include_pad: bool) -> Pooling {
    let stride = if stride == 0 { kernel } else { stride };
    Pooling { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], count_include_pad }
}

fn infer(layer: &str, pooling: &Pooling, input: &Port) -> Result<Inferred, UserError> {
    let [channels, height, width] = image(layer, input)?;
    let Pooling { kernel: [kernel, _], stride, padding: [padding, _], .. } = *pooling;
    if 2 * padding > kernel {
        let message = format!("{layer}: a border of {padding} is more than half a window of {kernel}.");
        return Err(UserError::at("padding", message).hint(format!("Lower it to {}.", kernel / 2)));
    }
    let slide = Convolution { stride, padding: [(padding, padding); 2], ..Convolution::default() };
    let [down, across] = places(layer, &slide, [height, width], kernel)?;
    Ok(Inferred::numbers([channels, down, across]).flops(elements(&[channels, down, across, kernel, kernel])))
}

fn torch(module: &str, pooling: &Pooling) -> String {
    let Pooling { kernel: [kernel, _], stride: [stride, _], padding: [padding, _], count_include_pad } = *pooling;
    let mut text = format!("nn.{module}({kernel}");
    if stride != kernel {
        text.push_str(&format!(", stride={stride}"));
    }
    if padding != 0 {
        text.push_str(&format!(", padding={padding}"));
    }
    if !count_include_pad {
        text.push_str(", count_include_pad=False");
    }
    text + ")"
}

impl MaxPool2d {
    fn pooling(&self) -> Pooling {
        pooling(self.kernel_size, self.stride, self.padding, true)
    }
}

impl SimpleLayer for MaxPool2d {
    fn label(&self) -> String {
        format!("max pool {0}×{0}", self.kernel_size)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        infer("max_pool2d", &self.pooling(), input)
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.graph.max_pool2d(self.pooling(), x)
    }

    fn torch(&self, _: &Resolved) -> String {
        torch("MaxPool2d", &self.pooling())
    }
}

impl AvgPool2d {
    fn pooling(&self) -> Pooling {
        pooling(self.kernel_size, self.stride, self.padding, self.count_include_pad)
    }
}

impl SimpleLayer for AvgPool2d {
    fn label(&self) -> String {
        format!("avg pool {0}×{0}", self.kernel_size)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        infer("avg_pool2d", &self.pooling(), input)
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.graph.avg_pool2d(self.pooling(), x)
    }

    fn torch(&self, _: &Resolved) -> String {
        torch("AvgPool2d", &self.pooling())
    }
}
