//! The layer `multi_head_attention`: what vectors of a sequence take from others that they look at, as `torch.nn.MultiheadAttention`. What its heads are
//! made of is [`Heads`], which a `transformer_block` has too.

use downhill_graph::kernel::Attend;
use downhill_graph::ops::AttentionWeights;
use downhill_graph::{OpError, Value, ops};
use downhill_tensor::{UserError, apart};

use super::Draw;
pub(super) use super::ablation::{CROSS_WEIGHTS, WEIGHTS};
use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, first};
use super::linear::project;
use super::positions::{sequence, waves};
use crate::registry::fields;

/// Numbers that a head has at most.
const MAX_WIDTH: usize = 256;

fields! {
    /// Every vector of a sequence takes something from those it looks at: several heads, each with queries, keys and values of its own.
    #[schemars(title = "Attention")]
    MultiHeadAttention {
        /// Number of heads; the numbers of a vector are divided among them.
        #[schemars(title = "Heads", range(min = 1, max = 64))]
        num_heads: usize = 4,
        /// Heads of keys and values, where several heads share them; as many as heads where nothing is said.
        #[schemars(title = "Heads of keys and values", range(min = 1, max = 64))]
        kv_heads: Option<usize> = None,
        /// Whether a vector looks only at itself and at what comes before it.
        #[schemars(title = "Causal")]
        causal: bool = false,
        /// How far it looks, itself counted: 1 is itself alone; everything where nothing is said.
        #[schemars(title = "Window", range(min = 1, max = 65536))]
        window: Option<usize> = None,
        /// Whether queries and keys are turned by their position, so that what counts is the distance.
        #[schemars(title = "Rotary positions")]
        rotary: bool = false,
        /// Whether far vectors count less, each head by its own slope.
        #[schemars(title = "ALiBi")]
        alibi: bool = false,
        /// Bends scores so that none is larger than this; nothing where nothing is said.
        #[schemars(title = "Soft cap", range(min = 0.01, max = 1000.0))]
        soft_cap: Option<f64> = None,
        /// Whether every query and every key is given mean square 1, and then learned factors, before they meet: scores stay in bounds.
        #[schemars(title = "QK-norm")]
        qk_norm: bool = false,
        /// Whether learned constants are added.
        #[schemars(title = "Bias")]
        bias: bool = true,
        /// Name of the sequence that is looked at, one that a `name` layer before this gave; its own where it is empty.
        #[schemars(title = "From", length(max = 40))]
        from: String = String::new(),
    }
}

/// Names of the parameters of attention within a layer.
pub(super) struct Names {
    pub in_weight: &'static str,
    pub in_bias: &'static str,
    pub out_weight: &'static str,
    pub out_bias: &'static str,
    /// Of the factors behind the norms of queries and keys.
    pub qk_norm: [&'static str; 2],
    /// Of the weights that it looks with: [`WEIGHTS`] or [`CROSS_WEIGHTS`].
    pub looks: &'static str,
}

const NAMES: Names = Names {
    in_weight: "in_proj_weight",
    in_bias: "in_proj_bias",
    out_weight: "out_proj.weight",
    out_bias: "out_proj.bias",
    qk_norm: ["q_norm.weight", "k_norm.weight"],
    looks: WEIGHTS,
};

/// Added to the mean squares of queries and keys.
const EPS: f32 = 1e-6;

/// Name, after a layer's path, of the keys and values that it keeps of earlier positions.
const KEPT: &str = "kv";

/// The same of all keys and values of another sequence, which is read before anything is written.
pub const MEMORY: &str = "memory";

/// What heads look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory {
    /// The sequence of those that look.
    Own,
    /// Another sequence.
    Other(Value),
    /// Another sequence, of whose vectors, so many, keys and values were kept.
    Kept(usize),
}

impl Memory {
    /// The second input of a layer; where it is not given, it was kept.
    pub fn second(at: &Resolved, inputs: &[Value]) -> Self {
        let kept = || at.inputs.get(1).and_then(|port| port.shape.first()).copied().unwrap_or_default();
        inputs.get(1).map_or_else(|| Memory::Kept(kept()), |memory| Memory::Other(*memory))
    }
}

/// The heads of an attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub num_heads: usize,
    pub kv_heads: Option<usize>,
    pub causal: bool,
    pub window: Option<usize>,
    pub rotary: bool,
    pub alibi: bool,
    pub soft_cap: Option<f64>,
    pub qk_norm: bool,
    pub bias: bool,
}

impl Heads {
    fn kv(self) -> usize {
        self.kv_heads.unwrap_or(self.num_heads)
    }

    /// Rows of the weight that makes queries, keys and values.
    fn columns(self, width: usize) -> usize {
        width + 2 * self.kv() * (width / self.num_heads)
    }

    /// Declares the parameters for vectors of `width` numbers; PyTorch's layout and initial weights.
    ///
    /// # Errors
    /// When the heads do not divide what they share.
    pub fn declare(self, inferred: &mut Inferred, steps: (usize, usize), width: usize, names: &Names) -> Result<(), UserError> {
        if !width.is_multiple_of(self.num_heads) {
            let message = format!("{} heads cannot share vectors of {width} numbers alike.", self.num_heads);
            return Err(UserError::at("num_heads", message).hint(format!("Use a divisor of {width}.")));
        }
        if !self.num_heads.is_multiple_of(self.kv()) {
            let message = format!("{} heads cannot share the keys of {} alike.", self.num_heads, self.kv());
            return Err(UserError::at("kv_heads", message).hint(format!("Use a divisor of {}.", self.num_heads)));
        }
        let head = width / self.num_heads;
        if head > MAX_WIDTH {
            let message = format!("A head of {head} numbers is wider than {MAX_WIDTH}.");
            return Err(UserError::at("num_heads", message).hint("Use more heads."));
        }
        if self.rotary && !head.is_multiple_of(2) {
            let message = format!("Rotary positions turn pairs, but a head has {head} numbers.");
            return Err(UserError::at("rotary", message).hint("Use heads of an even number of dimensions."));
        }
        inferred.heads = self.num_heads;
        let columns = self.columns(width);
        let bound = (6.0 / (width + columns) as f64).sqrt();
        inferred.parameter(names.in_weight, &[columns, width], Draw::Uniform(bound));
        if self.bias {
            inferred.parameter(names.in_bias, &[columns], Draw::Constant(0.0));
        }
        inferred.parameter(names.out_weight, &[width, width], Draw::Uniform((1.0 / width as f64).sqrt()));
        if self.bias {
            inferred.parameter(names.out_bias, &[width], Draw::Constant(0.0));
        }
        if self.qk_norm {
            names.qk_norm.iter().for_each(|name| inferred.parameter(*name, &[head], Draw::Constant(1.0)));
        }
        inferred.inner.push(names.looks.to_string());
        let (queries, keys) = (steps.0 as u64, steps.1 as u64);
        let products = 2 * (columns as u64 * queries.max(keys) + width as u64 * queries) * width as u64;
        inferred.flops = inferred.flops.saturating_add(products.saturating_add(4 * queries * keys * width as u64));
        Ok(())
    }

    /// What vectors take from what they look at; `lengths` is the field with how many of those count.
    pub fn build(
        self,
        cx: &mut Builder,
        at: &Resolved,
        (x, memory): (Value, Memory),
        lengths: Option<&str>,
        names: &Names,
    ) -> Result<Value, OpError> {
        let size = |cx: &Builder, x, d: usize| cx.graph.shape(x).get(d).copied().unwrap_or_default();
        let (rows, width) = (size(cx, x, 0), size(cx, x, 2));
        let next = if matches!(memory, Memory::Own) { cx.next_place()? } else { None };
        let mut keys = match memory {
            Memory::Own => size(cx, x, 1),
            Memory::Other(memory) => size(cx, memory, 1),
            Memory::Kept(keys) => keys,
        };
        let weight = cx.parameter(at, names.in_weight)?;
        let bias = if self.bias { Some(cx.parameter(at, names.in_bias)?) } else { None };
        let mut inputs = Vec::new();
        match memory {
            Memory::Own => {
                let all = project(cx, x, weight, bias)?;
                let all = self.normed(cx, at, all, names)?;
                let columns = size(cx, all, 2);
                let keys_and_values = |cx: &mut Builder| cx.graph.slice(all, 2, width, columns);
                match next {
                    None => {
                        cx.keep(at, KEPT, keys_and_values)?;
                        inputs.push(all);
                    }
                    Some(place) => {
                        let own = keys_and_values(cx)?;
                        let kv = cx.with_next(at, KEPT, place, own)?;
                        keys = size(cx, kv, 1);
                        inputs.extend([cx.graph.slice(all, 2, 0, width)?, kv]);
                    }
                }
            }
            Memory::Other(_) | Memory::Kept(_) => {
                // PyTorch keeps the weights of queries, keys and values in one.
                let columns = size(cx, weight, 0);
                let projected = |cx: &mut Builder, x: Value, from: usize, to: usize| {
                    let weight = cx.graph.slice(weight, 0, from, to)?;
                    let bias = bias.map(|bias| cx.graph.slice(bias, 0, from, to)).transpose()?;
                    project(cx, x, weight, bias)
                };
                let queries = projected(cx, x, 0, width)?;
                inputs.push(self.each_head(cx, at, queries, self.num_heads, names.qk_norm[0])?);
                inputs.push(if let Memory::Other(memory) = memory {
                    let kv = projected(cx, memory, width, columns)?;
                    let kv = self.normed_keys(cx, at, kv, names)?;
                    cx.keep(at, MEMORY, |_| Ok(kv))?;
                    kv
                } else {
                    let kv = cx.kept_before(at, MEMORY, [keys, columns - width])?;
                    cx.graph.reshape(kv, [1, keys, columns - width])?
                });
            }
        }
        if let Some(lengths) = lengths {
            let lengths = cx.field(lengths)?;
            inputs.push(cx.graph.reshape(lengths, [rows])?);
        } else if let Some(place) = next {
            let one = cx.graph.constant(1.0)?;
            inputs.push(cx.graph.plus(place.number, one)?);
        }
        let head = width / self.num_heads;
        if self.rotary {
            let waves = waves(cx, keys, head / 2)?;
            inputs.push(cx.graph.concat(&waves, -1)?);
        }
        let how = Attend {
            packed: matches!(memory, Memory::Own) && next.is_none(),
            causal: self.causal,
            window: self.window.map_or(0, |window| window as u32),
            soft_cap: self.soft_cap.map_or(0.0, |cap| cap as f32),
            alibi: self.alibi,
            lengths: lengths.is_some() || next.is_some(),
            newest: next.is_some(),
            rotary: self.rotary,
            ..Attend::new(head as u32)
        };
        let op = ops::Attention { heads: self.num_heads as u32, kv_heads: self.kv() as u32, how };
        let mut out = cx.graph.apply(op.clone(), &inputs)?;
        inputs.insert(0, Value { slot: 1, ..out });
        let weights = cx.graph.apply(AttentionWeights(op), &inputs)?;
        cx.activations.push((format!("{}.{}", at.path, names.looks), weights));
        if let Some(ablation) = cx.ablation.clone().filter(|part| part.path == at.path && part.looks == names.looks) {
            let of_head = self.kv() + ablation.head * self.kv() / self.num_heads;
            let (values, before) = if how.packed { (inputs[1], self.num_heads) } else { (inputs[2], 0) };
            out = ablation.apply(&mut cx.graph, out, weights, (values, (before + of_head) * head), head)?;
        }
        let weight = cx.parameter(at, names.out_weight)?;
        let bias = if self.bias { Some(cx.parameter(at, names.out_bias)?) } else { None };
        project(cx, out, weight, bias)
    }

    /// Queries, keys and values of every vector, side by side, with the norms of queries and keys.
    fn normed(self, cx: &mut Builder, at: &Resolved, all: Value, names: &Names) -> Result<Value, OpError> {
        if !self.qk_norm {
            return Ok(all);
        }
        let columns = cx.graph.shape(all).last().copied().unwrap_or_default();
        // Half of what is no query are keys: columns = heads · head + 2 · kv · head.
        let width = columns / (self.num_heads + 2 * self.kv()) * self.num_heads;
        let queries = cx.graph.slice(all, -1, 0, width)?;
        let queries = self.each_head(cx, at, queries, self.num_heads, names.qk_norm[0])?;
        let rest = cx.graph.slice(all, -1, width, columns)?;
        let rest = self.normed_keys(cx, at, rest, names)?;
        cx.graph.concat(&[queries, rest], -1)
    }

    /// Keys and values of every vector, side by side, with the norm of keys.
    fn normed_keys(self, cx: &mut Builder, at: &Resolved, kv: Value, names: &Names) -> Result<Value, OpError> {
        if !self.qk_norm {
            return Ok(kv);
        }
        let columns = cx.graph.shape(kv).last().copied().unwrap_or_default();
        let keys = cx.graph.slice(kv, -1, 0, columns / 2)?;
        let keys = self.each_head(cx, at, keys, self.kv(), names.qk_norm[1])?;
        let values = cx.graph.slice(kv, -1, columns / 2, columns)?;
        cx.graph.concat(&[keys, values], -1)
    }

    /// Gives what so many heads have of every vector mean square 1 (A. Henry et al. 2020, with the norm of later models).
    fn each_head(self, cx: &mut Builder, at: &Resolved, x: Value, heads: usize, factors: &str) -> Result<Value, OpError> {
        if !self.qk_norm {
            return Ok(x);
        }
        let shape = cx.graph.shape(x).clone();
        let weight = cx.parameter(at, factors)?;
        let head = cx.graph.shape(weight).numel();
        let split = cx.graph.reshape(x, [shape.numel() / (heads * head), heads, head])?;
        let normed = cx.graph.layer_norm(split, false, EPS, Some(weight), None)?;
        cx.graph.reshape(normed, shape)
    }

    /// Its arguments in PyTorch.
    pub fn torch(self, width: usize) -> String {
        let none = || "None".to_string();
        format!(
            "{width}, {}, {}, {}, {}, {}, {}, {}, {}, {}",
            self.num_heads,
            self.kv(),
            python(self.bias),
            python(self.causal),
            self.window.map_or_else(none, |window| window.to_string()),
            python(self.rotary),
            python(self.alibi),
            self.soft_cap.map_or_else(none, |cap| cap.to_string()),
            python(self.qk_norm),
        )
    }
}

/// How many vectors another sequence has, which vectors of `width` numbers look at.
pub(super) fn remembered(name: &str, memory: &Port, width: usize) -> Result<usize, UserError> {
    let (steps, memory_width) = sequence(name, memory).map_err(|e| e.under("from"))?;
    if memory_width == width {
        return Ok(steps);
    }
    let message = format!("Vectors of {width} numbers look at vectors of {memory_width}; both must be alike.");
    Err(UserError::at("from", message).hint("Insert a `linear` layer before one of them."))
}

/// A truth value as Python writes it.
pub(super) fn python(is: bool) -> &'static str {
    if is { "True" } else { "False" }
}

impl MultiHeadAttention {
    fn heads(&self) -> Heads {
        let Self { num_heads, kv_heads, causal, window, rotary, alibi, soft_cap, qk_norm, bias, .. } = *self;
        Heads { num_heads, kv_heads, causal, window, rotary, alibi, soft_cap, qk_norm, bias }
    }
}

impl LayerDef for MultiHeadAttention {
    fn label(&self) -> String {
        format!("attention {}", self.num_heads)
    }

    fn validate(&self) -> Result<(), UserError> {
        if !self.from.is_empty() && self.causal {
            let message = "What comes later is only known within one sequence, so attention to another is not causal.";
            return Err(UserError::at("causal", message).hint("Turn it off, or leave `from` out."));
        }
        Ok(())
    }

    fn infer(&self, _: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let (steps, width) = sequence("multi_head_attention", first(inputs))?;
        let mut keys = steps;
        if let Some(memory) = inputs.get(1) {
            keys = remembered("multi_head_attention", memory, width)?;
            if self.rotary && steps > keys {
                let message = format!("Rotary positions need as many keys as queries, and {keys} are fewer than {steps}.");
                return Err(UserError::at("rotary", message).hint("Turn it off."));
            }
        }
        let mut inferred = Inferred::new(first(inputs).clone());
        self.heads().declare(&mut inferred, (steps, keys), width, &NAMES)?;
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let lengths = at.inputs.last().and_then(|port| port.lengths.as_deref());
        let memory = if self.from.is_empty() { Memory::Own } else { Memory::second(at, inputs) };
        apart(|| self.heads().build(cx, at, (*first(inputs), memory), lengths, &NAMES))
    }

    fn torch(&self, at: &Resolved) -> String {
        let width = at.input().shape.last().copied().unwrap_or_default();
        let lengths = at.inputs.last().and_then(|port| port.lengths.as_deref());
        let quoted = |name: &str| format!("\"{name}\"");
        let from = if self.from.is_empty() { "None".to_string() } else { quoted(&self.from) };
        let arguments = self.heads().torch(width);
        match (lengths, self.from.is_empty()) {
            (None, true) => format!("Attention(None, None, None, {arguments})"),
            _ => {
                let lengths = lengths.map_or_else(|| "None".to_string(), quoted);
                format!("Attention(wires, {lengths}, {from}, {arguments})")
            }
        }
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(ATTENTION)
    }

    fn from(&self) -> Option<&str> {
        if self.from.is_empty() { None } else { Some(&self.from) }
    }

    fn is_stepwise(&self) -> bool {
        self.causal && self.from.is_empty()
    }

    fn keeps_memory(&self) -> bool {
        // Where the place of who looks counts, a position alone would have to know its own.
        !self.rotary && !self.alibi && self.window.is_none()
    }
}

/// PyTorch's module wherever it can do what is asked for, and its formula with the same parameters elsewhere.
pub(super) const ATTENTION: &str = "\
class Attention(nn.MultiheadAttention):
    def __init__(self, wires, lengths, memory, width, heads, kv_heads, bias, causal, window, rotary, alibi, cap, qk_norm):
        super().__init__(width, heads, bias=bias, batch_first=True)
        self.wires, self.lengths, self.memory = wires, lengths, memory
        self.kv_heads, self.causal, self.window, self.rotary, self.alibi, self.cap = kv_heads, causal, window, rotary, alibi, cap
        self.q_norm, self.k_norm = (nn.RMSNorm(self.head_dim, eps=1e-6) if qk_norm else None for _ in range(2))
        if kv_heads != heads:
            columns = width + 2 * kv_heads * (width // heads)
            self.in_proj_weight = nn.Parameter(torch.empty(columns, width))
            self.in_proj_bias = nn.Parameter(torch.zeros(columns)) if bias else None
            nn.init.xavier_uniform_(self.in_proj_weight)

    def hidden(self, queries, keys, device):
        i, j = torch.arange(queries, device=device).unsqueeze(1), torch.arange(keys, device=device)
        hidden = torch.zeros(queries, keys, dtype=torch.bool, device=device)
        if self.causal:
            hidden |= j > i
        if self.window is not None:
            hidden |= (i - j).abs() >= self.window
        return hidden

    def turned(self, x):
        steps, width = x.shape[-2:]
        place = torch.arange(steps, device=x.device).unsqueeze(1)
        angle = place * torch.exp(torch.arange(width // 2, device=x.device) * (-math.log(10000.0) / (width // 2)))
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=-1)

    def forward(self, x):
        memory = x if self.memory is None else self.wires[\"name \" + self.memory]
        hidden = self.hidden(x.shape[1], memory.shape[1], x.device)
        padding = None
        if self.lengths is not None:
            padding = torch.arange(memory.shape[1], device=x.device) >= self.wires[self.lengths].unsqueeze(1)
        if self.kv_heads == self.num_heads and not self.rotary and not self.alibi and self.cap is None and self.q_norm is None:
            return super().forward(x, memory, memory, key_padding_mask=padding, attn_mask=hidden, need_weights=False)[0]
        width = x.shape[-1]
        split = [width, self.in_proj_weight.shape[0] - width]
        weights = self.in_proj_weight.split(split)
        biases = (None, None) if self.in_proj_bias is None else self.in_proj_bias.split(split)
        q = nn.functional.linear(x, weights[0], biases[0])
        k, v = nn.functional.linear(memory, weights[1], biases[1]).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for t in (q, k, v))
        if self.q_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if self.rotary:
            q, k = self.turned(q), self.turned(k)
        k, v = (t.repeat_interleave(self.num_heads // self.kv_heads, dim=1) for t in (k, v))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.head_dim)
        if self.cap is not None:
            scores = self.cap * torch.tanh(scores / self.cap)
        if self.alibi:
            i, j = torch.arange(q.shape[2], device=x.device).unsqueeze(1), torch.arange(k.shape[2], device=x.device)
            slopes = 2.0 ** (-8.0 * torch.arange(1, self.num_heads + 1, device=x.device) / self.num_heads)
            scores = scores - slopes.reshape(-1, 1, 1) * (i - j).abs()
        scores = scores.masked_fill(hidden, -math.inf)
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None, :], -math.inf)
        return self.out_proj(torch.matmul(scores.softmax(dim=-1), v).transpose(1, 2).flatten(2))
";
