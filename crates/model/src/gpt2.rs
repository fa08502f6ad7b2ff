//! The names that a GPT-2 has in its `state_dict` for what a network of the same shape has: an embedding, learned positions, blocks, a layer norm,
//! and a linear layer that mostly is the embedding once more. Its blocks keep their matrices the other way round, `[in, out]`.
//! <https://github.com/openai/gpt-2/blob/master/src/model.py>, with the names of Hugging Face's `GPT2LMHeadModel`.

use crate::check::Checked;

/// What all of its names may begin with.
pub const PREFIX: &str = "transformer.";
/// A tensor that every GPT-2 has, and no network of ours.
pub const MARK: &str = "wte.weight";

/// Parameters of a block: its names, ours, and whether it keeps the matrix the other way round.
const BLOCK: [(&str, &str, bool); 12] = [
    ("ln_1.weight", "norm1.weight", false),
    ("ln_1.bias", "norm1.bias", false),
    ("attn.c_attn.weight", "self_attn.in_proj_weight", true),
    ("attn.c_attn.bias", "self_attn.in_proj_bias", false),
    ("attn.c_proj.weight", "self_attn.out_proj.weight", true),
    ("attn.c_proj.bias", "self_attn.out_proj.bias", false),
    ("ln_2.weight", "norm2.weight", false),
    ("ln_2.bias", "norm2.bias", false),
    ("mlp.c_fc.weight", "linear1.weight", true),
    ("mlp.c_fc.bias", "linear1.bias", false),
    ("mlp.c_proj.weight", "linear2.weight", true),
    ("mlp.c_proj.bias", "linear2.bias", false),
];
/// What its blocks hold besides and no network learns: masks.
const MASKS: [&str; 2] = ["attn.bias", "attn.masked_bias"];

/// A tensor of GPT-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// Its name there, without [`PREFIX`].
    pub name: String,
    /// Ours; none of what a network does not learn.
    pub ours: Option<String>,
    /// Whether its rows are our columns.
    pub transposed: bool,
}

/// The tensors that a GPT-2 has for the parameters of a network, in its order; none where it has no block of a transformer.
pub fn tensors(checked: &Checked) -> Vec<Theirs> {
    let mut found = Vec::new();
    let (mut blocks, mut embedded) = (0, false);
    for layer in &checked.summary.layers {
        let ours = |part: &str| Some(format!("{}.{part}", layer.scope));
        let same = |theirs: &str, part: &str| Theirs { name: format!("{theirs}.{part}"), ours: ours(part), transposed: false };
        match layer.name {
            "embedding" if !embedded => {
                found.push(same("wte", "weight"));
                embedded = true;
            }
            "positions" => found.push(same("wpe", "weight")),
            "transformer_block" => {
                let of = |name: &str, ours, transposed| Theirs { name: format!("h.{blocks}.{name}"), ours, transposed };
                found.extend(BLOCK.iter().map(|(name, part, transposed)| of(name, ours(part), *transposed)));
                found.extend(MASKS.iter().map(|name| of(name, None, false)));
                blocks += 1;
            }
            "layer_norm" if blocks > 0 => found.extend(["weight", "bias"].map(|part| same("ln_f", part))),
            "linear" if blocks > 0 => found.push(same("lm_head", "weight")),
            _ => {}
        }
    }
    if blocks == 0 { Vec::new() } else { found }
}
