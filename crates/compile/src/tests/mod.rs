//! Plans against the graph interpreter: every op's cases, fused and unfused, aliased and not.

mod fuse;
mod mlp;
mod random;
mod reference;

use downhill_graph::interp::{Run, run};
use downhill_graph::ops::{ALMOST_ZERO, Op, all_cases};
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{Graph, StepScalars};
use downhill_tensor::Dtype;

use crate::conformance::bench::layout;
use crate::conformance::{OPTIONS, cases};
use crate::{Options, Plan, StateLayout, compile};
use reference::{Machine, word};

/// f64 on both sides; what differs is the order of sums and how log-sum-exp is written.
const TOLERANCE: f64 = 1e-9;

/// Puts the environment into the buffers.
fn load(plan: &Plan, graph: &Graph, layout: &StateLayout, env: &Env) -> Machine {
    let mut machine = Machine::new(plan);
    let mut put = |at: u32, values: &[f64]| machine.arena[at as usize..at as usize + values.len()].copy_from_slice(values);
    for (p, tensor) in env.parameters.iter().enumerate() {
        let offset = layout.entries[layout.order[p] as usize].offset;
        put(offset, &tensor.data);
        for (s, slot) in env.slots.iter().enumerate() {
            put(layout.offsets.slots + s as u32 * layout.offsets.parameter_len + offset, &slot[p].data);
        }
    }
    for (entry, tensor) in layout.states.iter().zip(&env.states) {
        put(layout.offsets.states + entry.offset, &tensor.data);
    }
    put(layout.offsets.flag, &[word(u32::from(env.non_finite))]);
    for (feed, tensor) in graph.feeds().iter().zip(&env.feeds) {
        let (at, row) = layout.feed(&feed.name).unwrap();
        let at = (at + row * env.step.batch) as usize;
        for (cell, v) in machine.data[at..].iter_mut().zip(&tensor.data) {
            *cell = if feed.ty.dtype == Dtype::U32 { *v as u32 } else { (*v as f32).to_bits() };
        }
    }
    machine
}

fn close(what: &str, want: &[f64], got: &[f64]) {
    assert_eq!(want.len(), got.len(), "{what}");
    let largest = want.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (w, g)) in want.iter().zip(got).enumerate() {
        let same = (w - g).abs() <= TOLERANCE * largest + ALMOST_ZERO || w == g || (w.is_nan() && g.is_nan());
        assert!(same, "{what}, element {i}: {g}, expected {w}");
    }
}

fn expected(tensor: &Tensor) -> Vec<f64> {
    match tensor.ty.dtype {
        Dtype::F32 => tensor.data.clone(),
        Dtype::U32 => tensor.data.iter().map(|v| word(*v as u32)).collect(),
    }
}

/// Runs the graph both ways and compares outputs, parameters, slots and what was recorded.
pub(crate) fn check(name: &str, graph: &Graph, env: &Env) {
    let layout = layout(graph, env.slots.len());
    let mut after = env.clone();
    let run: Run = run(graph, &mut after);
    for options in OPTIONS {
        let plan = compile(graph, "test", &layout, &options).unwrap_or_else(|e| panic!("{name} {options:?}: {e}"));
        let mut machine = load(&plan, graph, &layout, env);
        machine.run(&plan, &env.step);
        let what = |part: &str| format!("{name} {options:?} {part}\n{plan}");
        for (out, value) in graph.outputs() {
            close(&what(out), &expected(run.value(*value)), &machine.read(plan.output(out).unwrap().region));
        }
        for (p, tensor) in after.parameters.iter().enumerate() {
            let entry = &layout.entries[layout.order[p] as usize];
            let at = |base: u32| (base + entry.offset) as usize..(base + entry.offset + entry.len) as usize;
            close(&what(&entry.name), &tensor.data, &machine.arena[at(0)]);
            for (s, slot) in after.slots.iter().enumerate() {
                let base = layout.offsets.slots + s as u32 * layout.offsets.parameter_len;
                close(&what("slot"), &slot[p].data, &machine.arena[at(base)]);
            }
            let padding = (base_padding(&layout, p)).map(|i| machine.arena[(layout.offsets.gradients + i) as usize]);
            assert!(padding.into_iter().all(|v| v == 0.0), "{}", what("padding of the gradients stays zero"));
        }
        for (entry, tensor) in layout.states.iter().zip(&after.states) {
            let at = (layout.offsets.states + entry.offset) as usize;
            close(&what(&entry.name), &tensor.data, &machine.arena[at..at + entry.len as usize]);
        }
        if env.step.record != StepScalars::NO_RECORD {
            let at = (layout.offsets.ring + env.step.record * layout.offsets.ring_stride) as usize + 2;
            close(&what("record"), &after.recorded, &machine.arena[at..at + after.recorded.len()]);
        }
        assert_eq!(after.non_finite, machine.arena[layout.offsets.flag as usize] != 0.0, "{}", what("flag"));
    }
}

fn base_padding(layout: &StateLayout, p: usize) -> impl Iterator<Item = u32> + use<> {
    let entry = &layout.entries[layout.order[p] as usize];
    entry.offset + entry.len..entry.offset + entry.len.div_ceil(4) * 4
}

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    for case in cases() {
        let (graph, env) = case.graph();
        check(&case.name, &graph, &env);
    }
}

#[test]
fn every_gradient_gives_what_the_interpreter_gives() {
    for case in cases() {
        if let Some((graph, env)) = case.gradient_graph() {
            check(&format!("gradient of {}", case.name), &graph, &env);
        }
    }
}

#[test]
fn a_graph_that_the_layout_does_not_know_is_refused() {
    let (graph, _) = all_cases().into_iter().find(|c| matches!(c.op, Op::Unary(_))).unwrap().graph();
    let error = compile(&graph, "test", &StateLayout::default(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("in0"), "{error}");
}
