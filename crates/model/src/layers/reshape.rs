//! The layer `reshape`: the numbers of a sample as an image.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// Arranges the numbers of a sample as an image, channel by channel and row by row.
    #[schemars(title = "Reshape")]
    Reshape {
        /// Number of channels.
        #[schemars(title = "Channels", range(min = 1, max = 4096))]
        channels: usize = 1,
        /// Rows of pixels.
        #[schemars(title = "Height", range(min = 1, max = 4096))]
        height: usize = 8,
        /// Pixels in a row.
        #[schemars(title = "Width", range(min = 1, max = 4096))]
        width: usize = 8,
    }
}

impl Reshape {
    fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}

impl SimpleLayer for Reshape {
    fn label(&self) -> String {
        format!("reshape {}×{}×{}", self.channels, self.height, self.width)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (has, wants) = (elements(&input.shape), elements(&self.shape()));
        if has != wants {
            let message = format!("reshape: {input} are {has} numbers, which do not make an image of {wants}.");
            return Err(UserError::new(message).hint(format!("Let channels · height · width be {has}.")));
        }
        Ok(Inferred::numbers(self.shape()))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let rows = cx.graph.shape(x).first().copied().unwrap_or(1);
        cx.reshape(x, rows, &at.output.shape)
    }

    fn torch(&self, at: &Resolved) -> String {
        let [channels, height, width] = self.shape();
        let unflatten = format!("nn.Unflatten(1, ({channels}, {height}, {width}))");
        if at.input().shape.len() == 1 { unflatten } else { format!("nn.Sequential(nn.Flatten(), {unflatten})") }
    }
}
