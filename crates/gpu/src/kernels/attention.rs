//! Attention: one invocation per query (forward, gradients of queries, weights) or per key (gradients of keys and values), which keeps its vectors to
//! itself while tiles of the other side come by. On a GPU a workgroup loads each tile once, into its own memory.

use downhill_compile::ExecError;
use downhill_graph::kernel::{AttentionPart, AttentionSpec};

use super::Lower;
use super::rows::{load, store};
use crate::shader::{GROUP, Operand, Params, Width, assemble};

const ATTENTION: &str = wgsl!("attention.wgsl");
const FORWARD: &str = wgsl!("attention_forward.wgsl");
const WEIGHTS: &str = wgsl!("attention_weights.wgsl");
const QUERIES: &str = wgsl!("attention_queries.wgsl");
const KEYS: &str = wgsl!("attention_keys.wgsl");
/// Floats of a tile in workgroup memory; two tiles are less than half of what every device has.
const TILE_FLOATS: u32 = 1024;

/// One dispatch; backward two, for queries and for keys with values.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &AttentionSpec) -> Result<(), ExecError> {
    let by_query = spec.batch * spec.heads * spec.queries.div_ceil(GROUP);
    match spec.part {
        AttentionPart::Forward => {
            let (mut params, mut text) = inputs(cx, spec)?;
            text.push_str(&store("out", &cx.bind(&mut params, "out")?));
            text.push_str(&store("lse", &cx.bind(&mut params, "lse")?));
            push(cx, "attention", params, &text, FORWARD, by_query)
        }
        AttentionPart::Weights => {
            let (mut params, mut text) = inputs(cx, spec)?;
            text.push_str(&load("lse", &cx.bind(&mut params, "lse")?));
            text.push_str(&store("weights", &cx.bind(&mut params, "weights")?));
            push(cx, "attention_weights", params, &text, WEIGHTS, by_query)
        }
        AttentionPart::Backward => {
            let (mut params, mut text) = inputs(cx, spec)?;
            for name in ["dout", "out", "lse"] {
                text.push_str(&load(name, &cx.bind(&mut params, name)?));
            }
            // Σ dout · out of every query is worked out with its gradient, and read by the dispatch for keys.
            let delta = cx.part(0, (spec.batch * spec.heads * spec.queries).next_multiple_of(4));
            let mut keys = (params.clone(), text.clone());
            let own = Operand::new(&mut params, "delta", &delta);
            text.push_str(&store("delta", &own));
            text.push_str(&store("dq", &cx.bind(&mut params, "dq")?));
            push(cx, "attention_queries", params, &text, QUERIES, by_query)?;
            let own = Operand::new(&mut keys.0, "delta", &delta);
            keys.1.push_str(&load("delta", &own));
            let to = if spec.how.packed { "dq" } else { "dkv" };
            keys.1.push_str(&store("dkv", &cx.bind(&mut keys.0, to)?));
            let by_key = spec.batch * spec.kv_heads * spec.keys.div_ceil(GROUP);
            push(cx, "attention_keys", keys.0, &keys.1, KEYS, by_key)
        }
    }
}

fn push(
    cx: &mut Lower<'_>,
    name: &'static str,
    params: Params,
    text: &str,
    template: &str,
    groups: u32,
) -> Result<(), ExecError> {
    // A barrier is slow on software adapters even where nothing needs it.
    let barrier =
        |text: &str| if cx.style.workgroup_memory { text.to_string() } else { text.replace("    workgroupBarrier();\n", "") };
    let dispatch = assemble(name, Width::One, params, &barrier(text), &barrier(template), groups)?;
    cx.out.push(dispatch);
    Ok(())
}

/// Sizes, the inputs, and how a score is computed.
fn inputs(cx: &Lower<'_>, spec: &AttentionSpec) -> Result<(Params, String), ExecError> {
    let mut params = Params::default();
    let sizes = [
        ("batch", spec.batch),
        ("heads", spec.heads),
        ("kv_heads", spec.kv_heads),
        ("queries", spec.queries),
        ("keys", spec.keys),
        ("q_stride", spec.q_stride()),
        ("kv_stride", spec.kv_stride()),
        ("k_at", spec.k_at()),
        ("v_at", spec.v_at()),
        ("window", spec.how.window),
        ("scale", spec.how.scale.to_bits()),
        ("cap", spec.how.soft_cap.to_bits()),
    ];
    for (name, value) in sizes {
        params.add(name, value);
    }
    let mut text = load("q", &cx.bind(&mut params, "q")?);
    match spec.how.packed {
        true => text.push_str("fn load_kv(i: u32) -> f32 {\n    return load_q(i);\n}\n\n"),
        false => text.push_str(&load("kv", &cx.bind(&mut params, "kv")?)),
    }
    let length = match spec.how.lengths {
        true => format!("u32({})", cx.bind(&mut params, "lengths")?.float(Width::One, "sample")),
        false => "p.keys".to_string(),
    };
    text.push_str(&format!("fn length_of(sample: u32) -> u32 {{\n    return min({length}, p.keys);\n}}\n\n"));
    match spec.how.rotary {
        true => text.push_str(&load("rotary", &cx.bind(&mut params, "rotary")?)),
        false => text.push_str("fn load_rotary(i: u32) -> f32 {\n    return 0.0;\n}\n\n"),
    }
    let tile = (TILE_FLOATS / spec.width).clamp(1, 32);
    text.push_str(&format!(
        "const WIDTH: u32 = {}u;\nconst TILE: u32 = {tile}u;\nconst SHARED: bool = {};\nconst ROTARY: bool = {};\nconst CAUSAL: bool = {};\n\
         const WINDOW: bool = {};\nconst CAPPED: bool = {};\nconst ALIBI: bool = {};\nconst NEWEST: bool = {};\n\n{ATTENTION}\n",
        spec.width,
        cx.style.workgroup_memory,
        spec.how.rotary,
        spec.how.causal,
        spec.how.window > 0,
        spec.how.soft_cap > 0.0,
        spec.how.alibi,
        spec.how.newest,
    ));
    Ok((params, text))
}
