//! A part of attention that is left out, to see what the network says without it: a head, or what one query takes from one key.

use downhill_graph::{Graph, OpError, Value};

/// Name, after a layer's path, of the weights that it looks with: `model[2].attention`, `[rows, heads, queries, keys]`.
pub const WEIGHTS: &str = "attention";

/// The same of a layer's second attention, to another sequence.
pub const CROSS_WEIGHTS: &str = "cross_attention";

/// Begin of the names of outputs without a part: `output:without:model[2].attention:0` is what the network says without the first head of the layer at
/// `model[2]`, `output:without:model[2].attention:0:5:3` without what its sixth query takes from its fourth key.
const WITHOUT: &str = "output:without:";

/// A head of the layer at a path, or a query and a key of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ablation {
    /// Path of the layer.
    pub path: String,
    /// Which attention of the layer: [`WEIGHTS`] or [`CROSS_WEIGHTS`].
    pub looks: &'static str,
    /// The head, counted from 0.
    pub head: usize,
    /// Query and key; the whole head where there are none.
    pub cell: Option<[usize; 2]>,
}

/// Whether this is the name of an output without a part of the network.
pub fn is_without(name: &str) -> bool {
    name.starts_with(WITHOUT)
}

impl Ablation {
    /// What the name of an output leaves out.
    pub fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(WITHOUT)?.split(':');
        let (path, looks) = parts.next()?.rsplit_once('.')?;
        let looks = [WEIGHTS, CROSS_WEIGHTS].into_iter().find(|name| *name == looks)?;
        let path = path.to_string();
        let numbers: Vec<usize> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
        match numbers[..] {
            [head] => Some(Self { path, looks, head, cell: None }),
            [head, query, key] => Some(Self { path, looks, head, cell: Some([query, key]) }),
            _ => None,
        }
    }

    /// What the heads give, `[rows, queries, heads · width]`, without this part. A weight that is left out is not made up for by the others. `weights` are
    /// `[rows, heads, queries, keys]`; the head's values are `width` columns of `values` `[rows, keys, …]` from `column` on.
    pub fn apply(
        &self,
        graph: &mut Graph,
        out: Value,
        weights: Value,
        (values, column): (Value, usize),
        width: usize,
    ) -> Result<Value, OpError> {
        let &[rows, queries, columns] = &graph.shape(out).clone()[..] else {
            return Err(OpError::new("ablation", "wants a batch of sequences"));
        };
        let (start, end) = (self.head * width, (self.head + 1) * width);
        let mut part = match self.cell {
            None => graph.slice(out, 2, start, end)?,
            Some([query, key]) => {
                let mut weight = weights;
                for (axis, at) in [(1, self.head), (2, query), (3, key)] {
                    weight = graph.slice(weight, axis, at, at + 1)?;
                }
                let weight = graph.reshape(weight, [rows, 1, 1])?;
                let value = graph.slice(values, 1, key, key + 1)?;
                let value = graph.slice(value, 2, column, column + width)?;
                let taken = graph.mul(weight, value)?;
                graph.pad(taken, &[(1, query, queries - query - 1)], 0.0)?
            }
        };
        part = graph.pad(part, &[(2, start, columns - end)], 0.0)?;
        graph.sub(out, part)
    }
}
