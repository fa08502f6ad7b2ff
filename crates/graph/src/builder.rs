//! Short methods for those who write models: one per op, axes may count from the end.

use std::sync::Arc;

use downhill_tensor::{Shape, TensorTy, sort_short};
use smallvec::SmallVec;

use crate::kernel::{Attend, LossKind, Recurrence, ReduceKind, UpdateRule};
use crate::ops::{
    Accuracy, Assign, Attention, AvgPool, Binary, Concat, Constant, Conv, ConvTranspose, Convolution, Dropout, Expand, FeedOp,
    FlatUpdate, GradNorm, IndexSelect, LayerNorm, LogSoftmax, Loss, MatMul, MaxPool, Pad, ParameterOp, Permute, Pooling,
    Record, Reduce, Reshape, Scalar, Scan, Select, Slice, SlotOp, Softmax, Split, StateOp, Table, Unary, Updated,
};
use crate::{BinaryOp, Feed, FeedId, FeedKind, Graph, NodeId, OpError, Outputs, ParamId, ScalarId, StateId, UnaryOp, Value};

/// What every method here gives.
pub type Built = Result<Value, OpError>;

/// `axis` as an index, where a negative one counts from the end.
fn resolve(op: &'static str, shape: &Shape, axis: isize) -> Result<usize, OpError> {
    let index = if axis < 0 { shape.rank().checked_add_signed(axis) } else { Some(axis.unsigned_abs()) };
    index.filter(|&i| i < shape.rank()).ok_or_else(|| OpError::new(op, format!("{shape} has no dimension {axis}")))
}

/// Leaves.
impl Graph {
    /// The value of a declared parameter.
    ///
    /// # Errors
    /// When there is no such parameter.
    pub fn parameter(&mut self, id: ParamId) -> Built {
        self.apply(ParameterOp(id), &[])
    }

    /// What an optimizer slot holds of a declared parameter.
    ///
    /// # Errors
    /// When there is no such parameter.
    pub fn slot(&mut self, slot: u8, parameter: ParamId) -> Built {
        self.apply(SlotOp { slot, parameter }, &[])
    }

    /// The value of a declared state, as it was before this step.
    ///
    /// # Errors
    /// When there is no such state.
    pub fn state(&mut self, id: StateId) -> Built {
        self.apply(StateOp(id), &[])
    }

    /// The value of a declared feed.
    ///
    /// # Errors
    /// When there is no such feed.
    pub fn feed(&mut self, id: FeedId) -> Built {
        self.apply(FeedOp(id), &[])
    }

    /// Declares a feed and gives its value.
    ///
    /// # Errors
    /// Never; a [`Built`] like its siblings.
    pub fn new_feed(&mut self, name: impl Into<String>, ty: TensorTy, kind: FeedKind) -> Built {
        let id = self.declare_feed(Feed { name: name.into(), ty, kind });
        self.feed(id)
    }

    /// A number, shape `[]`; broadcasts to whatever it meets.
    ///
    /// # Errors
    /// Never; a [`Built`] like its siblings.
    pub fn constant(&mut self, value: f32) -> Built {
        self.full(Shape::scalar(), value)
    }

    /// The same number everywhere.
    ///
    /// # Errors
    /// Never; a [`Built`] like its siblings.
    pub fn full(&mut self, shape: impl Into<Shape>, value: f32) -> Built {
        self.apply(Constant { value, shape: shape.into() }, &[])
    }

    /// A step scalar, shape `[]`.
    ///
    /// # Errors
    /// Never; a [`Built`] like its siblings.
    pub fn scalar(&mut self, id: ScalarId) -> Built {
        self.apply(Scalar(id), &[])
    }
}

/// Elementwise functions; two operands broadcast as in NumPy. All fail on integers, and where shapes do not broadcast.
#[expect(clippy::missing_errors_doc, reason = "said once above")]
impl Graph {
    /// f(x)
    pub fn unary(&mut self, op: UnaryOp, x: Value) -> Built {
        self.apply(Unary(op), &[x])
    }

    /// f(a, b)
    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Built {
        self.apply(Binary(op), &[a, b])
    }

    /// a + b
    pub fn plus(&mut self, a: Value, b: Value) -> Built {
        self.binary(BinaryOp::Add, a, b)
    }

    /// a − b
    pub fn sub(&mut self, a: Value, b: Value) -> Built {
        self.binary(BinaryOp::Sub, a, b)
    }

    /// a · b
    pub fn mul(&mut self, a: Value, b: Value) -> Built {
        self.binary(BinaryOp::Mul, a, b)
    }

    /// a / b
    pub fn div(&mut self, a: Value, b: Value) -> Built {
        self.binary(BinaryOp::Div, a, b)
    }

    /// c · x
    pub fn scale(&mut self, c: f32, x: Value) -> Built {
        let c = self.constant(c)?;
        self.mul(c, x)
    }

    /// `a` where `condition` is not 0, else `b`.
    pub fn select(&mut self, condition: Value, a: Value, b: Value) -> Built {
        self.apply(Select, &[condition, a, b])
    }

    /// Zeroes elements with probability `p` and scales the others by 1/(1 − p). Every dropout of a graph has its own `salt`.
    pub fn dropout(&mut self, x: Value, p: f32, salt: u32) -> Built {
        self.apply(Dropout { p, salt }, &[x])
    }
}

/// Products, reductions, rows. All fail on integers and on shapes that do not fit, naming them.
#[expect(clippy::missing_errors_doc, reason = "said once above")]
impl Graph {
    /// a · b over the last two dimensions.
    pub fn matmul(&mut self, a: Value, b: Value) -> Built {
        self.apply(MatMul::NN, &[a, b])
    }

    /// x · Wᵀ + b with PyTorch's weight `[out, in]` and bias `[out]`; x is `[…, in]` with two dimensions or more.
    pub fn linear(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Built {
        let y = self.apply(MatMul::NT, &[x, weight])?;
        bias.map_or(Ok(y), |bias| self.plus(y, bias))
    }

    /// Convolution of images `[N, C, H, W]` with PyTorch's weight `[O, C / groups, kh, kw]` and bias `[O]`.
    pub fn conv2d(&mut self, convolution: Convolution, x: Value, weight: Value, bias: Option<Value>) -> Built {
        let y = self.apply(Conv { convolution }, &[x, weight])?;
        self.per_channel(y, bias)
    }

    /// Transposed convolution to images of a size, with PyTorch's weight `[C, O / groups, kh, kw]` and bias `[O]`; see [`ConvTranspose`].
    pub fn conv_transpose2d(
        &mut self,
        (convolution, size): (Convolution, [usize; 2]),
        x: Value,
        weight: Value,
        bias: Option<Value>,
    ) -> Built {
        let y = self.apply(ConvTranspose { convolution, size, turned: false }, &[x, weight])?;
        self.per_channel(y, bias)
    }

    /// y `[N, C, H, W]` plus a number for each channel.
    fn per_channel(&mut self, y: Value, bias: Option<Value>) -> Built {
        let Some(bias) = bias else { return Ok(y) };
        let channels = self.shape(bias).numel();
        let bias = self.reshape(bias, [channels, 1, 1])?;
        self.plus(y, bias)
    }

    /// The largest element of each window of `[N, C, H, W]`.
    pub fn max_pool2d(&mut self, pooling: Pooling, x: Value) -> Built {
        self.add(MaxPool { pooling }.into(), &[x]).map(|node| Value { node, slot: 0 })
    }

    /// The mean of each window of `[N, C, H, W]`.
    pub fn avg_pool2d(&mut self, pooling: Pooling, x: Value) -> Built {
        self.apply(AvgPool { pooling }, &[x])
    }

    /// Reduces some dimensions.
    pub fn reduce(&mut self, kind: ReduceKind, x: Value, axes: &[isize], keep_dims: bool) -> Built {
        let shape = self.shape(x);
        let mut axes = axes.iter().map(|&axis| resolve("reduce", shape, axis)).collect::<Result<SmallVec<[usize; 4]>, _>>()?;
        sort_short(&mut axes);
        axes.dedup();
        self.apply(Reduce { kind, axes, keep_dims }, &[x])
    }

    /// Sum over some dimensions.
    pub fn sum(&mut self, x: Value, axes: &[isize], keep_dims: bool) -> Built {
        self.reduce(ReduceKind::Sum, x, axes, keep_dims)
    }

    /// Mean over some dimensions.
    pub fn mean(&mut self, x: Value, axes: &[isize], keep_dims: bool) -> Built {
        self.reduce(ReduceKind::Mean, x, axes, keep_dims)
    }

    /// Sum of all elements, shape `[]`.
    pub fn sum_all(&mut self, x: Value) -> Built {
        let axes = (0..self.shape(x).rank()).collect();
        self.apply(Reduce { kind: ReduceKind::Sum, axes, keep_dims: false }, &[x])
    }

    /// Softmax along one dimension.
    pub fn softmax(&mut self, x: Value, axis: isize) -> Built {
        self.along(x, axis, |graph, x| graph.apply(Softmax, &[x]))
    }

    /// Logarithm of softmax along one dimension.
    pub fn log_softmax(&mut self, x: Value, axis: isize) -> Built {
        self.along(x, axis, |graph, x| graph.apply(LogSoftmax, &[x]))
    }

    /// What queries see of the values of keys like them, for every head; see [`Attention`] for the inputs.
    pub fn attention(&mut self, heads: u32, kv_heads: u32, how: Attend, inputs: &[Value]) -> Built {
        self.apply(Attention { heads, kv_heads, how }, inputs)
    }

    /// Every row of the last dimension with mean 0 (where `centered`) and variance 1, times `weight` plus `bias`; see [`LayerNorm`].
    pub fn layer_norm(&mut self, x: Value, centered: bool, eps: f32, weight: Option<Value>, bias: Option<Value>) -> Built {
        let op = LayerNorm { centered, weight: weight.is_some(), bias: bias.is_some(), eps };
        let inputs: SmallVec<[Value; 3]> = [x].into_iter().chain(weight).chain(bias).collect();
        self.apply(op, &inputs)
    }

    /// Applies `f`, which works along the last dimension, along another one.
    fn along(&mut self, x: Value, axis: isize, f: impl FnOnce(&mut Graph, Value) -> Built) -> Built {
        let rank = self.shape(x).rank();
        let axis = resolve("softmax", self.shape(x), axis)?;
        if axis + 1 == rank {
            return f(self, x);
        }
        let mut axes: SmallVec<[usize; 4]> = (0..rank).collect();
        axes.swap(axis, rank - 1); // its own inverse
        let swapped = self.apply(Permute { axes: axes.clone() }, &[x])?;
        let y = f(self, swapped)?;
        self.apply(Permute { axes }, &[y])
    }

    /// A recurrent cell over all time steps: see [`Scan`] for the inputs and what comes of them.
    pub fn scan(&mut self, recurrence: Recurrence, inputs: &[Value]) -> Result<Outputs, OpError> {
        let node = self.add(Scan { recurrence }.into(), inputs)?;
        Ok(self.outputs_of(node))
    }

    /// Loss of a prediction `[…, cols]`, shape `[]`; see [`Loss`] for targets and weights.
    pub fn loss(&mut self, kind: LossKind, prediction: Value, target: Value, weights: Option<Value>) -> Built {
        let inputs: SmallVec<[Value; 3]> = [prediction, target].into_iter().chain(weights).collect();
        self.apply(Loss { kind }, &inputs)
    }

    /// Share of right predictions, shape `[]`; see [`Accuracy`].
    pub fn accuracy(&mut self, logits: Value, target: Value, weights: Option<Value>) -> Built {
        let inputs: SmallVec<[Value; 3]> = [logits, target].into_iter().chain(weights).collect();
        self.apply(Accuracy, &inputs)
    }

    /// Entries of a table `[entries, …]` by indices u32 of any shape: `[indices…, …]`.
    pub fn index_select(&mut self, table: Value, indices: Value) -> Built {
        self.apply(IndexSelect::ROWS, &[table, indices])
    }

    /// Entries by indices u32 out of a table that is laid out otherwise, as windows or as bytes: see [`Table`].
    pub fn index_select_from(&mut self, layout: Table, table: Value, indices: Value) -> Built {
        self.apply(IndexSelect { table: layout }, &[table, indices])
    }
}

/// Movement. All fail where the shapes do not fit, naming them.
#[expect(clippy::missing_errors_doc, reason = "said once above")]
impl Graph {
    /// The same elements in another shape.
    pub fn reshape(&mut self, x: Value, shape: impl Into<Shape>) -> Built {
        self.apply(Reshape { shape: shape.into() }, &[x])
    }

    /// Dimension `i` of the result is dimension `axes[i]` of x.
    pub fn permute(&mut self, x: Value, axes: &[usize]) -> Built {
        self.apply(Permute { axes: axes.into() }, &[x])
    }

    /// The dimensions in another order, inside a decomposition: see [`Graph::typed`].
    pub(crate) fn reordered(&mut self, x: Value, axes: &[usize]) -> Value {
        self.typed(Permute { axes: axes.into() }, &[x])
    }

    /// Swaps the last two dimensions.
    pub fn transpose(&mut self, x: Value) -> Built {
        let rank = self.shape(x).rank();
        let mut axes: SmallVec<[usize; 4]> = (0..rank).collect();
        if rank >= 2 {
            axes.swap(rank - 1, rank - 2);
        }
        self.apply(Permute { axes }, &[x])
    }

    /// Elements `start..end` of one dimension.
    pub fn slice(&mut self, x: Value, axis: isize, start: usize, end: usize) -> Built {
        let axis = resolve("slice", self.shape(x), axis)?;
        self.apply(Slice { axis, start, end, step: 1 }, &[x])
    }

    /// Pieces of `size` along one dimension, counted from the end if negative; the last is smaller where they do not go in.
    pub fn split(&mut self, x: Value, size: usize, axis: isize) -> Result<Outputs, OpError> {
        let axis = resolve("split", self.shape(x), axis)?;
        let node = self.add(Split { axis, size }.into(), &[x])?;
        Ok(self.outputs_of(node))
    }

    /// x broadcast to a shape.
    pub fn expand(&mut self, x: Value, shape: impl Into<Shape>) -> Built {
        self.apply(Expand { shape: shape.into() }, &[x])
    }

    /// Values one after the other along one dimension.
    pub fn concat(&mut self, values: &[Value], axis: isize) -> Built {
        let first = values.first().ok_or_else(|| OpError::new("cat", "takes one input or more"))?;
        let axis = resolve("cat", self.shape(*first), axis)?;
        self.apply(Concat { axis }, values)
    }

    /// A border of `value` around some dimensions, as (dimension, before, after).
    pub fn pad(&mut self, x: Value, borders: &[(isize, usize, usize)], value: f32) -> Built {
        borders.iter().try_fold(x, |x, &(axis, before, after)| {
            let axis = resolve("pad", self.shape(x), axis)?;
            self.apply(Pad { axis, before, after, value }, &[x])
        })
    }
}

/// The end of a training step.
#[expect(clippy::missing_errors_doc, reason = "all fail where shapes do not fit, naming them")]
impl Graph {
    /// 2-norm of all values together, shape `[]`.
    pub fn grad_norm(&mut self, values: &[Value]) -> Built {
        self.apply(GradNorm, values)
    }

    /// The optimizer's step on all parameters: see [`FlatUpdate`]. `gradients` follow the order of `params`, and behind them stands what rules are given.
    pub fn flat_update(
        &mut self,
        rules: Vec<Arc<UpdateRule>>,
        params: Vec<Updated>,
        loss: Value,
        factor: Option<Value>,
        gradients: &[Value],
    ) -> Result<NodeId, OpError> {
        let inputs: Vec<Value> = [loss].into_iter().chain(factor).chain(gradients.iter().copied()).collect();
        self.add(FlatUpdate { rules, params, scaled: factor.is_some() }.into(), &inputs)
    }

    /// Gives every state its next value, in the order in which they are declared: see [`Assign`].
    pub fn assign(&mut self, next: &[Value]) -> Result<NodeId, OpError> {
        self.add(Assign.into(), next)
    }

    /// Writes scalars as a row of the metrics ring.
    pub fn record(&mut self, scalars: &[Value]) -> Result<NodeId, OpError> {
        self.add(Record.into(), scalars)
    }
}
