//! The layer `concat`: several lists of layers side by side.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use serde_json::{Value as Json, json};

use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, first, torch_list};
use super::side_by_side::{dim, joined};
use super::{Layer, list_schema, read_list, write_list};
use crate::registry::{Described, Fields, Reader};

/// Sends its input through several branches and puts their outputs side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Concat {
    /// The branches; an empty one passes its input on.
    pub branches: Vec<Vec<Layer>>,
}

/// More branches than this are nobody's intention.
const MAX_BRANCHES: usize = 16;

impl Fields for Concat {
    fn read(&mut self, _: &Json, value: &Json, reader: &mut Reader) -> Result<(), UserError> {
        let Some(items) = value.as_array() else {
            return Err(UserError::new("This must be a list of branches, each a list of layers.")
                .hint("Write { \"concat\": [ [ … ], [ … ] ] }."));
        };
        if items.is_empty() || items.len() > MAX_BRANCHES {
            return Err(UserError::new(format!("concat has between 1 and {MAX_BRANCHES} branches, not {}.", items.len()))
                .hint("Write { \"concat\": [ [ … ], [ … ] ] }."));
        }
        let read = |(i, item)| read_list(item, reader).map_err(|e: UserError| e.under(&format!("[{i}]")));
        self.branches = items.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn write(&self, _: &Json) -> Json {
        self.branches.iter().map(|branch| write_list(branch, false)).collect()
    }

    fn write_full(&self) -> Json {
        self.branches.iter().map(|branch| write_list(branch, true)).collect()
    }
}

impl Described for Concat {
    fn generate_schema() -> Json {
        json!({
            "title": "Concat",
            "description": "Sends its input through several branches and puts their outputs side by side.",
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_BRANCHES,
            "items": list_schema("Branch", "Layers of one branch; an empty list passes the input on."),
        })
    }
}

impl LayerDef for Concat {
    fn label(&self) -> String {
        format!("concat {}", self.branches.len())
    }

    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let input = first(inputs);
        let mut branches = Vec::with_capacity(self.branches.len());
        let mut whole: Option<Port> = None;
        for (i, branch) in self.branches.iter().enumerate() {
            let layers = cx.list(&format!("[{i}]"), Some(i), branch, input)?;
            let output = layers.last().map_or(input, |layer| &layer.output);
            whole = Some(match whole {
                None => output.clone(),
                Some(before) => {
                    joined("concat", &before, "this branch gives", output).map_err(|e| e.under(&format!("[{i}]")))?
                }
            });
            branches.push(layers);
        }
        Ok(branches.into_iter().fold(Inferred::new(whole.unwrap_or_else(|| input.clone())), Inferred::branch))
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let mut parts = Vec::with_capacity(self.branches.len());
        for (i, branch) in self.branches.iter().enumerate() {
            parts.push(cx.list(branch, at.branch(i), *first(inputs))?);
        }
        cx.graph.concat(&parts, dim(&at.output))
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let branch = |(i, layers): (usize, &Vec<Layer>)| format!("nn.Sequential({})", torch_list(layers, at.branch(i)));
        let branches = self.branches.iter().enumerate().map(branch).collect::<Vec<_>>().join(", ");
        if dim(&at.output) == -1 {
            format!("Concat({branches})")
        } else {
            format!("Concat({branches}, dim={})", dim(&at.output))
        }
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(CONCAT)
    }

    fn branches(&self) -> Vec<&[Layer]> {
        self.branches.iter().map(Vec::as_slice).collect()
    }
}

const CONCAT: &str = "\
class Concat(nn.ModuleList):
    def __init__(self, *branches, dim=-1):
        super().__init__(branches)
        self.dim = dim

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=self.dim)
";
