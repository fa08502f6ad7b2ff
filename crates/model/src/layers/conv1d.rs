//! The layer `conv1d`: a kernel that slides along a line, as `torch.nn.Conv1d`.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::Init;
use super::conv::{Padding, PaddingMode, Sliding};
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use crate::registry::fields;

fields! {
    /// Every output channel is a small kernel that slides along the numbers of all channels and looks for the same thing everywhere.
    #[schemars(title = "Conv 1D")]
    Conv1d {
        /// Number of kernels, each of which gives a channel.
        #[schemars(title = "Channels", range(min = 1, max = 4096))]
        out_channels: usize = 8,
        /// Length of a kernel.
        #[schemars(title = "Kernel", range(min = 1, max = 64))]
        kernel_size: usize = 3,
        /// How far a kernel moves from a place to the next.
        #[schemars(title = "Stride", range(min = 1, max = 64))]
        stride: usize = 1,
        /// Border on each side, or "same" for an output as long as the input.
        #[schemars(title = "Padding")]
        padding: Padding = Padding::Pixels(0),
        /// How far the numbers that a kernel sees lie apart.
        #[schemars(title = "Dilation", range(min = 1, max = 64))]
        dilation: usize = 1,
        /// Parts of the channels that do not meet; as many as channels make each a line of its own.
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

impl Conv1d {
    fn sliding(&self) -> Sliding {
        let Self { out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, ref init } = *self;
        Sliding {
            name: "conv1d",
            axes: 1,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            init: init.clone(),
        }
    }
}

impl SimpleLayer for Conv1d {
    fn label(&self) -> String {
        self.sliding().label()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        self.sliding().infer(input)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        self.sliding().build(cx, at, x)
    }

    fn torch(&self, at: &Resolved) -> String {
        self.sliding().torch(at)
    }
}
