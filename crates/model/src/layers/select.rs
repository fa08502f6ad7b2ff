//! The layer `select`: one vector of a sequence, as `torch.select` along the steps.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use super::positions::sequence;
use crate::registry::fields;

fields! {
    /// Takes one vector of a sequence and leaves the others.
    #[schemars(title = "Select")]
    Select {
        /// Which; 0 is the first.
        #[schemars(title = "Place", range(min = 0, max = 65535))]
        index: usize = 0,
    }
}

impl SimpleLayer for Select {
    fn label(&self) -> String {
        format!("select {}", self.index)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (steps, width) = sequence("select", input)?;
        if self.index >= steps {
            let message = format!("The sequence has {steps} vectors, so none at place {}.", self.index);
            return Err(UserError::at("index", message).hint(format!("Choose from 0, the first, to {}.", steps - 1)));
        }
        if self.index > 0 && input.lengths.is_some() {
            let message = "Sequences end at different places, and some may end before this one.";
            return Err(UserError::at("index", message).hint("Take the first, 0, or use `mean_over_time`."));
        }
        Ok(Inferred::numbers([width]))
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        let one = cx.graph.slice(x, 1, self.index, self.index + 1)?;
        let &[rows, _, width] = &cx.graph.shape(one)[..] else { return Ok(one) };
        cx.graph.reshape(one, [rows, width])
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("Select({})", self.index)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(SELECT)
    }
}

const SELECT: &str = "\
class Select(nn.Module):
    def __init__(self, index):
        super().__init__()
        self.index = index

    def forward(self, x):
        return x.select(1, self.index)
";
