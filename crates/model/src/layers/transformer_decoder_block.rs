//! The layer `transformer_decoder_block`: a causal `transformer_block` that looks at another sequence between attention and feed-forward network,
//! named as `torch.nn.TransformerDecoderLayer` names its parts.

use downhill_graph::{OpError, Value};
use downhill_tensor::{UserError, apart};

use super::Draw;
use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, first};
use super::multi_head_attention::{ATTENTION, CROSS_WEIGHTS, Heads, Memory, Names, remembered};
use super::positions::sequence;
use super::transformer_block::{BLOCK, BlockNorm, FeedForward, NORMS, TransformerBlock};
use super::wiring::check_from;
use crate::registry::fields;

fields! {
    /// A block of a decoder: vectors look at those before them, then at another sequence, then each is changed by itself.
    #[schemars(title = "Decoder block")]
    TransformerDecoderBlock {
        /// Name of the sequence that is looked at: one that a `name` layer before this gave.
        #[schemars(title = "From", length(max = 40))]
        from: String = String::new(),
        /// Number of heads of either attention; the numbers of a vector are divided among them.
        #[schemars(title = "Heads", range(min = 1, max = 64))]
        num_heads: usize = 4,
        /// Heads of keys and values, where several heads share them; as many as heads where nothing is said.
        #[schemars(title = "Heads of keys and values", range(min = 1, max = 64))]
        kv_heads: Option<usize> = None,
        /// How far a vector looks back in its own sequence, itself counted; everything where nothing is said.
        #[schemars(title = "Window", range(min = 1, max = 65536))]
        window: Option<usize> = None,
        /// Whether queries and keys of its own sequence are turned by their position, so that what counts is the distance.
        #[schemars(title = "Rotary positions")]
        rotary: bool = false,
        /// Whether far vectors of its own sequence count less, each head by its own slope.
        #[schemars(title = "ALiBi")]
        alibi: bool = false,
        /// Whether every query and every key of either attention is given mean square 1, and then learned factors, before they meet: scores stay in bounds.
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
        /// Whether norms come before attentions and feed-forward network, or behind what these add.
        #[schemars(title = "Norm first")]
        norm_first: bool = true,
        /// Share of what attentions and feed-forward network add that is dropped while training.
        #[schemars(title = "Dropout", range(min = 0.0, max = 0.95))]
        dropout: f64 = 0.0,
    }
}

const CROSS: Names = Names {
    in_weight: "multihead_attn.in_proj_weight",
    in_bias: "multihead_attn.in_proj_bias",
    out_weight: "multihead_attn.out_proj.weight",
    out_bias: "multihead_attn.out_proj.bias",
    qk_norm: ["multihead_attn.q_norm.weight", "multihead_attn.k_norm.weight"],
    looks: CROSS_WEIGHTS,
};

/// Names of weight and bias of the norm that a block without a second sequence lacks.
const THIRD: [&str; 2] = ["norm3.weight", "norm3.bias"];

impl TransformerDecoderBlock {
    /// The same without the other sequence.
    fn block(&self) -> TransformerBlock {
        let Self {
            num_heads,
            kv_heads,
            window,
            rotary,
            alibi,
            qk_norm,
            dim_feedforward,
            activation,
            norm,
            norm_first,
            dropout,
            ..
        } = *self;
        TransformerBlock {
            causal: true,
            num_heads,
            kv_heads,
            window,
            rotary,
            alibi,
            qk_norm,
            dim_feedforward,
            activation,
            norm,
            norm_first,
            dropout,
        }
    }

    /// The heads that look at the other sequence, where neither order nor distance means anything.
    fn cross(&self) -> Heads {
        let Self { num_heads, kv_heads, qk_norm, .. } = *self;
        let (causal, window, rotary, alibi, soft_cap, bias) = (false, None, false, false, None, true);
        Heads { num_heads, kv_heads, causal, window, rotary, alibi, soft_cap, qk_norm, bias }
    }
}

impl LayerDef for TransformerDecoderBlock {
    fn label(&self) -> String {
        format!("decoder block {}", self.num_heads)
    }

    fn validate(&self) -> Result<(), UserError> {
        check_from(&self.from)
    }

    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let (steps, width) = sequence("transformer_decoder_block", first(inputs))?;
        let mut inferred = self.block().infer(cx, inputs)?;
        let keys = match inputs.get(1) {
            Some(memory) => remembered("transformer_decoder_block", memory, width)?,
            None => steps,
        };
        self.cross().declare(&mut inferred, (steps, keys), width, &CROSS)?;
        let [weight, bias] = THIRD;
        inferred.parameter(weight, &[width], Draw::Constant(1.0));
        if self.norm == BlockNorm::LayerNorm {
            inferred.parameter(bias, &[width], Draw::Constant(0.0));
        }
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let (x, memory) = (*first(inputs), Memory::second(at, inputs));
        let of_memory = at.inputs.get(1).and_then(|port| port.lengths.as_deref());
        let block = self.block();
        apart(|| {
            let x = block.look(cx, at, x)?;
            let x = block.around(cx, at, x, NORMS[1], |cx, x| self.cross().build(cx, at, (x, memory), of_memory, &CROSS))?;
            block.around(cx, at, x, THIRD, |cx, x| block.feed_forward(cx, at, x))
        })
    }

    fn torch(&self, at: &Resolved) -> String {
        let lengths = at.inputs.get(1).and_then(|port| port.lengths.as_ref());
        let lengths = lengths.map_or_else(|| "None".to_string(), |field| format!("\"{field}\""));
        format!("TransformerDecoderBlock(wires, \"{}\", {lengths}, {})", self.from, self.block().arguments(at))
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(DECODER_BLOCK)
    }

    fn torch_parts(&self) -> &'static [&'static str] {
        &[ATTENTION, BLOCK]
    }

    fn from(&self) -> Option<&str> {
        Some(&self.from)
    }

    fn keeps_memory(&self) -> bool {
        true
    }
}

const DECODER_BLOCK: &str = "\
class TransformerDecoderBlock(TransformerBlock):
    def __init__(self, wires, memory, memory_lengths, lengths, norm, units, activation, norm_first, dropout, width, heads, kv_heads, *rest):
        super().__init__(wires, lengths, norm, units, activation, norm_first, dropout, width, heads, kv_heads, *rest)
        self.multihead_attn = Attention(wires, memory_lengths, memory, width, heads, kv_heads, True, False, None, False, False, None, rest[-1])
        self.norm3, self.dropout3 = norm(width, eps=1e-5), nn.Dropout(dropout)

    def forward(self, x):
        if self.norm_first:
            x = x + self.dropout1(self.self_attn(self.norm1(x)))
            x = x + self.dropout2(self.multihead_attn(self.norm2(x)))
            return x + self.dropout3(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout1(self.self_attn(x)))
        x = self.norm2(x + self.dropout2(self.multihead_attn(x)))
        return self.norm3(x + self.dropout3(self.feed_forward(x)))
";
