//! The layer `adaptive_avg_pool2d`: means over as many windows as are asked for, as `torch.nn.AdaptiveAvgPool2d`.

use downhill_graph::ops::Pooling;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::conv::image;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Means of every channel over a grid of windows, whatever the size of the image; with one window, over all of it (global average pooling).
    #[schemars(title = "Adaptive average pool 2D")]
    AdaptiveAvgPool2d {
        /// Height and width of what it gives.
        #[schemars(title = "Size", range(min = 1, max = 64))]
        output_size: usize = 1,
    }
}

impl SimpleLayer for AdaptiveAvgPool2d {
    fn label(&self) -> String {
        if self.output_size == 1 { "global avg pool".to_string() } else { format!("avg pool to {0}×{0}", self.output_size) }
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let [channels, ..] = image("adaptive_avg_pool2d", input)?;
        Ok(Inferred::numbers([channels, self.output_size, self.output_size]).flops(elements(&input.shape)))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let (&[_, height, width], size) = (at.input().shape.as_slice(), self.output_size) else {
            return Err(OpError::new("adaptive_avg_pool2d", "it does not get an image"));
        };
        if height.is_multiple_of(size) && width.is_multiple_of(size) {
            let kernel = [height / size, width / size];
            let pooling = Pooling { kernel, stride: kernel, padding: [0; 2], count_include_pad: true };
            return cx.graph.avg_pool2d(pooling, x);
        }
        let x = along(cx, x, 2, height, size)?;
        along(cx, x, 3, width, size)
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("nn.AdaptiveAvgPool2d({})", self.output_size)
    }
}

/// Means along one axis. Window `i` of `size` begins at `⌊i·n/size⌋` and ends before `⌈(i+1)·n/size⌉`, so that neighbours may share an element:
/// of 5 elements 3 windows see 0 1 | 1 2 3 | 3 4.
fn along(cx: &mut Builder, x: Value, axis: isize, n: usize, size: usize) -> Result<Value, OpError> {
    let mean = |i: usize| {
        let window = cx.graph.slice(x, axis, i * n / size, ((i + 1) * n).div_ceil(size))?;
        cx.graph.mean(window, &[axis], true)
    };
    let means = (0..size).map(mean).collect::<Result<Vec<_>, _>>()?;
    cx.graph.concat(&means, axis)
}
