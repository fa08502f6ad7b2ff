//! The layer `conv_transpose2d`: the way back of a convolution, which makes images larger, as `torch.nn.ConvTranspose2d`.

use downhill_graph::ops::Convolution;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::Init;
use super::conv::{check_groups, image};
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Every number of the image paints a kernel into a larger one, and where they overlap they add up.
    #[schemars(title = "Transposed conv 2D")]
    ConvTranspose2d {
        /// Number of channels that it gives.
        #[schemars(title = "Channels", range(min = 1, max = 4096))]
        out_channels: usize = 8,
        /// Height and width of a kernel.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 3,
        /// How far the kernels of neighbours lie apart: how many times larger the image becomes.
        #[schemars(title = "Stride", range(min = 1, max = 64))]
        stride: usize = 1,
        /// What is cut off on each side.
        #[schemars(title = "Padding", range(min = 0, max = 64))]
        padding: usize = 0,
        /// Rows and columns added below and to the right, less than the stride.
        #[schemars(title = "Output padding", range(min = 0, max = 63))]
        output_padding: usize = 0,
        /// Parts of the channels that do not meet.
        #[schemars(title = "Groups", range(min = 1, max = 4096))]
        groups: usize = 1,
        /// Whether a learned constant is added to every channel.
        #[schemars(title = "Bias")]
        bias: bool = true,
        /// How far the pixels that a kernel paints lie apart.
        #[schemars(title = "Dilation", range(min = 1, max = 64))]
        dilation: usize = 1,
        /// How the weights are drawn at the start.
        #[schemars(title = "Initial weights")]
        init: Init = Init::default(),
    }
}

impl ConvTranspose2d {
    /// The convolution whose way back it is.
    fn convolution(&self) -> Convolution {
        let (padding, dilation) = ([(self.padding, self.padding); 2], [self.dilation; 2]);
        Convolution { stride: [self.stride; 2], padding, dilation, groups: self.groups }
    }

    /// The size that a side becomes; nothing where the padding cuts all of it off.
    fn side(&self, n: usize) -> Option<usize> {
        let grown = n.saturating_sub(1).saturating_mul(self.stride);
        let all = grown.saturating_add(self.dilation * (self.kernel_size - 1) + self.output_padding + 1);
        all.checked_sub(2 * self.padding).filter(|&side| side > 0)
    }
}

impl SimpleLayer for ConvTranspose2d {
    fn label(&self) -> String {
        format!("conv transpose {}, {1}×{1}", self.out_channels, self.kernel_size)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let [channels, height, width] = image("conv_transpose2d", input)?;
        check_groups("conv_transpose2d", self.groups, channels, self.out_channels)?;
        if self.output_padding >= self.stride {
            let (added, stride) = (self.output_padding, self.stride);
            let message = format!("conv_transpose2d: an output padding of {added} is not less than the stride, {stride}.");
            return Err(UserError::at("output_padding", message).hint(format!("Lower it to {} or less.", stride - 1)));
        }
        let (Some(down), Some(across)) = (self.side(height), self.side(width)) else {
            let message = format!("conv_transpose2d: a padding of {} cuts off all that {input} becomes.", self.padding);
            return Err(UserError::at("padding", message).hint("Lower `padding`, or raise `kernel_size` or `stride`."));
        };
        // PyTorch draws by the second dimension of the weight, which here is that of the outputs.
        let taps = self.kernel_size * self.kernel_size;
        let fans = [self.out_channels, channels].map(|n| n / self.groups * taps);
        let flops = elements(&[2, fans[0], channels, height, width]);
        let mut inferred = Inferred::numbers([self.out_channels, down, across]).flops(flops);
        let shape = [channels, self.out_channels / self.groups, self.kernel_size, self.kernel_size];
        inferred.parameter("weight", &shape, self.init.weight(fans[0], fans[1]));
        if self.bias {
            inferred.parameter("bias", &[self.out_channels], self.init.bias(fans[0]));
        }
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let weight = cx.parameter(at, "weight")?;
        let bias = if self.bias { Some(cx.parameter(at, "bias")?) } else { None };
        let &[_, down, across] = at.output.shape.as_slice() else {
            return Err(OpError::new("conv_transpose2d", "it does not give an image"));
        };
        cx.graph.conv_transpose2d((self.convolution(), [down, across]), x, weight, bias)
    }

    fn torch(&self, at: &Resolved) -> String {
        let channels = at.input().shape.first().unwrap_or(&0);
        let mut text = format!("nn.ConvTranspose2d({channels}, {}, {}", self.out_channels, self.kernel_size);
        for (name, value, default) in [
            ("stride", self.stride, 1),
            ("padding", self.padding, 0),
            ("output_padding", self.output_padding, 0),
            ("groups", self.groups, 1),
            ("dilation", self.dilation, 1),
        ] {
            if value != default {
                text.push_str(&format!(", {name}={value}"));
            }
        }
        if self.bias { text + ")" } else { text + ", bias=False)" }
    }
}
