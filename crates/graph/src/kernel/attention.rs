//! Scaled dot-product attention of several heads, its gradients, and its weights for those who look at them.

use std::fmt;
use std::ops::Range;

use super::KernelDef;
use super::eval::Numbers;
use super::operands::{Access, Operands, not_empty, numel};
use super::rows::log_sum_exp;
use crate::StepScalars;

/// What an attention kernel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionPart {
    /// Writes `out` `[batch, queries, heads · width]` and, for the gradient, the logarithm of each row's sum of exponentials, `lse`
    /// `[batch, heads, queries]`; 0 for a query that sees nothing.
    Forward,
    /// Reads dout, the inputs, out and lse; writes the gradients of the inputs.
    Backward,
    /// Reads the inputs and lse; writes the weights `[batch, heads, queries, keys]`. Only what somebody looks at is ever this large.
    Weights,
}

/// `softmax(scale · q kᵀ) v` for every head (Vaswani et al. 2017), computed in tiles of keys (Dao et al. 2022), so that what is kept for the gradient
/// grows with the length and not with its square.
///
/// Where `packed`, queries, keys and values lie side by side in `qkv` `[batch, queries, (heads + 2 · kv_heads) · width]`, as one product makes them.
/// Otherwise there are `q` `[batch, queries, heads · width]` and `kv` `[batch, keys, 2 · kv_heads · width]`. `heads / kv_heads` heads share their keys
/// and values (Ainslie et al. 2023). Further reads: `lengths` `[batch]`, how many keys of a sample count, and `rotary` `[keys, width]`, by which
/// queries and keys are turned: cosines, then sines. A query that sees no key gives zeros and hands on gradients of zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionSpec {
    /// What it gives.
    pub part: AttentionPart,
    /// Samples.
    pub batch: u32,
    /// Heads of queries.
    pub heads: u32,
    /// Heads of keys and values, a divisor of `heads`.
    pub kv_heads: u32,
    /// Queries per sample.
    pub queries: u32,
    /// Keys per sample.
    pub keys: u32,
    /// Numbers per head.
    pub width: u32,
    /// What else there is to it.
    pub how: Attend,
}

/// What an attention looks at, and how scores become weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attend {
    /// Whether queries, keys and values lie side by side.
    pub packed: bool,
    /// Whether a query sees only keys up to its own place.
    pub causal: bool,
    /// How near a key must be, in places: 1 is the own place alone; 0 is no limit.
    pub window: u32,
    /// Factor of the scores.
    pub scale: f32,
    /// Scores become `cap · tanh(score / cap)`; 0 leaves them (Gemma Team 2024).
    pub soft_cap: f32,
    /// Whether far keys score less, each head by its own slope (Press et al. 2022).
    pub alibi: bool,
    /// Whether samples have a number of keys each.
    pub lengths: bool,
    /// Whether queries and keys are turned by their place (Su et al. 2021).
    pub rotary: bool,
    /// Whether the queries stand at the end of the keys that count, instead of at their beginning: those of the newest places, where keys of
    /// earlier ones were kept. Without a gradient.
    pub newest: bool,
}

impl Attend {
    /// A sequence that looks at all of itself, with heads so wide, scaled as PyTorch does.
    pub fn new(width: u32) -> Self {
        let scale = (1.0 / libm::sqrt(f64::from(width))) as f32;
        let (causal, alibi, lengths, rotary, newest) = (false, false, false, false, false);
        Self { packed: true, causal, window: 0, scale, soft_cap: 0.0, alibi, lengths, rotary, newest }
    }
}

impl AttentionSpec {
    /// Elements from one query to the next.
    pub fn q_stride(&self) -> u32 {
        let kv = if self.how.packed { 2 * self.kv_heads } else { 0 };
        (self.heads + kv) * self.width
    }

    /// Elements from one key to the next.
    pub fn kv_stride(&self) -> u32 {
        if self.how.packed { self.q_stride() } else { 2 * self.kv_heads * self.width }
    }

    /// Where the first head's keys begin among the elements of a place.
    pub fn k_at(&self) -> u32 {
        if self.how.packed { self.heads * self.width } else { 0 }
    }

    /// Where the first head's values begin.
    pub fn v_at(&self) -> u32 {
        self.k_at() + self.kv_heads * self.width
    }

    /// What a head's score loses per place of distance.
    pub fn slope(&self, head: u32) -> f32 {
        if self.how.alibi { libm::exp2(-8.0 * f64::from(head + 1) / f64::from(self.heads)) as f32 } else { 0.0 }
    }

    /// The place of a query among the keys, of which so many count.
    pub fn place(&self, query: usize, length: usize) -> usize {
        let count = length.min(self.keys as usize);
        query + if self.how.newest { count.saturating_sub(self.queries as usize) } else { 0 }
    }

    /// The keys that a query sees, of so many that count.
    pub fn visible(&self, query: usize, length: usize) -> Range<usize> {
        let (mut start, mut end) = (0, length.min(self.keys as usize));
        let place = self.place(query, length);
        if self.how.causal {
            end = end.min(place + 1);
        }
        if self.how.window > 0 {
            let window = self.how.window as usize;
            start = (place + 1).saturating_sub(window);
            end = end.min(place + window);
        }
        start.min(end)..end
    }
}

/// One sample and head of an attention in f64.
struct Head<'a> {
    spec: &'a AttentionSpec,
    /// The kernel's reads, in the order of its operands.
    q: &'a dyn Numbers,
    kv: &'a dyn Numbers,
    rotary: Option<&'a dyn Numbers>,
    length: usize,
    sample: usize,
    head: usize,
}

impl Head<'_> {
    fn group(&self) -> usize {
        self.head / (self.spec.heads / self.spec.kv_heads) as usize
    }

    fn q_place(&self, query: usize) -> usize {
        (self.sample * self.spec.queries as usize + query) * self.spec.q_stride() as usize + self.head * self.spec.width as usize
    }

    fn kv_place(&self, key: usize, at: u32) -> usize {
        let row = self.sample * self.spec.keys as usize + key;
        row * self.spec.kv_stride() as usize + at as usize + self.group() * self.spec.width as usize
    }

    /// Pairs `(d, d + width / 2)` turned by the angles of a place; back again with −1.
    fn turned(&self, x: Vec<f64>, place: usize, way: f64) -> Vec<f64> {
        let Some(table) = self.rotary else { return x };
        let half = x.len() / 2;
        let mut y = x.clone();
        for d in 0..half {
            let at = place * x.len() + d;
            let (cos, sin) = (table.at(at), way * table.at(at + half));
            y[d] = x[d] * cos - x[d + half] * sin;
            y[d + half] = x[d + half] * cos + x[d] * sin;
        }
        y
    }

    fn vector(&self, from: &dyn Numbers, at: usize) -> Vec<f64> {
        (0..self.spec.width as usize).map(|d| from.at(at + d)).collect()
    }

    fn q(&self, query: usize) -> Vec<f64> {
        self.turned(self.vector(self.q, self.q_place(query)), self.spec.place(query, self.length), 1.0)
    }

    fn k(&self, key: usize) -> Vec<f64> {
        self.turned(self.vector(self.kv, self.kv_place(key, self.spec.k_at())), key, 1.0)
    }

    fn v(&self, key: usize) -> Vec<f64> {
        self.vector(self.kv, self.kv_place(key, self.spec.v_at()))
    }

    /// The scores of the keys that a query sees, and what of a change of `q · k` arrives at each.
    fn scores(&self, query: usize) -> Vec<(f64, f64)> {
        let how = &self.spec.how;
        let (q, slope, cap) = (self.q(query), f64::from(self.spec.slope(self.head as u32)), f64::from(how.soft_cap));
        let place = self.spec.place(query, self.length);
        let score = |key: usize| {
            let mut score = f64::from(how.scale) * dot(&q, &self.k(key));
            let mut slant = f64::from(how.scale);
            if cap > 0.0 {
                let bent = libm::tanh(score / cap);
                score = cap * bent;
                slant *= 1.0 - bent * bent;
            }
            (score - slope * key.abs_diff(place) as f64, slant)
        };
        self.spec.visible(query, self.length).map(score).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

impl AttentionSpec {
    /// Calls `each` for every sample and head; `reads` are the inputs, then lengths and rotary.
    fn heads(&self, inputs: &[&dyn Numbers], mut each: impl FnMut(&Head<'_>)) {
        let tensors = if self.how.packed { 1 } else { 2 };
        let lengths = self.how.lengths.then(|| inputs[tensors]);
        let rotary = self.how.rotary.then(|| inputs[tensors + usize::from(self.how.lengths)]);
        for sample in 0..self.batch as usize {
            let length = lengths.map_or(usize::MAX, |lengths| lengths.at(sample) as usize);
            for head in 0..self.heads as usize {
                let (q, kv) = (inputs[0], inputs[tensors - 1]);
                each(&Head { spec: self, q, kv, rotary, length, sample, head });
            }
        }
    }

    fn forward(&self, inputs: &[&dyn Numbers]) -> Vec<Vec<f64>> {
        let (queries, width) = (self.queries as usize, self.width as usize);
        let mut out = vec![0.0; numel(&[self.batch, self.queries, self.heads, self.width]) as usize];
        let mut lse = Vec::new();
        self.heads(inputs, |head| {
            for query in 0..queries {
                let scores: Vec<f64> = head.scores(query).iter().map(|(score, _)| *score).collect();
                let total = if scores.is_empty() { 0.0 } else { log_sum_exp(&scores) };
                let at = ((head.sample * queries + query) * self.heads as usize + head.head) * width;
                for (key, score) in self.visible(query, head.length).zip(scores) {
                    add(&mut out[at..at + width], libm::exp(score - total), &head.v(key));
                }
                lse.push(total);
            }
        });
        vec![out, lse]
    }

    fn weights(&self, reads: &[&dyn Numbers]) -> Vec<Vec<f64>> {
        let mut weights = vec![0.0; numel(&[self.batch, self.heads, self.queries, self.keys]) as usize];
        let (lse, inputs) = reads.split_first().expect("it reads lse first");
        let mut row = 0;
        self.heads(inputs, |head| {
            for query in 0..self.queries as usize {
                for (key, (score, _)) in self.visible(query, head.length).zip(head.scores(query)) {
                    weights[row * self.keys as usize + key] = libm::exp(score - lse.at(row));
                }
                row += 1;
            }
        });
        vec![weights]
    }

    /// With weights P and dP = dout · vᵀ: dS = P · (dP − dout · out), dq = dS · k, dk = dSᵀ · q, dv = Pᵀ · dout.
    fn backward(&self, reads: &[&dyn Numbers]) -> Vec<Vec<f64>> {
        let (queries, width) = (self.queries as usize, self.width as usize);
        let [dout, out, lse, inputs @ ..] = reads else { return Vec::new() };
        let mut dq = vec![0.0; numel(&[self.batch, self.queries, self.q_stride()]) as usize];
        let mut dkv = vec![0.0; if self.how.packed { 0 } else { numel(&[self.batch, self.keys, self.kv_stride()]) as usize }];
        self.heads(inputs, |head| {
            for query in 0..queries {
                let at = (head.sample * queries + query) * self.heads as usize + head.head;
                let dy: Vec<f64> = (0..width).map(|d| dout.at(at * width + d)).collect();
                let total = lse.at((head.sample * self.heads as usize + head.head) * queries + query);
                let scores = head.scores(query);
                let weights: Vec<f64> = scores.iter().map(|(score, _)| libm::exp(score - total)).collect();
                let keys = self.visible(query, head.length);
                let dp: Vec<f64> = keys.clone().map(|key| dot(&dy, &head.v(key))).collect();
                let mean: f64 = (0..width).map(|d| dy[d] * out.at(at * width + d)).sum();
                let q = head.q(query);
                for (n, key) in keys.enumerate() {
                    let ds = weights[n] * (dp[n] - mean) * scores[n].1;
                    let by_q: Vec<f64> = head.turned(head.k(key), query, -1.0);
                    let by_k: Vec<f64> = head.turned(q.clone(), key, -1.0);
                    let (k, v) = (head.kv_place(key, self.k_at()), head.kv_place(key, self.v_at()));
                    add(&mut dq[head.q_place(query)..][..width], ds, &by_q);
                    let to = if self.how.packed { &mut dq } else { &mut dkv };
                    add(&mut to[k..k + width], ds, &by_k);
                    add(&mut to[v..v + width], weights[n], &dy);
                }
            }
        });
        if self.how.packed { vec![dq] } else { vec![dq, dkv] }
    }
}

impl KernelDef for AttentionSpec {
    const FAMILY: &'static str = "attention";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.batch, self.heads, self.kv_heads, self.queries, self.keys, self.width])?;
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!("{} heads do not share the keys of {}", self.heads, self.kv_heads));
        }
        if self.how.packed && self.queries != self.keys {
            return Err(format!("{} queries lie beside {} keys", self.queries, self.keys));
        }
        if self.how.newest && (self.how.packed || self.part == AttentionPart::Backward) {
            return Err("the newest queries stand by themselves, and have no gradient".into());
        }
        if self.how.rotary && (!self.width.is_multiple_of(2) || self.queries > self.keys) {
            return Err("pairs are turned by the place of a key".into());
        }
        Ok(())
    }

    fn operands(&self) -> Operands {
        let floats = |name, shape: &[u32]| Access::floats(name, numel(shape));
        let out = [self.batch, self.queries, self.heads, self.width];
        let (q, kv) = ([self.batch, self.queries, self.q_stride()], [self.batch, self.keys, self.kv_stride()]);
        let lse = floats("lse", &[self.batch, self.heads, self.queries]);
        let own = |q_name, kv_name| {
            let kv = (!self.how.packed).then(|| floats(kv_name, &kv));
            std::iter::once(floats(q_name, &q)).chain(kv)
        };
        let lengths = self.how.lengths.then(|| floats("lengths", &[self.batch]));
        let rotary = self.how.rotary.then(|| floats("rotary", &[self.keys, self.width]));
        let inputs = own("q", "kv").chain(lengths).chain(rotary);
        match self.part {
            AttentionPart::Forward => Operands::new(inputs, [floats("out", &out), lse]),
            AttentionPart::Backward => {
                Operands::new([floats("dout", &out), floats("out", &out), lse].into_iter().chain(inputs), own("dq", "dkv"))
            }
            AttentionPart::Weights => {
                let weights = floats("weights", &[self.batch, self.heads, self.queries, self.keys]);
                Operands::new(std::iter::once(lse).chain(inputs), [weights])
            }
        }
    }

    /// Two products forward, five backward, over the keys that are seen where all count.
    fn flops(&self) -> u64 {
        let seen: u64 = (0..self.queries as usize).map(|q| self.visible(q, usize::MAX).len() as u64).sum();
        let products = match self.part {
            AttentionPart::Forward => 2,
            AttentionPart::Backward => 5,
            AttentionPart::Weights => 1,
        };
        2 * products * seen * numel(&[self.batch, self.heads, self.width])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            AttentionPart::Forward => "attention",
            AttentionPart::Backward => "attention_grad",
            AttentionPart::Weights => "attention_weights",
        };
        write!(f, "{part} {}×{}×{}×{}×{}", self.batch, self.heads, self.queries, self.keys, self.width)?;
        if self.how.causal { f.write_str(" causal") } else { Ok(()) }
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        Some(match self.part {
            AttentionPart::Forward => self.forward(reads),
            AttentionPart::Backward => self.backward(reads),
            AttentionPart::Weights => self.weights(reads),
        })
    }
}
