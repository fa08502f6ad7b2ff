//! The layer `transpose`: a sequence of vectors as channels of numbers, and back.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use crate::registry::fields;

fields! {
    /// Swaps the two dimensions of a sample: steps of vectors become channels of numbers, and the other way round.
    #[schemars(title = "Transpose")]
    Transpose {}
}

impl SimpleLayer for Transpose {
    fn label(&self) -> String {
        "transpose".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let &[a, b] = input.shape.as_slice() else {
            let message = format!("transpose expects a sequence of vectors or channels of numbers, gets {input}.");
            return Err(UserError::new(message).hint("Put it behind an `embedding` or a `patch_embedding`."));
        };
        if input.lengths.is_some() {
            let message = "transpose would mix up the padding of sequences of several lengths with what counts.";
            return Err(UserError::new(message).hint("Put it behind data whose sequences are all of one length."));
        }
        Ok(Inferred::numbers([b, a]))
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.graph.transpose(x)
    }

    fn torch(&self, _: &Resolved) -> String {
        "Transpose()".to_string()
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(TRANSPOSE)
    }
}

const TRANSPOSE: &str = "\
class Transpose(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)
";
