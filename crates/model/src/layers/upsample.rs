//! The layers that make images larger without weights: `upsample` and `pixel_shuffle`, as in `torch.nn`.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conv::image;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

/// What stands between the pixels of the smaller image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpsampleMode {
    /// Every pixel becomes a square.
    Nearest,
    /// A straight line from each pixel to the next, along both sides.
    Bilinear,
}

fields! {
    /// Makes an image larger by repeating its pixels, or by filling in between them.
    #[schemars(title = "Upsample")]
    Upsample {
        /// How many times higher and wider the image becomes.
        #[schemars(title = "Factor", range(min = 2, max = 16))]
        scale_factor: usize = 2,
        /// What stands between the pixels.
        #[schemars(title = "Mode")]
        mode: UpsampleMode = UpsampleMode::Nearest,
    }
}

fields! {
    /// Lays channels side by side as pixels: of four channels a single one of twice the height and width.
    #[schemars(title = "Pixel shuffle")]
    PixelShuffle {
        /// How many times higher and wider the image becomes.
        #[schemars(title = "Factor", range(min = 2, max = 16))]
        upscale_factor: usize = 2,
    }
}

impl SimpleLayer for Upsample {
    fn label(&self) -> String {
        format!("upsample ×{}", self.scale_factor)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let [channels, height, width] = image("upsample", input)?;
        let [height, width] = [height, width].map(|n| n.saturating_mul(self.scale_factor));
        Ok(Inferred::numbers([channels, height, width]).flops(elements(&[channels, height, width])))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let (&[channels, height, width], factor) = (at.input().shape.as_slice(), self.scale_factor) else {
            return Err(OpError::new("upsample", "it does not get an image"));
        };
        let rows = cx.graph.shape(x).first().copied().unwrap_or(1);
        let planes = rows * channels;
        let mut larger = x;
        for sides in [[planes, height, width], [planes * height * factor, width, 1]] {
            larger = match self.mode {
                UpsampleMode::Nearest => interleaved(cx, &vec![larger; factor], sides)?,
                UpsampleMode::Bilinear => between(cx, larger, sides, factor)?,
            };
        }
        cx.reshape(larger, rows, &at.output.shape)
    }

    fn torch(&self, _: &Resolved) -> String {
        match self.mode {
            UpsampleMode::Nearest => format!("nn.Upsample(scale_factor={})", self.scale_factor),
            UpsampleMode::Bilinear => format!("nn.Upsample(scale_factor={}, mode=\"bilinear\")", self.scale_factor),
        }
    }
}

/// Tensors `[a, n, b]` as one, `[a, n, parts, b]`. It lies there as it is, so that whatever follows walks over few dimensions.
fn interleaved(cx: &mut Builder, parts: &[Value], [a, n, b]: [usize; 3]) -> Result<Value, OpError> {
    let columns = parts.iter().map(|part| cx.graph.reshape(*part, [a, n, 1, b])).collect::<Result<Vec<_>, _>>()?;
    cx.graph.concat(&columns, 2)
}

/// `x` as `[a, n, b]` with `factor` numbers in place of each of the `n`: `[a, n, factor, b]`. The centre of number `p` of `factor` lies
/// `(p + ½) / factor − ½` from that of the old one, on the line to the neighbour on that side; beyond the edge the neighbour is the edge itself.
fn between(cx: &mut Builder, x: Value, [a, n, b]: [usize; 3], factor: usize) -> Result<Value, OpError> {
    let x = cx.graph.reshape(x, [a, n, b])?;
    let [first, last] = [0, n - 1].map(|at| cx.graph.slice(x, 1, at, at + 1));
    let (first, last) = (first?, last?);
    let (mut before, mut after) = (first, last);
    if n > 1 {
        let (head, tail) = (cx.graph.slice(x, 1, 0, n - 1)?, cx.graph.slice(x, 1, 1, n)?);
        before = cx.graph.concat(&[first, head], 1)?;
        after = cx.graph.concat(&[tail, last], 1)?;
    }
    let mut filled = Vec::with_capacity(factor);
    for p in 0..factor {
        let away = (p as f32 + 0.5) / factor as f32 - 0.5;
        let own = cx.graph.scale(1.0 - away.abs(), x)?;
        let neighbour = cx.graph.scale(away.abs(), if away < 0.0 { before } else { after })?;
        filled.push(cx.graph.plus(own, neighbour)?);
    }
    interleaved(cx, &filled, [a, n, b])
}

/// `x` `[a, count, b]` as `count` tensors `[a, 1, b]`.
fn parts(cx: &mut Builder, x: Value, count: usize) -> Result<Vec<Value>, OpError> {
    (0..count).map(|i| cx.graph.slice(x, 1, i, i + 1)).collect()
}

impl SimpleLayer for PixelShuffle {
    fn label(&self) -> String {
        format!("pixel shuffle ×{}", self.upscale_factor)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let [channels, height, width] = image("pixel_shuffle", input)?;
        let (factor, square) = (self.upscale_factor, self.upscale_factor * self.upscale_factor);
        if !channels.is_multiple_of(square) {
            let message = format!("pixel_shuffle: {channels} channels do not make squares of {factor}×{factor} pixels.");
            return Err(UserError::new(message)
                .hint(format!("Let the layer before it give a multiple of {square} channels, or lower `upscale_factor`.")));
        }
        let [height, width] = [height, width].map(|n| n.saturating_mul(factor));
        Ok(Inferred::numbers([channels / square, height, width]))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let &[channels, height, width] = at.input().shape.as_slice() else {
            return Err(OpError::new("pixel_shuffle", "it does not get an image"));
        };
        let (rows, factor) = (cx.graph.shape(x).first().copied().unwrap_or(1), self.upscale_factor);
        let planes = rows * channels / (factor * factor);
        // Of the two numbers of a channel within its square the second is laid along the rows, then the first along the columns.
        let across = cx.graph.reshape(x, [planes * factor, factor, height * width])?;
        let columns = parts(cx, across, factor)?;
        let wide = interleaved(cx, &columns, [planes * factor, height * width, 1])?;
        let down = cx.graph.reshape(wide, [planes, factor, height * width * factor])?;
        let lines = parts(cx, down, factor)?;
        let laid = interleaved(cx, &lines, [planes, height, width * factor])?;
        cx.reshape(laid, rows, &at.output.shape)
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("nn.PixelShuffle({})", self.upscale_factor)
    }
}
