//! What every backend has to pass: the cases of all ops and their gradients, compiled in every way, against the f64 interpreter, and
//! what [`Executor`] promises about order, repetition and refusal.

pub(crate) mod bench;
mod net;
pub mod promises;
mod seen;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use downhill_graph::autodiff::grad;
use downhill_graph::interp::{Run, run};
use downhill_graph::ops::{ALMOST_ZERO, LayerNorm, OpCase, all_cases};
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{FeedKind, Graph, Value};
use downhill_tensor::Shape;
use downhill_tensor::rng::{Rng, Stream};

pub use bench::{Backend, Bench};
pub use net::{Mlp, net, step};
use seen::Seen;

use crate::{Options, Plan};

/// All ways to compile.
pub(crate) const OPTIONS: [Options; 4] = [
    Options { fuse: false, alias: false },
    Options { fuse: false, alias: true },
    Options { fuse: true, alias: false },
    Options { fuse: true, alias: true },
];

/// Runs a graph in all four ways and compares everything that can be seen afterwards, each value relative to its own largest element.
///
/// # Errors
/// The first difference, with the plan.
pub async fn check<B: Backend>(backend: &B, name: &str, graph: &Graph, env: &Env, tolerance: f64) -> Result<(), String> {
    let mut after = env.clone();
    let reference = run(graph, &mut after);
    compare_all(backend, name, (graph, env), (&reference, &after), [tolerance, ALMOST_ZERO]).await
}

/// The same for a random program: relative to the largest number on the way, because what is left of a difference of large numbers is their rounding.
///
/// # Errors
/// As [`check`].
pub async fn check_chain<B: Backend>(backend: &B, name: &str, graph: &Graph, env: &Env, tolerance: f64) -> Result<(), String> {
    let mut after = env.clone();
    let reference = run(graph, &mut after);
    let absolute = tolerance * reference.largest();
    compare_all(backend, name, (graph, env), (&reference, &after), [tolerance, absolute]).await
}

async fn compare_all<B: Backend>(
    backend: &B,
    name: &str,
    (graph, env): (&Graph, &Env),
    (reference, after): (&Run, &Env),
    [relative, absolute]: [f64; 2],
) -> Result<(), String> {
    let mut known: Vec<Plan> = Vec::new();
    for options in OPTIONS {
        let mut bench = Bench::new(backend, graph, env, &options);
        if known.contains(&bench.plan) {
            continue;
        }
        bench.step(&env.step);
        let arena = bench.arena().await;
        let seen = Seen { arena, plan: &bench.plan, layout: &bench.layout, relative, absolute };
        let outcome = seen.compare(graph, reference, after);
        outcome.map_err(|e| format!("{name} {options:?}: {e}\n{}", bench.plan))?;
        known.push(bench.plan);
    }
    Ok(())
}

/// The cases of all ops that have something to compute.
pub(crate) fn cases() -> Vec<OpCase> {
    let cases: Vec<OpCase> =
        all_cases().into_iter().filter(|case| case.inputs.iter().all(|t| t.ty.shape.numel() > 0)).collect();
    assert!(cases.len() > 100);
    cases
}

/// Gradients of `x + norm(x)`, where what goes around a norm meets what comes through it.
fn residuals() -> Vec<(String, Graph, Env)> {
    let case = |columns: usize, norm: LayerNorm| {
        let (mut graph, mut env) = (Graph::new(), Env::default());
        let shapes: [&[usize]; 4] = [&[5, columns], &[5, columns], &[columns], &[columns]];
        let [x, slope, weight, bias] = [0, 1, 2, 3].map(|i| {
            let mut rng = Rng::new(i, Stream::Data, 0);
            let shape = Shape::from(shapes[i as usize]);
            let numbers = (0..shape.numel()).map(|_| f64::from(rng.normal() as f32)).collect();
            let tensor = Tensor::f32(shape, numbers);
            let value = graph.new_feed(format!("in{i}"), tensor.ty.clone(), FeedKind::Resident).expect("its name is new");
            env.feeds.push(tensor);
            value
        });
        let optional = [(weight, norm.weight), (bias, norm.bias)].into_iter().filter(|(_, is)| *is).map(|(value, _)| value);
        let inputs: Vec<Value> = [x].into_iter().chain(optional).collect();
        let normal = graph.apply(norm.clone(), &inputs).expect("shapes fit");
        let sum = graph.plus(x, normal).expect("shapes fit");
        let weighted = graph.mul(sum, slope).expect("shapes fit");
        let loss = graph.sum_all(weighted).expect("it is a tensor");
        for (i, gradient) in grad(&mut graph, loss, &inputs).expect("norms have gradients").into_iter().enumerate() {
            graph.output(i.to_string(), gradient);
        }
        (format!("residual of {norm:?} over {columns}"), graph, env)
    };
    let of = |columns| {
        [(true, true, true), (true, false, false), (false, true, false), (false, false, false)]
            .map(|(centered, weight, bias)| case(columns, LayerNorm { centered, weight, bias, eps: 1e-5 }))
    };
    [6, 24].into_iter().flat_map(of).collect()
}

/// Every case of every op, and the gradients of those that have some. Tolerances are the cases' own.
pub async fn all_cases_agree<B: Backend>(backend: &B) {
    cases_agree(backend, 0, 1).await;
}

/// One of so many parts of these cases, so that several threads can share them.
pub async fn cases_agree<B: Backend>(backend: &B, part: usize, parts: usize) {
    let mut failures = Vec::new();
    let cases = cases();
    for case in cases.iter().skip(part).step_by(parts) {
        let (graph, env) = case.graph();
        failures.extend(check(backend, &case.name, &graph, &env, case.tolerance).await.err());
        if let Some((graph, env)) = case.gradient_graph() {
            let name = format!("gradient of {}", case.name);
            failures.extend(check(backend, &name, &graph, &env, case.gradient_tolerance).await.err());
        }
    }
    for (name, graph, env) in residuals().iter().skip(part).step_by(parts) {
        failures.extend(check(backend, name, graph, env, 1e-5).await.err());
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// Runs a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::yield_now();
    }
}
