//! What an optimizer does with a weight as a matrix: which weights are meant, and the direction that takes more than an element to know, as nodes of the
//! graph. The steps themselves are rules, as those of all weights.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, ExprOp, Graph, OpError, ScalarId, UnaryOp, Value};

use crate::layers::def::{Resolved, ResolvedParameter, flat};
use crate::scalars::{NS_COEFFICIENTS, NS_EPS};

/// How weights that are matrices change, where an optimizer has a rule of its own for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MatrixRule {
    /// The rule; the slot that it is given holds the direction.
    pub rule: UpdateRule,
    /// What becomes the direction: of the weight, its gradient and the first slot.
    pub before: Expr,
    /// Rounds of Newton and Schulz.
    pub rounds: usize,
    /// How much longer the steps of larger matrices are.
    pub lengthened: Lengthened,
}

/// By how much the step of an `[out, in]` matrix is longer: an orthogonal one has a length that depends on its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lengthened {
    /// `√max(1, out / in)`
    Original,
    /// `0.2 · √max(out, in)`: as long as a step of AdamW usually is.
    MatchRmsAdamw,
}

impl Lengthened {
    fn factor(self, [out, from]: [usize; 2]) -> f64 {
        let [out, from] = [out as f64, from as f64];
        match self {
            Lengthened::Original => (out / from).max(1.0).sqrt(),
            Lengthened::MatchRmsAdamw => 0.2 * out.max(from).sqrt(),
        }
    }
}

impl MatrixRule {
    /// The direction of a matrix `[out, in]` with this weight, gradient and first slot.
    pub fn direction(&self, graph: &mut Graph, reads: [Value; 3]) -> Result<Value, OpError> {
        let momentum = evaluate(graph, &self.before, &reads)?;
        let &[out, from] = &graph.shape(momentum)[..] else {
            return Err(OpError::new("direction", "wants a matrix"));
        };
        let direction = newton_schulz(graph, momentum, self.rounds)?;
        graph.scale(self.lengthened.factor([out, from]) as f32, direction)
    }
}

/// The first output of an expression of whole tensors.
fn evaluate(graph: &mut Graph, expr: &Expr, reads: &[Value]) -> Result<Value, OpError> {
    let missing = || OpError::new("expression", "is not whole");
    let mut values: Vec<Value> = Vec::with_capacity(expr.ops.len());
    for op in &expr.ops {
        let at = |reg: u16| values.get(usize::from(reg)).copied().ok_or_else(missing);
        let value = match *op {
            ExprOp::Read(n) => reads.get(usize::from(n)).copied().ok_or_else(missing)?,
            ExprOp::Scalar(id) => graph.scalar(id)?,
            ExprOp::Const(c) => graph.constant(c)?,
            ExprOp::Unary(op, a) => graph.unary(op, at(a)?)?,
            ExprOp::Binary(op, a, b) => graph.binary(op, at(a)?, at(b)?)?,
            ExprOp::Select(c, a, b) => graph.select(at(c)?, at(a)?, at(b)?)?,
            ExprOp::Random { .. } => return Err(OpError::new("expression", "draws numbers")),
        };
        values.push(value);
    }
    expr.outputs.first().and_then(|reg| values.get(usize::from(*reg))).copied().ok_or_else(missing)
}

/// The nearest orthogonal matrix to `x`, roughly: `x ← a·x + (b·xxᵀ + c·(xxᵀ)²)·x` pulls all singular values towards 1, from a matrix of norm 1 on (K. Jordan
/// et al., 2024). The products are with the shorter side, so a tall matrix is turned for them.
fn newton_schulz(graph: &mut Graph, x: Value, rounds: usize) -> Result<Value, OpError> {
    let tall = matches!(&graph.shape(x)[..], [out, from] if out > from);
    let squares = graph.unary(UnaryOp::Square, x)?;
    let norm = graph.sum_all(squares)?;
    let norm = graph.unary(UnaryOp::Sqrt, norm)?;
    let least = graph.scalar(NS_EPS)?;
    let norm = graph.binary(BinaryOp::Max, norm, least)?;
    let mut x = graph.div(x, norm)?;
    if tall {
        x = graph.transpose(x)?;
    }
    let mut factors = [x; 3];
    for (factor, id) in factors.iter_mut().zip(NS_COEFFICIENTS) {
        *factor = graph.scalar(id)?;
    }
    let [a, b, c] = factors;
    for _ in 0..rounds {
        let turned = graph.transpose(x)?;
        let gram = graph.matmul(x, turned)?;
        let squared = graph.matmul(gram, gram)?;
        let (first, second) = (graph.mul(b, gram)?, graph.mul(c, squared)?);
        let change = graph.plus(first, second)?;
        let change = graph.matmul(change, x)?;
        let kept = graph.mul(a, x)?;
        x = graph.plus(kept, change)?;
    }
    if tall { graph.transpose(x) } else { Ok(x) }
}

/// Floating-point operations of the directions of all matrices.
pub(crate) fn flops(model: &[Resolved], rounds: usize) -> u64 {
    let products = matrices(model).into_iter().filter_map(|p| {
        let (short, long) = (*p.shape.iter().min()? as u64, *p.shape.iter().max()? as u64);
        Some(short.saturating_mul(short).saturating_mul(2 * long + short))
    });
    products.fold(0, u64::saturating_add).saturating_mul(2 * rounds as u64)
}

/// The matrices of hidden layers: weights of two dimensions, but tables whose rows are looked up, and the weights of the last layer that has some, which
/// gives the answer.
pub(crate) fn matrices(model: &[Resolved]) -> Vec<&ResolvedParameter> {
    let layers = flat(model);
    let last = layers.iter().rposition(|layer| !layer.parameters.is_empty() || layer.tied.is_some()).unwrap_or(0);
    let hidden = layers.into_iter().take(last);
    hidden.flat_map(|layer| &layer.parameters).filter(|p| p.shape.len() == 2 && !p.is_table).collect()
}

/// Rate and decay of the matrices' group.
pub(crate) const MATRIX_SCALARS: (ScalarId, ScalarId) = (crate::scalars::MATRIX_LR, crate::scalars::MATRIX_DECAY);
