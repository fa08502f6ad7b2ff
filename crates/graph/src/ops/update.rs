//! What ends a training step: the norm that clipping needs, the optimizer's step, a row of metrics.

use std::fmt;
use std::sync::Arc;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::float;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{FlatUpdateSpec, GradNormSpec, Kernel, Launch, Lowered, Operand, RecordSpec, UpdateRule};
use crate::tensors::{Env, Tensor};
use crate::{BinaryOp, Expr, Graph, Node, OpError, ParamId, ScalarId, StepScalars, Value};

/// 2-norm of all inputs together, shape `[]`: what clipping by norm needs.
#[derive(Clone, Debug, PartialEq)]
pub struct GradNorm;

/// The optimizer's step on all parameters at once. Inputs: the loss, then where `scaled` a factor for the gradients, then one
/// gradient per parameter, then one [given](UpdateRule::given) value per parameter whose rule has such a slot. No output: parameters and slots change
/// in place. If the loss or a gradient is not finite nothing changes but slots that are given, and the sticky flag is set; while it is set nothing
/// else changes.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatUpdate {
    /// The optimizer: a rule, or several for parameters of different kinds, with the same slots.
    pub rules: Vec<Arc<UpdateRule>>,
    /// Whose gradients follow: every parameter of the graph, in order.
    pub params: Vec<Updated>,
    /// Whether gradients are multiplied by the second input first.
    pub scaled: bool,
}

/// A parameter in a [`FlatUpdate`]. Parameters of one [`crate::Parameter::group`] share their scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The parameter.
    pub id: ParamId,
    /// Taken where the rule says [`ScalarId::LR`].
    pub lr: ScalarId,
    /// Taken where the rule says [`ScalarId::DECAY`].
    pub decay: ScalarId,
    /// How it changes: an index into [`FlatUpdate::rules`].
    pub rule: u8,
}

/// Writes its inputs, scalars, as one row of the metrics ring. No output.
#[derive(Clone, Debug, PartialEq)]
pub struct Record;

/// A launch that reads all inputs.
fn launch(kernel: Kernel, node: &Node) -> Lowered {
    Lowered::Kernels(smallvec![Launch {
        kernel,
        reads: (0..node.inputs.len()).map(Operand::Input).collect(),
        writes: (0..node.outputs.len()).map(Operand::Output).collect(),
    }])
}

fn scalars(op: &'static str, inputs: &[&TensorTy]) -> Result<(), OpError> {
    match inputs.iter().find(|ty| ***ty != TensorTy::f32(Shape::scalar())) {
        Some(ty) => Err(OpError::new(op, format!("wants a single number, gets {ty}"))),
        None => Ok(()),
    }
}

impl OpDef for GradNorm {
    const NAME: &'static str = "grad_norm";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        for ty in inputs {
            float(Self::NAME, ty)?;
        }
        Ok(smallvec![TensorTy::f32(Shape::scalar())])
    }

    /// x / ‖x‖
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let count = cx.graph.node(cx.node).inputs.len();
        let Some(g) = cx.grad() else { return smallvec![None; count] };
        let norm = cx.output(0);
        let share = cx.div(g, norm);
        (0..count).map(|i| cx.needs[i].then(|| cx.mul(cx.input(i), share))).collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let squares: f64 = inputs.iter().flat_map(|t| &t.data).map(|x| x * x).sum();
        vec![Tensor::new(&outputs[0], vec![squares.sqrt()])]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let lens = node.inputs.iter().map(|v| graph.shape(*v).numel() as u32).collect();
        launch(Kernel::GradNorm(GradNormSpec { lens }), node)
    }

    fn cases() -> Vec<OpCase> {
        let case = |name: &str, inputs| OpCase::new(format!("grad_norm {name}"), GradNorm, inputs).tolerance(4e-6); // a long sum in f32
        vec![
            case("of one number", vec![values([], &[-3.0])]).gradients(&[0]),
            case("of three tensors", vec![normal([3, 5], 1), normal([7], 2), normal([], 3)]).gradients(&[0, 1, 2]),
            case("of zeros", vec![values([3], &[0.0; 3])]),
            case("of many", vec![normal([1001], 4), normal([33, 3], 5)]),
            case("with an infinity", vec![values([2], &[f64::INFINITY, 1.0])]),
        ]
    }
}

impl FlatUpdate {
    /// The slots that the program fills itself, with their parameters, in the order of the inputs.
    pub fn given(&self) -> impl Iterator<Item = (u8, ParamId)> + '_ {
        self.params.iter().filter_map(|p| Some((self.rules.get(usize::from(p.rule))?.given?, p.id)))
    }

    fn update(&self, Updated { id, lr, decay, rule }: Updated, gradient: &Tensor, factor: f64, env: &mut Env) {
        let rule = &self.rules[usize::from(rule)];
        let step = env.step;
        let scalar = |id: ScalarId| {
            f64::from(step.get(match id {
                ScalarId::LR => lr,
                ScalarId::DECAY => decay,
                other => other,
            }))
        };
        for i in 0..gradient.data.len() {
            let mut reads = vec![env.parameters[id.index()].data[i], gradient.data[i] * factor];
            reads.extend(env.slots.iter().take(rule.slots.len()).map(|slot| slot[id.index()].data[i]));
            let new = rule.expr.eval(&reads, &scalar, &|_| 0.0);
            env.parameters[id.index()].data[i] = new[0];
            for (slot, value) in env.slots.iter_mut().zip(&new[1..]) {
                slot[id.index()].data[i] = *value;
            }
        }
    }
}

impl OpDef for FlatUpdate {
    const NAME: &'static str = "update";

    fn infer(&self, inputs: &[&TensorTy], graph: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let numbers = 1 + usize::from(self.scaled);
        let given = self.given().count();
        if inputs.len() != numbers + self.params.len() + given {
            let message = format!(
                "takes {numbers} number(s), {} gradient(s) and {given} given value(s), gets {} input(s)",
                self.params.len(),
                inputs.len()
            );
            return Err(OpError::new(Self::NAME, message));
        }
        let (numbers, tensors) = inputs.split_at(numbers);
        scalars(Self::NAME, numbers)?;
        if !self.params.iter().map(|p| p.id.index()).eq(0..graph.parameters().len()) {
            return Err(OpError::new(Self::NAME, "updates every parameter of the graph, in order"));
        }
        let ids = self.params.iter().map(|p| p.id).chain(self.given().map(|(_, id)| id));
        for (id, ty) in ids.zip(tensors) {
            let parameter = &graph.parameters()[id.index()];
            if **ty != TensorTy::f32(parameter.shape.clone()) {
                let message = format!("{ty} does not fit parameter {} {}", parameter.name, parameter.shape);
                return Err(OpError::new(Self::NAME, message));
            }
        }
        if let Some(p) = self.params.iter().find(|p| usize::from(p.rule) >= self.rules.len()) {
            return Err(OpError::new(Self::NAME, format!("there is no rule {}", p.rule)));
        }
        self.rules.iter().try_for_each(|rule| rule.check()).map_err(|message| OpError::new(Self::NAME, message))?;
        Ok(SmallVec::new())
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()]
    }

    fn eval(&self, inputs: &[&Tensor], _: &[TensorTy], env: &mut Env) -> Vec<Tensor> {
        let (numbers, tensors) = inputs.split_at(1 + usize::from(self.scaled));
        let (gradients, given) = tensors.split_at(self.params.len());
        for ((slot, id), value) in self.given().zip(given) {
            env.slots[usize::from(slot)][id.index()] = (*value).clone();
        }
        let finite = |t: &&Tensor| t.data.iter().all(|v| v.is_finite());
        if env.non_finite || !finite(&numbers[0]) || !gradients.iter().all(finite) {
            env.non_finite = true;
            return Vec::new();
        }
        let factor = numbers.get(1).map_or(1.0, |f| f.data[0]);
        for (updated, gradient) in self.params.iter().zip(gradients) {
            self.update(*updated, gradient, factor, env);
        }
        Vec::new()
    }

    /// Where parameters and gradients lie and which range a group has is the state layout's to say, so groups are left empty and
    /// gradients are no operands.
    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::FlatUpdate(FlatUpdateSpec { rules: self.rules.clone(), groups: Vec::new(), scaled: self.scaled }),
            reads: (0..1 + usize::from(self.scaled)).map(Operand::Input).collect(),
            writes: SmallVec::new(),
        }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.rules.iter().map(|rule| rule.name).collect();
        write!(f, "update<{}{}>", names.join(" and "), if self.scaled { ", scaled" } else { "" })
    }

    fn cases() -> Vec<OpCase> {
        let momentum = || Arc::new(momentum_rule());
        let env = |slot: u32| {
            let shapes: [&[usize]; 2] = [&[3, 5], &[7]];
            let tensors = |seed| shapes.iter().zip(seed..).map(|(&s, seed)| normal(s, seed)).collect::<Vec<_>>();
            let mut step = StepScalars::default();
            step.values[..5].copy_from_slice(&[0.1, 0.01, 0.9, 0.05, 0.0]);
            Env { parameters: tensors(1), slots: vec![tensors(slot)], step, ..Env::default() }
        };
        let params = |rule| {
            vec![
                Updated { id: ParamId(0), lr: ScalarId::LR, decay: ScalarId::DECAY, rule: 0 },
                Updated { id: ParamId(1), lr: ScalarId(3), decay: ScalarId(4), rule },
            ]
        };
        let op = |scaled| FlatUpdate { rules: vec![momentum()], params: params(0), scaled };
        let two = |scaled| FlatUpdate { rules: vec![momentum(), Arc::new(given_rule())], params: params(1), scaled };
        let with_given = |mut gradients: Vec<Tensor>| {
            gradients.push(normal([7], 13));
            gradients
        };
        let gradients = || vec![normal([3, 5], 11), normal([7], 12)];
        let bad = |v| vec![normal([3, 5], 11), values([7], &[0.0, 1.0, 2.0, v, 4.0, 5.0, 6.0])];
        let case = |name: &str, op, numbers: &[f64], gradients: Vec<Tensor>| {
            let inputs = numbers.iter().map(|n| values([], &[*n])).chain(gradients).collect();
            OpCase::new(format!("update {name}"), op, inputs).env(env(21))
        };
        vec![
            case("with momentum", op(false), &[0.5], gradients()),
            case("with scaled gradients", op(true), &[0.5, 0.25], gradients()),
            case("keeps all at a loss of NaN", op(false), &[f64::NAN], gradients()),
            case("keeps all at an infinite gradient", op(false), &[0.5], bad(f64::NEG_INFINITY)),
            case("keeps all at a gradient of NaN", op(true), &[0.5, 1.0], bad(f64::NAN)),
            case("by two rules", two(false), &[0.5], with_given(gradients())),
            case("by two rules, with scaled gradients", two(true), &[0.5, 0.25], with_given(gradients())),
            case("by two rules keeps all but what is given", two(false), &[0.5], with_given(bad(f64::NAN))),
        ]
    }
}

/// `torch.optim.SGD` with weight decay and momentum (`ScalarId(2)`): b ← μ·b + (g + λ·w), w ← w − lr·b.
fn momentum_rule() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, buffer) = (e.read(0), e.read(1), e.read(2));
    let (lr, decay, momentum) = (e.scalar(ScalarId::LR), e.scalar(ScalarId::DECAY), e.scalar(ScalarId(2)));
    let decayed = e.binary(BinaryOp::Mul, decay, w);
    let g = e.binary(BinaryOp::Add, g, decayed);
    let kept = e.binary(BinaryOp::Mul, momentum, buffer);
    let buffer = e.binary(BinaryOp::Add, kept, g);
    let change = e.binary(BinaryOp::Mul, lr, buffer);
    let w = e.binary(BinaryOp::Sub, w, change);
    e.outputs.extend([w, buffer]);
    UpdateRule::new("sgd", e, vec!["momentum_buffer"])
}

/// A step along what the program gives, which the gradient takes the place of: w ← (1 − λ)·w − lr·d, d ← g.
fn given_rule() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, d) = (e.read(0), e.read(1), e.read(2));
    let (lr, decay) = (e.scalar(ScalarId::LR), e.scalar(ScalarId::DECAY));
    let keep = e.from_constant(1.0, decay);
    let kept = e.mul(keep, w);
    let change = e.mul(lr, d);
    let w = e.binary(BinaryOp::Sub, kept, change);
    e.outputs.extend([w, g]);
    UpdateRule { given: Some(0), ..UpdateRule::new("given", e, vec!["direction"]) }
}

impl OpDef for Record {
    const NAME: &'static str = "record";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        scalars(Self::NAME, inputs)?;
        Ok(SmallVec::new())
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()]
    }

    fn eval(&self, inputs: &[&Tensor], _: &[TensorTy], env: &mut Env) -> Vec<Tensor> {
        if env.step.record != StepScalars::NO_RECORD {
            env.recorded = inputs.iter().map(|t| t.data[0]).collect();
        }
        Vec::new()
    }

    fn lower(&self, node: &Node, _: &Graph) -> Lowered {
        launch(Kernel::Record(RecordSpec { scalars: node.inputs.len() as u32 }), node)
    }

    fn cases() -> Vec<OpCase> {
        let env = |record| Env { step: StepScalars { record, step: 5, ..StepScalars::default() }, ..Env::default() };
        let case = |name: &str, record| {
            OpCase::new(format!("record {name}"), Record, vec![values([], &[1.5]), values([], &[f64::NAN])]).env(env(record))
        };
        vec![case("two numbers", 0), case("nothing", StepScalars::NO_RECORD)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::run;

    fn case(name: &str) -> OpCase {
        FlatUpdate::cases().into_iter().find(|c| c.name == format!("update {name}")).expect("a case of this name")
    }

    #[test]
    fn each_group_takes_its_own_rate_and_decay() {
        let case = case("with momentum");
        let (graph, mut env) = case.graph();
        run(&graph, &mut env);
        for (p, lr, decay) in [(0, 0.1f32, 0.01f32), (1, 0.05, 0.0)] {
            let (w, g, b) = (case.env.parameters[p].data[0], case.inputs[1 + p].data[0], case.env.slots[0][p].data[0]);
            let b = f64::from(0.9f32) * b + (g + f64::from(decay) * w);
            assert_eq!(env.slots[0][p].data[0], b);
            assert_eq!(env.parameters[p].data[0], w - f64::from(lr) * b);
        }
        assert!(!env.non_finite);
    }

    #[test]
    fn a_step_that_is_not_finite_changes_nothing_and_the_flag_stays() {
        let (graph, mut env) = case("keeps all at an infinite gradient").graph();
        let before = env.clone();
        run(&graph, &mut env);
        assert!(env.non_finite);
        assert_eq!((&env.parameters, &env.slots), (&before.parameters, &before.slots));
        let (graph, good) = case("with momentum").graph();
        let mut env = Env { non_finite: true, ..good.clone() };
        run(&graph, &mut env);
        assert_eq!(env.parameters, good.parameters);
    }
}
