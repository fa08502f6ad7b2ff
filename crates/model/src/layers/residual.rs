//! The layer `residual`: a list of layers with a way around it.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use serde_json::Value as Json;

use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, first, torch_list};
use super::{Layer, list_schema, read_list, write_list};
use crate::registry::{Described, Fields, Reader};

/// Adds its input to what the layers inside make of it: `y = x + f(x)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Residual {
    /// f.
    pub body: Vec<Layer>,
}

impl Fields for Residual {
    fn read(&mut self, _: &Json, value: &Json, reader: &mut Reader) -> Result<(), UserError> {
        self.body = read_list(value, reader)?;
        Ok(())
    }

    fn write(&self, _: &Json) -> Json {
        write_list(&self.body, false)
    }

    fn write_full(&self) -> Json {
        write_list(&self.body, true)
    }
}

impl Described for Residual {
    fn generate_schema() -> Json {
        list_schema("Residual", "Adds its input to what the layers inside make of it.")
    }
}

impl LayerDef for Residual {
    fn label(&self) -> String {
        "residual".to_string()
    }

    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let input = first(inputs);
        let body = cx.list("", None, &self.body, input)?;
        let output = body.last().map_or(input, |layer| &layer.output);
        if output.shape != input.shape {
            let message = format!("residual adds its input, {input}, to what its layers give, {output}; both must be alike.");
            let width = input.shape.last().copied().unwrap_or_default();
            return Err(UserError::new(message).hint(format!("Let its last linear layer have {width} outputs.")));
        }
        Ok(Inferred::new(input.clone()).branch(body))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let x = *first(inputs);
        let y = cx.list(&self.body, at.branch(0), x)?;
        cx.graph.plus(x, y)
    }

    fn torch(&self, at: &Resolved) -> String {
        format!("Residual({})", torch_list(&self.body, at.branch(0)))
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(RESIDUAL)
    }

    fn branches(&self) -> Vec<&[Layer]> {
        vec![&self.body]
    }
}

const RESIDUAL: &str = "\
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)
";
