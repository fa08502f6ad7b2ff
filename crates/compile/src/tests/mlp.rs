//! Whole training steps: how many kernels they take, what their plans look like, and that they compute the right thing.

use downhill_graph::kernel::Kernel;
use downhill_graph::{FeedKind, Graph, Origin, Parameter, UnaryOp, Value};
use downhill_tensor::{Shape, TensorTy};

use super::{check, layout};
use crate::canonicalise::canonicalise;
use crate::compile::fused;
use crate::conformance::Mlp;
use crate::fuse::fuse;
use crate::lower::lower;
use crate::memory::plan_memory;
use crate::schedule::peak;
use crate::verify::{verify_lifetimes, verify_plan};
use crate::{CompileError, LayoutSpec, Options, Plan, StateLayout, compile, estimate};

fn declare(g: &mut Graph, name: String, shape: Shape) -> Value {
    let id = g.declare_parameter(Parameter { name, shape, group: 0 });
    g.parameter(id).unwrap()
}

#[test]
fn a_training_step_of_a_small_net_takes_thirteen_kernels() {
    let (plan, _) = Mlp::small().plan();
    assert_eq!(plan.steps.len(), 13, "{plan}");
    insta::assert_snapshot!(plan);
}

#[test]
fn a_training_step_of_a_digit_classifier_takes_thirteen_kernels() {
    let (plan, layout) = Mlp::digits().plan();
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
    let (plan, _) = Mlp { activation: UnaryOp::Silu, ..Mlp::small() }.plan();
    assert_eq!(plan.steps.len(), 13, "{plan}");
    let forward = plan.steps.iter().filter(|s| s.origin == Origin::Forward && matches!(s.kernel, Kernel::MatMul(_)));
    assert_eq!(forward.filter(|s| s.writes.len() == 2).count(), 2, "{plan}");
}

#[test]
fn clipping_reads_all_gradients_as_one_region() {
    let mlp = Mlp { clip_norm: true, ..Mlp::small() };
    let (plan, layout) = mlp.plan();
    let norm = plan.steps.iter().find(|s| matches!(s.kernel, Kernel::GradNorm(_))).unwrap();
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
            let mlp = Mlp { activation, clip_norm, ..Mlp::small() };
            let graph = mlp.graph();
            check(&format!("{activation} {clip_norm}"), &graph, &mlp.env(&graph));
        }
    }
    let classifier = Mlp { sizes: vec![5, 7, 3], batch: 6, samples: 20, ..Mlp::digits() };
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

    let graph = Mlp::digits().graph();
    let layout = super::layout(&graph, 2);
    let program = fused(&graph, &layout, &Options::default()).unwrap();
    let plan = compile(&graph, "train", &layout, &Options::default()).unwrap();
    let padding = 4 * program.buffers.len();
    assert!((plan.arena_len - layout.state_len) as usize <= peak(&program) + padding, "no more than is live at once");
}

#[test]
fn a_plan_that_overwrites_a_live_value_is_caught() {
    let (plan, layout) = Mlp::small().plan();
    let program = fused(&Mlp::small().graph(), &layout, &Options::default()).unwrap();
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
    let (plan, _) = Mlp::small().plan();
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
    let mlp = Mlp { sizes: vec![2, 3, 1], activation: UnaryOp::Silu, ..Mlp::small() };
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
    let error = compile(&Mlp::small().graph(), "train", &layout, &Options::default()).unwrap_err();
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
