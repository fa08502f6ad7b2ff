//! The layer `patch_embedding`: an image as a sequence of its patches, each as a vector (A. Dosovitskiy et al., 2020).

use downhill_graph::ops::Convolution;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::Init;
use super::conv::image;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Cuts an image into square patches and learns a vector for each: a sequence, row by row.
    #[schemars(title = "Patch embedding")]
    PatchEmbedding {
        /// Height and width of a patch, which divide those of the image.
        #[schemars(title = "Patch", range(min = 1, max = 64))]
        patch_size: usize = 4,
        /// Numbers of a vector.
        #[schemars(title = "Width", range(min = 1, max = 4096))]
        dim: usize = 32,
        /// How the weights are drawn at the start.
        #[schemars(title = "Initial weights")]
        init: Init = Init::default(),
    }
}

impl SimpleLayer for PatchEmbedding {
    fn label(&self) -> String {
        format!("patches {0}×{0}, {1}", self.patch_size, self.dim)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let [channels, height, width] = image("patch_embedding", input)?;
        let side = self.patch_size;
        if !height.is_multiple_of(side) || !width.is_multiple_of(side) {
            let message = format!("patch_embedding: an image of {height}×{width} cannot be cut into patches of {side}×{side}.");
            return Err(UserError::at("patch_size", message).hint("Choose a number that divides both height and width."));
        }
        let patches = (height / side) * (width / side);
        let fan_in = channels * side * side;
        let mut inferred = Inferred::numbers([patches, self.dim]).flops(elements(&[2, patches, fan_in, self.dim]));
        inferred.parameter("proj.weight", &[self.dim, channels, side, side], self.init.weight(fan_in, self.dim));
        inferred.parameter("proj.bias", &[self.dim], self.init.bias(fan_in));
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let slide = Convolution { stride: [self.patch_size; 2], ..Convolution::default() };
        let (weight, bias) = (cx.parameter(at, "proj.weight")?, cx.parameter(at, "proj.bias")?);
        let y = cx.graph.conv2d(slide, x, weight, Some(bias))?;
        let &[rows, dim, down, across] = &cx.graph.shape(y)[..] else { return Ok(y) };
        let channels = cx.graph.reshape(y, [rows, dim, down * across])?;
        cx.graph.transpose(channels)
    }

    fn torch(&self, at: &Resolved) -> String {
        format!("PatchEmbedding({}, {}, {})", at.input().shape.first().unwrap_or(&0), self.dim, self.patch_size)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(PATCH_EMBEDDING)
    }
}

const PATCH_EMBEDDING: &str = "\
class PatchEmbedding(nn.Module):
    def __init__(self, channels, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)
";
