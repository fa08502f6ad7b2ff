//! What gradient rules are written with.

use downhill_tensor::Shape;
use smallvec::SmallVec;

use super::{Binary, Constant, Op, Scalar, Select, Unary};
use crate::{BinaryOp, Expr, ExprOp, Graph, NodeId, UnaryOp, Value};

/// Context of [`super::OpDef::vjp`]: the forward node and the gradients of its outputs.
pub struct Vjp<'a> {
    /// The graph that gradient nodes are added to.
    pub graph: &'a mut Graph,
    /// The forward node.
    pub node: NodeId,
    /// Gradient of each output, `None` where nothing depends on it.
    pub grads: SmallVec<[Option<Value>; 2]>,
    /// Whether the gradient of each input is asked for; a rule may leave the others out.
    pub needs: SmallVec<[bool; 4]>,
}

impl Vjp<'_> {
    /// The forward node's `i`-th input.
    pub fn input(&self, i: usize) -> Value {
        self.graph.node(self.node).inputs[i]
    }

    /// The forward node's `i`-th output.
    pub fn output(&self, i: u8) -> Value {
        Value { node: self.node, slot: i }
    }

    /// Shape of the `i`-th input.
    pub fn input_shape(&self, i: usize) -> Shape {
        self.graph.shape(self.input(i)).clone()
    }

    /// Gradient of the only output, `None` where nothing depends on it.
    pub fn grad(&self) -> Option<Value> {
        self.grads.first().copied().flatten()
    }

    /// Applies an op whose inputs are known to fit.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Value {
        self.graph.typed(op, inputs)
    }

    /// A number, shape `[]`.
    pub fn constant(&mut self, value: f32) -> Value {
        self.apply(Constant { value, shape: Shape::scalar() }, &[])
    }

    /// f(a)
    pub fn unary(&mut self, op: UnaryOp, a: Value) -> Value {
        self.apply(Unary(op), &[a])
    }

    /// f(a, b), broadcasting.
    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.apply(Binary(op), &[a, b])
    }

    /// a + b
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.binary(BinaryOp::Add, a, b)
    }

    /// a − b
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.binary(BinaryOp::Sub, a, b)
    }

    /// a · b; no node where a factor is the number 1 and the shape stays.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        if self.is_one(a) && self.absorbs(b, a) {
            b
        } else if self.is_one(b) && self.absorbs(a, b) {
            a
        } else {
            self.binary(BinaryOp::Mul, a, b)
        }
    }

    /// a / b
    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.binary(BinaryOp::Div, a, b)
    }

    /// The first output of an expression of these values, one node per instruction, so that the rest of the graph can share them. An expression
    /// of a gradient rule draws no random numbers; one that does would get zeros.
    pub fn expression(&mut self, expr: &Expr, reads: &[Value]) -> Value {
        let mut values: Vec<Value> = Vec::with_capacity(expr.ops.len());
        for op in &expr.ops {
            let v = |i: u16| values[usize::from(i)];
            let value = match *op {
                ExprOp::Read(n) => reads[usize::from(n)],
                ExprOp::Const(c) => self.constant(c),
                ExprOp::Scalar(id) => self.apply(Scalar(id), &[]),
                ExprOp::Random { .. } => self.constant(0.0),
                ExprOp::Unary(f, a) => self.unary(f, v(a)),
                ExprOp::Binary(BinaryOp::Mul, a, b) => self.mul(v(a), v(b)),
                ExprOp::Binary(f, a, b) => self.binary(f, v(a), v(b)),
                ExprOp::Select(c, a, b) => self.select(v(c), v(a), v(b)),
            };
            values.push(value);
        }
        values[usize::from(expr.outputs[0])]
    }

    /// c · a; no node where c is 1.
    pub fn scale(&mut self, c: f32, a: Value) -> Value {
        if c == 1.0 {
            return a;
        }
        let c = self.constant(c);
        self.binary(BinaryOp::Mul, c, a)
    }

    /// c + a
    pub fn offset(&mut self, c: f32, a: Value) -> Value {
        let c = self.constant(c);
        self.add(c, a)
    }

    /// c − a
    pub fn from_constant(&mut self, c: f32, a: Value) -> Value {
        let c = self.constant(c);
        self.sub(c, a)
    }

    /// 1 where c < a, else 0.
    pub fn above(&mut self, c: f32, a: Value) -> Value {
        let c = self.constant(c);
        self.binary(BinaryOp::Lt, c, a)
    }

    /// b where a ≠ 0, else c.
    pub fn select(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.apply(Select, &[a, b, c])
    }

    /// b where a ≠ 0, else 0: unlike a product with the mask it keeps infinities of `b` out.
    pub fn masked(&mut self, a: Value, b: Value) -> Value {
        let zero = self.constant(0.0);
        self.select(a, b, zero)
    }

    fn is_one(&self, v: Value) -> bool {
        matches!(&self.graph.node(v.node).op, Op::Constant(c) if c.value == 1.0)
    }

    fn absorbs(&self, a: Value, b: Value) -> bool {
        let (a, b) = (self.graph.shape(a), self.graph.shape(b));
        a.broadcast(b).as_ref() == Ok(a)
    }
}
