//! The layers `max_pool1d`, `max_pool2d`, `avg_pool1d` and `avg_pool2d`, as in `torch.nn`.

use downhill_graph::ops::{Convolution, Pooling};
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::conv::{as_images, extent, of_axes, places};
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements, times};
use crate::registry::fields;

fields! {
    /// Keeps the largest of every few numbers of a line: what was found stays, where exactly is forgotten.
    #[schemars(title = "Max pool 1D")]
    MaxPool1d {
        /// Length of a window.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 2,
        /// How far a window moves from a place to the next; 0 for as far as it is long.
        #[schemars(title = "Stride", range(min = 0, max = 64))]
        stride: usize = 0,
        /// Border on each side, which is never the largest.
        #[schemars(title = "Padding", range(min = 0, max = 32))]
        padding: usize = 0,
    }
}

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
    /// Replaces every few numbers of a line by their mean.
    #[schemars(title = "Average pool 1D")]
    AvgPool1d {
        /// Length of a window.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 2,
        /// How far a window moves from a place to the next; 0 for as far as it is long.
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

/// A window that slides over one axis or two.
struct Sliding {
    name: &'static str,
    axes: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    /// Whether a mean counts the border; nothing where the largest is kept.
    average: Option<bool>,
}

impl Sliding {
    fn pooling(&self) -> Pooling {
        let stride = if self.stride == 0 { self.kernel } else { self.stride };
        Pooling {
            kernel: of_axes(self.axes, 1, self.kernel),
            stride: of_axes(self.axes, 1, stride),
            padding: of_axes(self.axes, 0, self.padding),
            count_include_pad: self.average.unwrap_or(true),
        }
    }

    fn label(&self) -> String {
        let kind = if self.average.is_some() { "avg" } else { "max" };
        format!("{kind} pool {}", times(&of_axes(self.axes, 1, self.kernel)[2 - self.axes..]))
    }

    fn infer(&self, input: &Port) -> Result<Inferred, UserError> {
        let [channels, height, width] = extent(self.name, self.axes, input)?;
        let (kernel, padding) = (self.kernel, self.padding);
        if 2 * padding > kernel {
            let message = format!("{}: a border of {padding} is more than half a window of {kernel}.", self.name);
            return Err(UserError::at("padding", message).hint(format!("Lower it to {}.", kernel / 2)));
        }
        let pooling = self.pooling();
        let padding = pooling.padding.map(|n| (n, n));
        let slide = Convolution { stride: pooling.stride, padding, ..Convolution::default() };
        let places = places(self.name, self.axes, &slide, [height, width], pooling.kernel)?;
        let output: Vec<usize> = [channels].into_iter().chain(places[2 - self.axes..].iter().copied()).collect();
        let flops = elements(&output).saturating_mul(elements(&pooling.kernel));
        Ok(Inferred::numbers(output).flops(flops))
    }

    fn build(&self, cx: &mut Builder, x: Value) -> Result<Value, OpError> {
        as_images(cx, x, |cx, x| match self.average {
            Some(_) => cx.graph.avg_pool2d(self.pooling(), x),
            None => cx.graph.max_pool2d(self.pooling(), x),
        })
    }

    fn torch(&self) -> String {
        let kind = if self.average.is_some() { "Avg" } else { "Max" };
        let mut text = format!("nn.{kind}Pool{}d({}", self.axes, self.kernel);
        if self.stride != 0 && self.stride != self.kernel {
            text.push_str(&format!(", stride={}", self.stride));
        }
        if self.padding != 0 {
            text.push_str(&format!(", padding={}", self.padding));
        }
        if self.average == Some(false) {
            text.push_str(", count_include_pad=False");
        }
        text + ")"
    }
}

/// What all of these layers say through their [`Sliding`].
macro_rules! pools {
    ($($name:ident: $layer:literal, $axes:literal, $average:expr;)*) => {$(
        impl $name {
            fn sliding(&self) -> Sliding {
                let average: fn(&Self) -> Option<bool> = $average;
                let (kernel, stride, padding) = (self.kernel_size, self.stride, self.padding);
                Sliding { name: $layer, axes: $axes, kernel, stride, padding, average: average(self) }
            }
        }

        impl SimpleLayer for $name {
            fn label(&self) -> String {
                self.sliding().label()
            }

            fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
                self.sliding().infer(input)
            }

            fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
                self.sliding().build(cx, x)
            }

            fn torch(&self, _: &Resolved) -> String {
                self.sliding().torch()
            }
        }
    )*};
}

pools! {
    MaxPool1d: "max_pool1d", 1, |_| None;
    MaxPool2d: "max_pool2d", 2, |_| None;
    AvgPool1d: "avg_pool1d", 1, |layer| Some(layer.count_include_pad);
    AvgPool2d: "avg_pool2d", 2, |layer| Some(layer.count_include_pad);
}
