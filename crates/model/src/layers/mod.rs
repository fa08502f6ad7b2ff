//! The registry of layers: one line each in the list below, and how a list of layers is read and written. What a layer is says `def.rs`.

pub(crate) mod ablation;
mod activation;
mod adaptive_avg_pool2d;
mod batch_norm;
mod class_token;
mod concat;
mod conv;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
pub(crate) mod def;
mod dot;
mod dropout;
mod embedding;
mod flatten;
mod group_norm;
mod gru;
mod init;
mod initialisers;
mod layer_norm;
mod linear;
mod lstm;
mod mean_over_time;
mod multi_head_attention;
mod normed_cell;
mod patch_embedding;
mod pool;
mod positions;
mod recurrent;
mod repeat;
mod reshape;
mod residual;
mod rnn;
pub(crate) mod scanned;
mod select;
mod side_by_side;
mod size;
mod transformer_block;
mod transformer_decoder_block;
mod transpose;
mod upsample;
mod wiring;

use downhill_tensor::UserError;
use serde_json::{Value as Json, json};

pub use ablation::{CROSS_WEIGHTS, WEIGHTS as ATTENTION_WEIGHTS, is_without};
pub use activation::*;
pub use adaptive_avg_pool2d::AdaptiveAvgPool2d;
pub use batch_norm::BatchNorm;
pub use class_token::ClassToken;
pub use concat::Concat;
pub use conv::{Padding, PaddingMode, Same};
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use def::{Buffer, BufferKind, CACHE, PLACE, POSITIONS};
pub use dot::Dot;
pub use dropout::{Dropout, Dropout2d};
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, InstanceNorm};
pub use gru::Gru;
pub use init::{Draw, Init};
pub use initialisers::{KaimingNormal, KaimingUniform, Normal, TorchDefault, Uniform, XavierNormal, XavierUniform, Zeros};
pub use layer_norm::{LayerNorm, RmsNorm};
pub use linear::Linear;
pub use lstm::Lstm;
pub use mean_over_time::MeanOverTime;
pub use multi_head_attention::{MEMORY, MultiHeadAttention};
pub use patch_embedding::PatchEmbedding;
pub use pool::{AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d};
pub use positions::{PositionKind, Positions};
pub use recurrent::States;
pub use repeat::Repeat;
pub use reshape::Reshape;
pub use residual::Residual;
pub use rnn::{Nonlinearity, Rnn};
pub use select::Select;
pub use size::{Size, Word};
pub use transformer_block::{BlockNorm, FeedForward, TransformerBlock};
pub use transformer_decoder_block::TransformerDecoderBlock;
pub use transpose::Transpose;
pub use upsample::{PixelShuffle, Upsample, UpsampleMode};
pub use wiring::{Add, Cat, Input, Name};

use crate::registry::{MAX_DEPTH, MAX_LAYERS, Reader, registry};
use def::LayerDef;

activation::activations!(registry! {
    /// A part of the model.
    "layer" at "/$defs/layer/anyOf/1/properties"
    Layer: LayerDef {
        "linear" => linear::Linear,
        [activations]
        "dropout" => dropout::Dropout,
        "flatten" => flatten::Flatten,
        "residual" => residual::Residual,
        "concat" => concat::Concat,
        "repeat" => repeat::Repeat,
        "embedding" => embedding::Embedding,
        "mean_over_time" => mean_over_time::MeanOverTime,
        "input" => wiring::Input,
        "name" => wiring::Name,
        "cat" => wiring::Cat,
        "add" => wiring::Add,
        "batch_norm" => batch_norm::BatchNorm,
        "reshape" => reshape::Reshape,
        "conv2d" => conv2d::Conv2d,
        "max_pool2d" => pool::MaxPool2d,
        "avg_pool2d" => pool::AvgPool2d,
        "rnn" => rnn::Rnn,
        "lstm" => lstm::Lstm,
        "gru" => gru::Gru,
        "layer_norm" => layer_norm::LayerNorm,
        "rms_norm" => layer_norm::RmsNorm,
        "group_norm" => group_norm::GroupNorm,
        "instance_norm" => group_norm::InstanceNorm,
        "positions" => positions::Positions,
        "multi_head_attention" => multi_head_attention::MultiHeadAttention,
        "transformer_block" => transformer_block::TransformerBlock,
        "conv1d" => conv1d::Conv1d,
        "conv_transpose2d" => conv_transpose2d::ConvTranspose2d,
        "max_pool1d" => pool::MaxPool1d,
        "avg_pool1d" => pool::AvgPool1d,
        "adaptive_avg_pool2d" => adaptive_avg_pool2d::AdaptiveAvgPool2d,
        "upsample" => upsample::Upsample,
        "pixel_shuffle" => upsample::PixelShuffle,
        "dropout2d" => dropout::Dropout2d,
        "transpose" => transpose::Transpose,
        "patch_embedding" => patch_embedding::PatchEmbedding,
        "class_token" => class_token::ClassToken,
        "select" => select::Select,
        "dot" => dot::Dot,
        "transformer_decoder_block" => transformer_decoder_block::TransformerDecoderBlock,
    }
});

impl Layer {
    /// A few words for a card: `linear 8`.
    pub fn label(&self) -> String {
        self.def().label()
    }

    /// Whether the page can build it from the start; of the layers inside each says so itself.
    pub fn is_at_once(&self) -> bool {
        self.def().is_at_once()
    }

    /// The layers inside, one list per branch; none for a plain layer.
    pub fn branches(&self) -> Vec<&[Layer]> {
        self.def().branches()
    }

    /// The names of the layers that are activations: functions of every single number, which follow a layer with weights.
    pub fn activations() -> Vec<&'static str> {
        let is_activation = |name: &&'static str| Self::named(name).is_some_and(|layer| layer.def().is_activation());
        Self::NAMES.iter().copied().filter(is_activation).collect()
    }
}

/// Reads a list of layers; the error's path starts with the place in the list.
pub(crate) fn read_list(value: &Json, reader: &mut Reader) -> Result<Vec<Layer>, UserError> {
    let Some(items) = value.as_array() else {
        return Err(
            UserError::new("This must be a list of layers.").hint("Write [ { \"linear\": { \"out\": 8 } }, \"tanh\" ].")
        );
    };
    if reader.depth >= MAX_DEPTH {
        return Err(UserError::new(format!("Layers stand inside layers more than {MAX_DEPTH} deep."))
            .hint("Take the innermost ones out, or use `repeat`."));
    }
    reader.layers = reader.layers.saturating_add(items.len());
    if reader.layers > MAX_LAYERS {
        return Err(UserError::new(format!("{} layers are too many; a model has at most {MAX_LAYERS}.", reader.layers))
            .hint("Use fewer, wider layers."));
    }
    reader.depth += 1;
    let layers =
        items.iter().enumerate().map(|(i, item)| Layer::read(item, reader).map_err(|e| e.under(&format!("[{i}]")))).collect();
    reader.depth -= 1;
    layers
}

/// The schema of a list of layers: layers refer to themselves, so it stands once in the document.
pub(crate) fn list_schema(title: &str, help: &str) -> Json {
    let items = json!({ "$ref": "#/$defs/layer" });
    json!({ "title": title, "description": help, "type": "array", "maxItems": MAX_LAYERS, "items": items })
}

/// Writes a list of layers.
pub(crate) fn write_list(layers: &[Layer], full: bool) -> Json {
    layers.iter().map(|layer| if full { layer.to_full_value() } else { layer.to_value() }).collect()
}

/// A model of the layer called `name` as a test writes it, with the data that it takes: what has layers inside gets one, what takes tokens
/// gets sequences.
#[cfg(test)]
pub(crate) fn example(name: &str) -> (Json, &'static str) {
    let end = json!({ "linear": { "out": "classes" } });
    match name {
        "residual" => (json!([{ "residual": ["tanh"] }, end]), "xor"),
        "concat" => (json!([{ "concat": [["tanh"], []] }, end]), "xor"),
        "repeat" => (json!([{ "repeat": { "body": ["tanh"] } }, end]), "xor"),
        "reshape" => (json!([name, "flatten", end]), "digits"),
        "conv2d"
        | "max_pool2d"
        | "avg_pool2d"
        | "conv_transpose2d"
        | "adaptive_avg_pool2d"
        | "upsample"
        | "dropout2d"
        | "patch_embedding" => (json!(["reshape", name, "flatten", end]), "digits"),
        "pixel_shuffle" => (json!(["reshape", "conv2d", name, "flatten", end]), "digits"),
        "conv1d" | "max_pool1d" | "avg_pool1d" | "transpose" => {
            (json!(["reshape", "patch_embedding", name, "flatten", end]), "digits")
        }
        "class_token" | "select" => (json!(["reshape", "patch_embedding", name, "flatten", end]), "digits"),
        "instance_norm" => (json!(["embedding", name, end]), "reverse"),
        "positions" | "multi_head_attention" | "transformer_block" => (json!(["embedding", name, end]), "reverse"),
        "transformer_decoder_block" => (json!(["embedding", { "name": "a" }, { name: { "from": "a" } }, end]), "reverse"),
        "embedding" | "mean_over_time" => (json!(["embedding", "mean_over_time", end]), "majority"),
        "rnn" | "lstm" | "gru" => (json!([name, end]), "parity"),
        "input" | "name" | "cat" | "add" => {
            let join = json!({ if name == "add" { "add" } else { "cat" }: { "from": "a" } });
            (json!([{ "name": "a" }, { "input": "second" }, join, end]), "pairs")
        }
        "dot" => {
            let words = json!([{ "embedding": {} }, { "name": "a" }, { "input": "words" }, { "embedding": {} }, { "dot": { "from": "a" } }]);
            (words, "skip_gram")
        }
        plain => (json!([plain, end]), "xor"),
    }
}
