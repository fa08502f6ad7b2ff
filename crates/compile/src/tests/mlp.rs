//! Whole training steps: how many kernels they take, what their plans look like, and that they compute the right thing.

use std::sync::Arc;

use downhill_graph::interp::{Env, Tensor};
use downhill_graph::kernel::{Kernel, LossKind, UpdateRule};
use downhill_graph::ops::Updated;
use downhill_graph::{
    BinaryOp, Expr, Feed, FeedKind, Graph, Origin, Parameter, ScalarId, StepScalars, UnaryOp, Value, autodiff,
};
use downhill_tensor::rng::{Rng, Stream};
use downhill_tensor::{Shape, TensorTy};

use super::{check, layout};
use crate::canonicalise::canonicalise;
use crate::compile::fused;
use crate::fuse::fuse;
use crate::lower::lower;
use crate::memory::plan_memory;
use crate::schedule::peak;
use crate::verify::{verify_lifetimes, verify_plan};
use crate::{CompileError, LayoutSpec, Options, Plan, StateLayout, compile, estimate};

/// What a training step consists of.
struct Mlp {
    sizes: &'static [usize],
    activation: UnaryOp,
    loss: LossKind,
    batch: usize,
    samples: usize,
    clip_norm: bool,
}

impl Mlp {
    const SMALL: Mlp =
        Mlp { sizes: &[2, 8, 8, 1], activation: UnaryOp::Tanh, loss: LossKind::Mse, batch: 10, samples: 50, clip_norm: false };
    const DIGITS: Mlp = Mlp {
        sizes: &[784, 256, 128, 10],
        activation: UnaryOp::Relu,
        loss: LossKind::CrossEntropy { label_smoothing: 0.0 },
        batch: 128,
        samples: 1000,
        clip_norm: false,
    };

    fn is_classifier(&self) -> bool {
        matches!(self.loss, LossKind::CrossEntropy { .. })
    }

    /// Gathers of the batch, forward, loss, gradients, update and record.
    fn graph(&self) -> Graph {
        let mut g = Graph::new();
        let (first, last) = (self.sizes[0], self.sizes[self.sizes.len() - 1]);
        let feed = |name: &str, ty, kind| Feed { name: name.into(), ty, kind };
        let x = g.declare_feed(feed("x", TensorTy::f32([self.samples, first]), FeedKind::Resident));
        let target = if self.is_classifier() { TensorTy::u32([self.samples]) } else { TensorTy::f32([self.samples, last]) };
        let y = g.declare_feed(feed("y", target, FeedKind::Resident));
        let indices = g.declare_feed(feed("indices", TensorTy::u32([self.batch]), FeedKind::PerStep));
        let [x, y, indices] = [x, y, indices].map(|f| g.feed(f).unwrap());
        let (mut h, target) = (g.index_select(x, indices).unwrap(), g.index_select(y, indices).unwrap());
        let mut params = Vec::new();
        for (i, pair) in self.sizes.windows(2).enumerate() {
            g.enter_scope(&format!("{}.linear", 2 * i));
            let weight = declare(&mut g, format!("{}.weight", 2 * i), [pair[1], pair[0]].into());
            let bias = declare(&mut g, format!("{}.bias", 2 * i), [pair[1]].into());
            params.extend([weight, bias]);
            h = g.linear(h, weight, Some(bias)).unwrap();
            if i + 2 < self.sizes.len() {
                g.enter_scope(&format!("{}.{}", 2 * i + 1, self.activation.name()));
                h = g.unary(self.activation, h).unwrap();
            }
        }
        g.enter_scope("");
        let loss = g.loss(self.loss, h, target, None).unwrap();
        let grads = autodiff::grad(&mut g, loss, &params).unwrap();
        g.set_origin(Origin::Update);
        let factor = self.clip_norm.then(|| clip(&mut g, &grads));
        let updated = (0..params.len()).map(|i| Updated {
            id: downhill_graph::ParamId(i as u32),
            lr: ScalarId::LR,
            decay: ScalarId::DECAY,
        });
        g.flat_update(Arc::new(adam()), updated.collect(), loss, factor, &grads).unwrap();
        g.record(&[loss]).unwrap();
        g.output("loss", loss);
        g
    }

    fn env(&self, graph: &Graph) -> Env {
        let mut rng = Rng::new(3, Stream::Data, 0);
        let mut normal = |shape: &Shape, scale: f64| {
            Tensor::f32(shape.clone(), (0..shape.numel()).map(|_| f64::from((scale * rng.normal()) as f32)).collect())
        };
        let parameters: Vec<Tensor> = graph.parameters().iter().map(|p| normal(&p.shape, 0.3)).collect();
        let classes = self.sizes[self.sizes.len() - 1] as u32;
        let indices: Vec<u32> = (0..self.batch).map(|i| (i * 7 % self.samples) as u32).collect();
        let labels: Vec<u32> = (0..self.samples).map(|i| i as u32 % classes).collect();
        let feeds = graph.feeds().iter().map(|f| match f.name.as_str() {
            "indices" => Tensor::u32(f.ty.shape.clone(), &indices),
            "y" if self.is_classifier() => Tensor::u32(f.ty.shape.clone(), &labels),
            _ => normal(&f.ty.shape, 1.0),
        });
        let feeds = feeds.collect();
        let slots = vec![
            parameters.clone(),
            parameters.iter().map(|t| Tensor::f32(t.ty.shape.clone(), vec![0.5; t.data.len()])).collect(),
        ];
        let mut step = StepScalars { step: 4, batch: 1, record: 1, ..StepScalars::default() };
        step.values[..6].copy_from_slice(&[0.01, 0.0, 0.9, 0.999, 1.5, 1.2]);
        Env { parameters, slots, feeds, step, ..Env::default() }
    }

    fn plan(&self) -> (Plan, StateLayout) {
        let graph = self.graph();
        let layout = layout(&graph, 2);
        (compile(&graph, "train", &layout, &Options::default()).unwrap(), layout)
    }
}

fn declare(g: &mut Graph, name: String, shape: Shape) -> Value {
    let id = g.declare_parameter(Parameter { name, shape, group: 0 });
    g.parameter(id).unwrap()
}

/// min(1, 1 / (‖g‖ + 1e-6))
fn clip(g: &mut Graph, grads: &[Value]) -> Value {
    let (norm, tiny, one) = (g.norm(grads).unwrap(), g.constant(1e-6).unwrap(), g.constant(1.0).unwrap());
    let sum = g.plus(norm, tiny).unwrap();
    let factor = g.div(one, sum).unwrap();
    g.binary(BinaryOp::Min, one, factor).unwrap()
}

/// Adam (Kingma, Ba 2015) with betas in scalars 2 and 3 and the bias corrections 1/(1 − βᵗ) in 4 and 5.
fn adam() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, m, v) = (e.read(0), e.read(1), e.read(2), e.read(3));
    let [beta1, beta2, first, second] = [2, 3, 4, 5].map(|i| e.scalar(ScalarId(i)));
    let lr = e.scalar(ScalarId::LR);
    let lerp = |e: &mut Expr, old, new, beta| {
        let difference = e.binary(BinaryOp::Sub, old, new);
        let kept = e.binary(BinaryOp::Mul, beta, difference);
        e.binary(BinaryOp::Add, new, kept)
    };
    let square = e.unary(UnaryOp::Square, g);
    let (m, v) = (lerp(&mut e, m, g, beta1), lerp(&mut e, v, square, beta2));
    let (mean, variance) = (e.binary(BinaryOp::Mul, m, first), e.binary(BinaryOp::Mul, v, second));
    let (deviation, epsilon) = (e.unary(UnaryOp::Sqrt, variance), e.constant(1e-8));
    let divisor = e.binary(BinaryOp::Add, deviation, epsilon);
    let direction = e.binary(BinaryOp::Div, mean, divisor);
    let change = e.binary(BinaryOp::Mul, lr, direction);
    let w = e.binary(BinaryOp::Sub, w, change);
    e.outputs.extend([w, m, v]);
    UpdateRule { name: "adam", expr: e, slots: vec!["exp_avg", "exp_avg_sq"] }
}

#[test]
fn a_training_step_of_a_small_net_takes_thirteen_kernels() {
    let (plan, _) = Mlp::SMALL.plan();
    assert_eq!(plan.steps.len(), 13, "{plan}");
    insta::assert_snapshot!(plan);
}

#[test]
fn a_training_step_of_a_digit_classifier_takes_thirteen_kernels() {
    let (plan, layout) = Mlp::DIGITS.plan();
    assert_eq!(plan.steps.len(), 13, "{plan}");
    let estimate = estimate(&plan, &layout);
    assert_eq!(estimate.parameters, 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
    let products: u64 = 2 * 128 * (3 * (784 * 256 + 256 * 128 + 128 * 10) - 784 * 256);
    let others = estimate.flops - products;
    assert!(others < products / 10, "{others} beside {products}");
    assert_eq!(estimate.arena_bytes, u64::from(plan.arena_len) * 4);
}

#[test]
fn a_pre_activation_that_the_gradient_needs_is_a_second_output_of_the_product() {
    let (plan, _) = Mlp { activation: UnaryOp::Silu, ..Mlp::SMALL }.plan();
    assert_eq!(plan.steps.len(), 13, "{plan}");
    let forward = plan.steps.iter().filter(|s| s.origin == Origin::Forward && matches!(s.kernel, Kernel::MatMul(_)));
    assert_eq!(forward.filter(|s| s.writes.len() == 2).count(), 2, "{plan}");
}

#[test]
fn clipping_reads_all_gradients_as_one_region() {
    let mlp = Mlp { clip_norm: true, ..Mlp::SMALL };
    let (plan, layout) = mlp.plan();
    let norm = plan.steps.iter().find(|s| s.kernel == Kernel::Norm).unwrap();
    assert_eq!(norm.reads.len(), 1);
    assert_eq!(
        (norm.reads[0].region.offset, norm.reads[0].region.len),
        (layout.offsets.gradients, layout.offsets.parameter_len)
    );
    assert_eq!(plan.steps.len(), 15, "{plan}");
}

#[test]
fn a_training_step_changes_the_weights_as_the_interpreter_does() {
    for activation in [UnaryOp::Tanh, UnaryOp::Relu, UnaryOp::Silu, UnaryOp::Gelu, UnaryOp::Mish, UnaryOp::Elu(1.0)] {
        for clip_norm in [false, true] {
            let mlp = Mlp { activation, clip_norm, ..Mlp::SMALL };
            let graph = mlp.graph();
            check(&format!("{activation} {clip_norm}"), &graph, &mlp.env(&graph));
        }
    }
    let classifier = Mlp { sizes: &[5, 7, 3], batch: 6, samples: 20, ..Mlp::DIGITS };
    let graph = classifier.graph();
    check("classifier", &graph, &classifier.env(&graph));
}

#[test]
fn values_that_never_live_together_share_memory() {
    let mut g = Graph::new();
    let mut h = g.new_feed("x", TensorTy::f32([100, 64]), FeedKind::Resident).unwrap();
    for i in 0..6 {
        let weight = declare(&mut g, format!("{i}.weight"), [64, 64].into());
        h = g.linear(h, weight, None).unwrap();
    }
    g.output("y", h);
    let layout = layout(&g, 0);
    let scratch = |alias| compile(&g, "map", &layout, &Options { fuse: true, alias }).unwrap().arena_len - layout.state_len;
    assert_eq!((scratch(true), scratch(false)), (2 * 6400, 6 * 6400));

    let graph = Mlp::DIGITS.graph();
    let layout = super::layout(&graph, 2);
    let program = fused(&graph, &layout, &Options::default()).unwrap();
    let plan = compile(&graph, "train", &layout, &Options::default()).unwrap();
    let padding = 4 * program.buffers.len();
    assert!((plan.arena_len - layout.state_len) as usize <= peak(&program) + padding, "no more than is live at once");
}

#[test]
fn a_plan_that_overwrites_a_live_value_is_caught() {
    let (plan, layout) = Mlp::SMALL.plan();
    let program = fused(&Mlp::SMALL.graph(), &layout, &Options::default()).unwrap();
    assert_eq!(verify_lifetimes(&program, &plan), Ok(()));
    let mut caught = 0;
    for i in 0..plan.steps.len() {
        // Move one scratch write onto the loss, which is an output, or onto the first batch, which the last gradient reads.
        for onto in [plan.steps[5].writes[0].region, plan.steps[0].writes[0].region] {
            let mut broken = plan.clone();
            let Some(write) = broken.steps[i].writes.first_mut().filter(|w| w.region.offset >= plan.state_len) else {
                continue;
            };
            let alive = if onto.len == 1 { i > 5 } else { i > 0 };
            if alive && !write.region.overlaps(&onto) {
                write.region.offset = onto.offset;
                assert!(verify_lifetimes(&program, &broken).is_err(), "step {i} onto {onto}");
                caught += 1;
            }
        }
    }
    assert!(caught >= 6, "only {caught} plans were broken");
}

#[test]
fn a_plan_with_a_misplaced_operand_is_caught() {
    let (plan, _) = Mlp::SMALL.plan();
    assert_eq!(verify_plan(&plan), Ok(()));
    let breakages: [fn(&mut Plan); 6] = [
        |p| p.steps[2].reads[1].start += 1,
        |p| p.steps[2].writes[0].region.offset += 2,
        |p| p.steps[2].writes[0].region.offset = 0,
        |p| p.steps[2].writes[0].region = p.steps[2].reads[0].region,
        |p| p.steps[0].reads[0].region.offset += p.data_len,
        |p| p.steps.swap(0, 2),
    ];
    for (i, breakage) in breakages.iter().enumerate() {
        let mut broken = plan.clone();
        breakage(&mut broken);
        assert!(verify_plan(&broken).is_err(), "breakage {i}");
    }
}

#[test]
fn every_pass_can_be_read() {
    let mlp = Mlp { sizes: &[2, 3, 1], activation: UnaryOp::Silu, ..Mlp::SMALL };
    let graph = mlp.graph();
    let layout = layout(&graph, 2);
    let canonical = canonicalise(&graph).unwrap();
    insta::assert_snapshot!("canonicalise", canonical.graph);
    let mut program = lower(&canonical, &layout).unwrap();
    insta::assert_snapshot!("lower", program);
    fuse(&mut program);
    insta::assert_snapshot!("fuse", program);
    insta::assert_snapshot!("plan_memory", plan_memory(&program, &graph, &layout, true).unwrap());
}

#[test]
fn a_layout_of_other_parameters_is_refused() {
    let layout = StateLayout::new(&LayoutSpec::default()).unwrap();
    let error = compile(&Mlp::SMALL.graph(), "train", &layout, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("0.weight"), "{error}");
}

#[test]
fn a_value_that_no_arena_holds_is_refused() {
    let mut g = Graph::new();
    let x = g.new_feed("x", TensorTy::f32([1, 4]), FeedKind::Resident).unwrap();
    let y = g.new_feed("y", TensorTy::f32([4, 1]), FeedKind::Resident).unwrap();
    let layout = layout(&g, 0);
    let y = g.expand(y, [100_000, 4, 1]).unwrap();
    let product = g.matmul(x, y).unwrap();
    let huge = g.expand(product, [100_000, 100_000, 1]).unwrap();
    g.output("huge", huge);
    let error = compile(&g, "map", &layout, &Options::default()).unwrap_err();
    assert_eq!(error, CompileError::TooLarge { elements: 10_000_000_000 });
}
