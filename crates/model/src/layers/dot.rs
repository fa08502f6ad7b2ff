//! The layer `dot`: how alike vectors are to one that was named elsewhere.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, elements};
use super::wiring::{both, check_from};
use crate::registry::fields;

fields! {
    /// The scalar product of every vector of a sequence with one that was named elsewhere: a number for each.
    #[schemars(title = "Dot")]
    Dot {
        /// Name of the one vector: one that a `name` layer before this gave.
        #[schemars(title = "From", length(max = 40))]
        from: String = String::new(),
    }
}

impl LayerDef for Dot {
    fn label(&self) -> String {
        format!("dot {}", self.from)
    }

    fn validate(&self) -> Result<(), UserError> {
        check_from(&self.from)
    }

    fn infer(&self, _: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let (before, named) = both(inputs);
        let &[steps, width] = before.shape.as_slice() else {
            let message = format!("dot expects a sequence of vectors, gets {before}.");
            return Err(UserError::new(message).hint("Put it behind an `embedding`."));
        };
        if named.shape.iter().product::<usize>() != width {
            let message = format!("dot multiplies vectors of {width} numbers with `{}`, which is {named}.", self.from);
            return Err(UserError::new(message).hint("Give both the same number of dimensions, and name a single vector."));
        }
        let output = Port { lengths: before.lengths.clone(), ..Port::numbers([steps]) };
        Ok(Inferred::new(output).flops(2 * elements(&before.shape)))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let (before, named) = both(inputs);
        let rows = cx.graph.shape(*named).first().copied().unwrap_or(1);
        let width = at.input().shape.last().copied().unwrap_or(1);
        let one = cx.graph.reshape(*named, [rows, 1, width])?;
        let products = cx.graph.mul(*before, one)?;
        cx.graph.sum(products, &[-1], false)
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("Dot(wires, \"{}\")", self.from)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(DOT)
    }

    fn from(&self) -> Option<&str> {
        Some(&self.from)
    }
}

const DOT: &str = "\
class Dot(nn.Module):
    def __init__(self, wires, name):
        super().__init__()
        self.wires, self.name = wires, name

    def forward(self, x):
        return (x * self.wires[\"name \" + self.name].flatten(1).unsqueeze(1)).sum(dim=-1)
";
