//! The layer `transformer_block`: attention and a feed-forward network, each with a norm and a way around it, named as
//! `torch.nn.TransformerEncoderLayer` names them.

use downhill_graph::{OpError, UnaryOp, Value};
use downhill_tensor::{UserError, apart};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Draw;
use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, first};
use super::linear::project;
use super::multi_head_attention::{ATTENTION, Heads, Memory, Names, WEIGHTS, python};
use super::positions::sequence;
use crate::registry::fields;

/// Which norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockNorm {
    /// Mean 0 and variance 1
    #[default]
    LayerNorm,
    /// Mean square 1
    RmsNorm,
}

/// The function inside the feed-forward network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedForward {
    /// gelu
    #[default]
    Gelu,
    /// gelu by its approximation with tanh, as GPT-2 has it
    GeluTanh,
    /// relu
    Relu,
    /// silu of one half times the other half
    Swiglu,
}

fields! {
    /// A block of a transformer: vectors of a sequence look at each other, then each is changed by itself.
    #[schemars(title = "Transformer block")]
    TransformerBlock {
        /// Number of heads; the numbers of a vector are divided among them.
        #[schemars(title = "Heads", range(min = 1, max = 64))]
        num_heads: usize = 4,
        /// Heads of keys and values, where several heads share them; as many as heads where nothing is said.
        #[schemars(title = "Heads of keys and values", range(min = 1, max = 64))]
        kv_heads: Option<usize> = None,
        /// Whether a vector looks only at itself and at what comes before it.
        #[schemars(title = "Causal")]
        causal: bool = false,
        /// How far it looks, itself counted; everything where nothing is said.
        #[schemars(title = "Window", range(min = 1, max = 65536))]
        window: Option<usize> = None,
        /// Whether queries and keys are turned by their position, so that what counts is the distance.
        #[schemars(title = "Rotary positions")]
        rotary: bool = false,
        /// Whether far vectors count less, each head by its own slope.
        #[schemars(title = "ALiBi")]
        alibi: bool = false,
        /// Whether every query and every key is given mean square 1, and then learned factors, before they meet: scores stay in bounds.
        #[schemars(title = "QK-norm")]
        qk_norm: bool = false,
        /// Units of the feed-forward network; four times the numbers of a vector where nothing is said.
        #[schemars(title = "Feed-forward units", range(min = 1, max = 16384))]
        dim_feedforward: Option<usize> = None,
        /// The function inside the feed-forward network.
        #[schemars(title = "Activation")]
        activation: FeedForward = FeedForward::Gelu,
        /// Which norm.
        #[schemars(title = "Norm")]
        norm: BlockNorm = BlockNorm::LayerNorm,
        /// Whether norms come before attention and feed-forward network, or behind what these add.
        #[schemars(title = "Norm first")]
        norm_first: bool = true,
        /// Share of what attention and feed-forward network add that is dropped while training.
        #[schemars(title = "Dropout", range(min = 0.0, max = 0.95))]
        dropout: f64 = 0.0,
    }
}

const NAMES: Names = Names {
    in_weight: "self_attn.in_proj_weight",
    in_bias: "self_attn.in_proj_bias",
    out_weight: "self_attn.out_proj.weight",
    out_bias: "self_attn.out_proj.bias",
    qk_norm: ["self_attn.q_norm.weight", "self_attn.k_norm.weight"],
    looks: WEIGHTS,
};

/// Names of weight and bias of the two norms.
pub(super) const NORMS: [[&str; 2]; 2] = [["norm1.weight", "norm1.bias"], ["norm2.weight", "norm2.bias"]];
/// Added to variances; PyTorch's of a layer norm.
const EPS: f32 = 1e-5;

impl TransformerBlock {
    fn heads(&self) -> Heads {
        let Self { num_heads, kv_heads, causal, window, rotary, alibi, qk_norm, .. } = *self;
        Heads { num_heads, kv_heads, causal, window, rotary, alibi, soft_cap: None, qk_norm, bias: true }
    }

    fn units(&self, width: usize) -> usize {
        self.dim_feedforward.unwrap_or(4 * width)
    }

    /// Outputs of the first layer of the feed-forward network.
    fn gated(&self, width: usize) -> usize {
        self.units(width) * if self.activation == FeedForward::Swiglu { 2 } else { 1 }
    }

    fn normed(&self, cx: &mut Builder, at: &Resolved, x: Value, [weight, bias]: [&str; 2]) -> Result<Value, OpError> {
        let centered = self.norm == BlockNorm::LayerNorm;
        let weight = cx.parameter(at, weight)?;
        let bias = if centered { Some(cx.parameter(at, bias)?) } else { None };
        cx.graph.layer_norm(x, centered, EPS, Some(weight), bias)
    }

    /// What the feed-forward network makes of every vector.
    pub(super) fn feed_forward(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let (weight, bias) = (cx.parameter(at, "linear1.weight")?, cx.parameter(at, "linear1.bias")?);
        let h = project(cx, x, weight, Some(bias))?;
        let h = match self.activation {
            FeedForward::Gelu => cx.graph.unary(UnaryOp::Gelu, h)?,
            FeedForward::GeluTanh => cx.graph.unary(UnaryOp::GeluTanh, h)?,
            FeedForward::Relu => cx.graph.unary(UnaryOp::Relu, h)?,
            FeedForward::Swiglu => {
                let all = cx.graph.shape(h).last().copied().unwrap_or_default();
                let gate = cx.graph.slice(h, -1, 0, all / 2)?;
                let value = cx.graph.slice(h, -1, all / 2, all)?;
                let gate = cx.graph.unary(UnaryOp::Silu, gate)?;
                cx.graph.mul(gate, value)?
            }
        };
        let (weight, bias) = (cx.parameter(at, "linear2.weight")?, cx.parameter(at, "linear2.bias")?);
        project(cx, h, weight, Some(bias))
    }

    /// `x` and what `f` makes of it, with a norm before `f` or behind the sum.
    pub(super) fn around(
        &self,
        cx: &mut Builder,
        at: &Resolved,
        x: Value,
        norm: [&str; 2],
        f: impl FnOnce(&mut Builder, Value) -> Result<Value, OpError>,
    ) -> Result<Value, OpError> {
        let before = if self.norm_first { self.normed(cx, at, x, norm)? } else { x };
        let added = f(cx, before)?;
        let added = cx.dropout(self.dropout, added)?;
        let sum = cx.graph.plus(x, added)?;
        if self.norm_first { Ok(sum) } else { self.normed(cx, at, sum, norm) }
    }

    /// The first half of the block: vectors look at each other.
    pub(super) fn look(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let lengths = at.input().lengths.as_deref();
        self.around(cx, at, x, NORMS[0], |cx, x| self.heads().build(cx, at, (x, Memory::Own), lengths, &NAMES))
    }

    /// Its arguments in PyTorch, behind those that say where things are looked up.
    pub(super) fn arguments(&self, at: &Resolved) -> String {
        let width = at.input().shape.last().copied().unwrap_or_default();
        let lengths = at.input().lengths.as_ref().map_or_else(|| "None".to_string(), |field| format!("\"{field}\""));
        let norm = if self.norm == BlockNorm::LayerNorm { "nn.LayerNorm" } else { "nn.RMSNorm" };
        let activation = match self.activation {
            FeedForward::Gelu => "gelu",
            FeedForward::GeluTanh => "gelu_tanh",
            FeedForward::Relu => "relu",
            FeedForward::Swiglu => "swiglu",
        };
        format!(
            "{lengths}, {norm}, {}, \"{activation}\", {}, {}, {}",
            self.units(width),
            python(self.norm_first),
            self.dropout,
            self.heads().torch(width)
        )
    }
}

impl LayerDef for TransformerBlock {
    fn label(&self) -> String {
        format!("transformer block {}", self.num_heads)
    }

    fn infer(&self, _: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let input = first(inputs);
        let (steps, width) = sequence("transformer_block", input)?;
        let mut inferred = Inferred::new(input.clone());
        self.heads().declare(&mut inferred, (steps, steps), width, &NAMES)?;
        let (units, gated) = (self.units(width), self.gated(width));
        for (name, [out, from]) in [("linear1", [gated, width]), ("linear2", [width, units])] {
            let draw = Draw::Uniform((1.0 / from as f64).sqrt());
            let [weight, bias] =
                if name == "linear1" { ["linear1.weight", "linear1.bias"] } else { ["linear2.weight", "linear2.bias"] };
            inferred.parameter(weight, &[out, from], draw);
            inferred.parameter(bias, &[out], draw);
        }
        for [weight, bias] in NORMS {
            inferred.parameter(weight, &[width], Draw::Constant(1.0));
            if self.norm == BlockNorm::LayerNorm {
                inferred.parameter(bias, &[width], Draw::Constant(0.0));
            }
        }
        let products = 2 * steps as u64 * width as u64 * (gated + units) as u64;
        inferred.flops = inferred.flops.saturating_add(products);
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        apart(|| {
            let x = self.look(cx, at, *first(inputs))?;
            self.around(cx, at, x, NORMS[1], |cx, x| self.feed_forward(cx, at, x))
        })
    }

    fn torch(&self, at: &Resolved) -> String {
        let wires = if at.input().lengths.is_some() { "wires" } else { "None" };
        format!("TransformerBlock({wires}, {})", self.arguments(at))
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(BLOCK)
    }

    fn is_stepwise(&self) -> bool {
        self.causal
    }

    fn torch_parts(&self) -> &'static [&'static str] {
        &[ATTENTION]
    }
}

/// The block in PyTorch.
pub(super) const BLOCK: &str = "\
class TransformerBlock(nn.Module):
    def __init__(self, wires, lengths, norm, units, activation, norm_first, dropout, width, *heads):
        super().__init__()
        self.self_attn = Attention(wires, lengths, None, width, *heads)
        self.activation, self.norm_first = activation, norm_first
        self.linear1 = nn.Linear(width, 2 * units if activation == \"swiglu\" else units)
        self.linear2 = nn.Linear(units, width)
        self.norm1, self.norm2 = norm(width, eps=1e-5), norm(width, eps=1e-5)
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def feed_forward(self, x):
        h = self.linear1(x)
        if self.activation == \"swiglu\":
            gate, value = h.chunk(2, dim=-1)
            return self.linear2(nn.functional.silu(gate) * value)
        if self.activation == \"relu\":
            return self.linear2(nn.functional.relu(h))
        return self.linear2(nn.functional.gelu(h, approximate=\"tanh\" if self.activation == \"gelu_tanh\" else \"none\"))

    def forward(self, x):
        if self.norm_first:
            x = x + self.dropout1(self.self_attn(self.norm1(x)))
            return x + self.dropout2(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout1(self.self_attn(x)))
        return self.norm2(x + self.dropout2(self.feed_forward(x)))
";
