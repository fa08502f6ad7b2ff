//! Test cases of ops as data: every backend runs the same list.

use downhill_tensor::rng::{Rng, Stream};
use downhill_tensor::{Dtype, Shape};

use super::{Binary, FeedOp, Op, ParameterOp, Reduce, SlotOp, StateOp};
use crate::kernel::ReduceKind;
use crate::tensors::{Env, Tensor};
use crate::{BinaryOp, Feed, FeedKind, Graph, NodeId, Parameter, StateTensor, Value};

/// A small program around one op, with inputs and what is expected of backends.
#[derive(Clone, Debug)]
pub struct OpCase {
    /// What it is about: `matmul tn 3×5×7`.
    pub name: String,
    /// The op.
    pub op: Op,
    /// Its inputs; every number is exact in f32.
    pub inputs: Vec<Tensor>,
    /// Parameters (number `i` in group `i`), slots, states and step that the op sees besides.
    pub env: Env,
    /// Largest allowed |backend − interpreter| relative to the largest magnitude of the output; see [`compare`].
    pub tolerance: f64,
    /// The same for gradients, which are chains of several kernels.
    pub gradient_tolerance: f64,
    /// Which inputs are checked against finite differences.
    pub gradients: Vec<usize>,
    /// Outputs that count as constants, of which no gradients are taken.
    pub constants: Vec<u8>,
    /// Where the function of the first input is not differentiable: elements close by are left out of finite differences.
    pub kinks: Vec<f64>,
}

/// One multiplication and addition in f32 per element, and little more.
const DEFAULT_TOLERANCE: f64 = 1e-6;

impl OpCase {
    /// A case without gradients that allows little more than one rounding.
    pub fn new(name: impl Into<String>, op: impl Into<Op>, inputs: Vec<Tensor>) -> Self {
        Self {
            name: name.into(),
            op: op.into(),
            inputs,
            env: Env::default(),
            tolerance: DEFAULT_TOLERANCE,
            gradient_tolerance: DEFAULT_TOLERANCE,
            gradients: Vec::new(),
            constants: Vec::new(),
            kinks: Vec::new(),
        }
    }

    /// Sets the tolerance, of the outputs and of gradients.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self.gradient_tolerance = self.gradient_tolerance.max(tolerance);
        self
    }

    /// Sets the tolerance of gradients, where they need another.
    #[must_use]
    pub fn gradient_tolerance(mut self, tolerance: f64) -> Self {
        self.gradient_tolerance = tolerance;
        self
    }

    /// Names the outputs that count as constants.
    #[must_use]
    pub fn constants(mut self, outputs: &[u8]) -> Self {
        self.constants = outputs.to_vec();
        self
    }

    /// Names the inputs whose gradients are checked.
    #[must_use]
    pub fn gradients(mut self, inputs: &[usize]) -> Self {
        self.gradients = inputs.to_vec();
        self
    }

    /// Declares kinks.
    #[must_use]
    pub fn kinks(mut self, kinks: &[f64]) -> Self {
        self.kinks = kinks.to_vec();
        self
    }

    /// Sets what lies outside the graph.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The op on feeds `in0`, `in1`, …; outputs are named `0`, `1`, ….
    pub fn graph(&self) -> (Graph, Env) {
        let (graph, env, _, _) = self.build();
        (graph, env)
    }

    /// The op and Σ r·y over its outputs y with fixed random r, so that no error of a gradient cancels. Outputs that count as constants are left
    /// out.
    pub(crate) fn projected(&self) -> Projected {
        let (mut graph, mut env, inputs, node) = self.build();
        let outputs = 0..graph.node(node).outputs.len() as u8;
        let mut sum = None;
        for slot in outputs.filter(|slot| !self.constants.contains(slot)) {
            let part = project(&mut graph, &mut env, Value { node, slot });
            sum = Some(match sum {
                Some(before) => graph.typed(Binary(BinaryOp::Add), &[before, part]),
                None => part,
            });
        }
        let projection = sum.expect("an output is differentiable");
        Projected { graph, env, inputs, projection }
    }

    fn build(&self) -> (Graph, Env, Vec<Value>, NodeId) {
        let (mut graph, mut env) = (Graph::new(), self.env.clone());
        for (i, parameter) in env.parameters.iter().enumerate() {
            let parameter = Parameter { name: i.to_string(), shape: parameter.ty.shape.clone(), group: i as u32 };
            let id = graph.declare_parameter(parameter);
            graph.typed(ParameterOp(id), &[]);
            // What is read of slots and states is what was there before the op changed it; what a slot is given is there before that.
            let given = |slot: &u8| matches!(&self.op, Op::FlatUpdate(op) if op.given().any(|at| at == (*slot, id)));
            for slot in (0..env.slots.len() as u8).filter(|slot| !given(slot)) {
                let value = graph.typed(SlotOp { slot, parameter: id }, &[]);
                graph.output(format!("slot{slot} of {i}"), value);
            }
        }
        for (i, state) in env.states.iter().enumerate() {
            let id = graph.declare_state(StateTensor { name: format!("state{i}"), shape: state.ty.shape.clone() });
            let value = graph.typed(StateOp(id), &[]);
            graph.output(format!("state{i}"), value);
        }
        let inputs: Vec<Value> =
            self.inputs.iter().enumerate().map(|(i, t)| feed(&mut graph, &mut env, format!("in{i}"), t.clone())).collect();
        let node = graph.add(self.op.clone(), &inputs).expect("a case is well typed");
        for slot in 0..graph.node(node).outputs.len() as u8 {
            graph.output(slot.to_string(), Value { node, slot });
        }
        (graph, env, inputs, node)
    }
}

/// A case with a projection of its outputs; see [`OpCase::projected`].
pub(crate) struct Projected {
    pub graph: Graph,
    pub env: Env,
    /// The op's inputs.
    pub inputs: Vec<Value>,
    /// The projection, shape `[]`.
    pub projection: Value,
}

/// Declares a resident feed with its value.
fn feed(graph: &mut Graph, env: &mut Env, name: String, value: Tensor) -> Value {
    let id = graph.declare_feed(Feed { name, ty: value.ty.clone(), kind: FeedKind::Resident });
    env.feeds.push(value);
    graph.typed(FeedOp(id), &[])
}

/// Σ r·y with fixed random r, others for every output.
fn project(graph: &mut Graph, env: &mut Env, y: Value) -> Value {
    let shape = graph.shape(y).clone();
    let axes = (0..shape.rank()).collect();
    let r = feed(graph, env, format!("projection{}", y.slot), normal(shape, 99 + u32::from(y.slot)));
    let product = graph.typed(Binary(BinaryOp::Mul), &[y, r]);
    graph.typed(Reduce { kind: ReduceKind::Sum, axes, keep_dims: false }, &[product])
}

/// What a result that should be 0 may be off: nothing that a rounding of f32 leaves of numbers around 1.
pub const ALMOST_ZERO: f64 = 1e-12;

/// Whether a backend's result is within `relative`·largest + `absolute` of the interpreter's, where largest is the largest finite magnitude of the
/// result. NaN and infinities have to agree.
///
/// # Errors
/// The first element that differs.
pub fn compare(want: &Tensor, got: &[f32], relative: f64, absolute: f64) -> Result<(), String> {
    if want.data.len() != got.len() {
        return Err(format!("{} elements, expected {}", got.len(), want.data.len()));
    }
    let largest = want.data.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (&want, &got)) in want.data.iter().zip(got).enumerate() {
        let got = f64::from(got);
        let same = if want.is_finite() {
            (want - got).abs() <= relative * largest + absolute
        } else {
            want == got || (want.is_nan() && got.is_nan())
        };
        if !same {
            let off = (want - got).abs() / largest;
            return Err(format!("element {i}: {got}, expected {want} (off by {off:e} of {largest}, allowed {relative:e})"));
        }
    }
    Ok(())
}

/// Standard normal numbers, exact in f32.
pub(super) fn normal(shape: impl Into<Shape>, seed: u32) -> Tensor {
    let shape = shape.into();
    let mut rng = Rng::new(seed, Stream::Data, 0);
    let data: Vec<f64> = (0..shape.numel()).map(|_| f64::from(rng.normal() as f32)).collect();
    Tensor::f32(shape, data)
}

/// The given numbers, rounded to f32.
pub(super) fn values(shape: impl Into<Shape>, data: &[f64]) -> Tensor {
    Tensor::f32(shape, data.iter().map(|&v| f64::from(v as f32)).collect())
}

impl Tensor {
    /// Every element through `f`, rounded to f32 again.
    pub(super) fn map(mut self, f: impl Fn(f64) -> f64) -> Tensor {
        debug_assert_eq!(self.ty.dtype, Dtype::F32);
        for v in &mut self.data {
            *v = f64::from(f(*v) as f32);
        }
        self
    }
}
