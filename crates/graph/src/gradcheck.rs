//! Gradients of every case against central differences in f64.

use crate::interp::run;
use crate::ops::{OpCase, Projected, all_cases};

/// Half the distance between the two points of a difference. The error of a central difference is about h² · f‴, that of rounding
/// 1e-16 / h.
const STEP: f64 = 1e-5;
/// Elements per input that are looked at in large cases.
const SAMPLES: usize = 60;

/// The projected outputs with one element of one input moved.
fn moved(case: &Projected, input: usize, element: usize, by: f64) -> f64 {
    let mut env = case.env.clone();
    env.feeds[input].data[element] += by;
    run(&case.graph, &mut env).value(case.projection).data[0]
}

fn check(case: &OpCase) {
    let (graph, env) = case.gradient_graph().expect("only cases with gradients are checked");
    let forward = case.projected();
    let values = run(&graph, &mut env.clone());
    for &input in &case.gradients {
        let grad = values.output(&graph, &format!("grad{input}")).expect("a gradient per input");
        let data = &env.feeds[input].data;
        for element in (0..data.len()).step_by(data.len().div_ceil(SAMPLES).max(1)) {
            if input == 0 && case.kinks.iter().any(|k| (data[element] - k).abs() < 10.0 * STEP) {
                continue;
            }
            let [up, down] = [STEP, -STEP].map(|by| moved(&forward, input, element, by));
            let (numeric, symbolic) = ((up - down) / (2.0 * STEP), grad.data[element]);
            // Constants of gradient rules are f32, so about 1e-7 of the size is lost there; the rest is the error of the difference.
            let allowed = 1e-6 * symbolic.abs() + 1e-10 * up.abs() + 1e-8;
            assert!(
                (numeric - symbolic).abs() <= allowed,
                "{}: gradient of input {input}, element {element}: {symbolic}, differences say {numeric}",
                case.name
            );
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences_in_every_case() {
    let cases: Vec<OpCase> = all_cases().into_iter().filter(|c| !c.gradients.is_empty()).collect();
    cases.iter().for_each(check);
    assert!(cases.len() > 200, "only {} cases were checked", cases.len());
}

#[test]
fn every_op_that_computes_has_cases() {
    let mut names: Vec<&str> = all_cases().iter().map(|c| c.op.name()).collect();
    names.sort_unstable();
    names.dedup();
    insta::assert_snapshot!(names.join(" "));
}

#[test]
fn case_names_are_unique_so_that_a_failure_can_be_found() {
    let mut names: Vec<String> = all_cases().into_iter().map(|c| c.name).collect();
    names.sort_unstable();
    let twice: Vec<&String> = names.windows(2).filter(|w| w[0] == w[1]).map(|w| &w[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn decomposed_cases_compute_the_same() {
    for case in &all_cases() {
        let (graph, mut env) = case.graph();
        let canonical = crate::decompose(&graph);
        if canonical == graph {
            continue;
        }
        let (wants, gots) = (run(&graph, &mut env.clone()), run(&canonical, &mut env));
        for (name, value) in graph.outputs() {
            let (want, got) = (wants.value(*value), gots.output(&canonical, name).expect("every output stays"));
            for (want, got) in want.data.iter().zip(&got.data) {
                let same = (want - got).abs() <= 1e-12 * (1.0 + want.abs()) || want == got || (want.is_nan() && got.is_nan());
                assert!(same, "{} output {name}: {want} became {got}", case.name);
            }
        }
    }
}
