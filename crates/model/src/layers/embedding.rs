//! The layer `embedding`: a learned vector for each token.

use downhill_graph::{OpError, Value};
use downhill_tensor::{Dtype, UserError};

use super::Draw;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use crate::registry::fields;

fields! {
    /// A learned vector for every token; how many tokens there are, the data says.
    #[schemars(title = "Embedding")]
    Embedding {
        /// Numbers per token.
        #[schemars(title = "Dimensions", range(min = 1, max = 4096))]
        dim: usize = 16,
        /// Standard deviation of the vectors at the start: PyTorch's 1, or less where an output shares them, such as GPT-2's 0.02.
        #[schemars(title = "Initial deviation", range(min = 0.0, max = 10.0))]
        std: f64 = 1.0,
        /// A token whose vector is zero and is not learned, such as what sequences are filled up with.
        #[schemars(title = "Padding token", range(min = 0, max = 1000000))]
        padding_idx: Option<usize> = None,
    }
}

impl SimpleLayer for Embedding {
    fn label(&self) -> String {
        format!("embedding {}", self.dim)
    }

    fn infer(&self, cx: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (Dtype::U32, Some(vocabulary)) = (input.dtype, input.vocabulary) else {
            let message = format!("embedding looks up tokens, but gets numbers, {input}.");
            return Err(UserError::new(message).hint("Remove it, or use data with tokens."));
        };
        let mut draw = Draw::Normal(self.std);
        if let Some(padding) = self.padding_idx {
            if padding >= vocabulary {
                let message = format!("The data has {vocabulary} tokens, from 0 to {}, so {padding} is none.", vocabulary - 1);
                return Err(UserError::at("padding_idx", message).hint("Sequences of this data are filled up with 0."));
            }
            draw = Draw::NormalAround { std: self.std, zeros: (padding * self.dim, (padding + 1) * self.dim) };
        }
        let shape: Vec<usize> = input.shape.iter().copied().chain([self.dim]).collect();
        let mut inferred = Inferred::new(Port { lengths: input.lengths.clone(), ..Port::numbers(shape) });
        inferred.table("weight", &[vocabulary, self.dim], draw);
        cx.share("weight", [vocabulary, self.dim], self.padding_idx.is_some());
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let mut weight = cx.parameter(at, "weight")?;
        if let Some(padding) = self.padding_idx {
            // The row stays zero because its factor is, and so is its gradient.
            let rows = cx.graph.shape(weight).first().copied().unwrap_or_default();
            let parts = [(padding, 1.0), (1, 0.0), (rows - padding - 1, 1.0)];
            let mut factors = Vec::with_capacity(parts.len());
            for (count, factor) in parts.into_iter().filter(|(count, _)| *count > 0) {
                factors.push(cx.graph.full([count, 1], factor)?);
            }
            let factors = cx.graph.concat(&factors, 0)?;
            weight = cx.graph.mul(weight, factors)?;
        }
        cx.graph.index_select(weight, x)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let vocabulary = at.input().vocabulary.unwrap_or_default();
        let padding = self.padding_idx.map(|token| format!(", padding_idx={token}")).unwrap_or_default();
        format!("nn.Embedding({vocabulary}, {}{padding})", self.dim)
    }

    fn takes_tokens(&self) -> bool {
        true
    }
}
