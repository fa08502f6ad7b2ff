//! What [`Executor`] promises, tried on a small network.

use downhill_graph::tensors::Tensor;
use downhill_graph::{StateTensor, StepScalars};

use super::bench::{Backend, Bench};
use super::net::{Mlp, net, step};
use crate::{Completed, ExecError, Executor, Options, Plan, Region, Space};

/// Widths of the network.
pub const WIDTHS: [usize; 4] = [7, 33, 12, 3];

/// The same steps give the same bits, and training works.
pub async fn two_runs_give_the_same_bits_and_lower_the_loss<B: Backend>(backend: &B) {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut bench = net(backend, &WIDTHS, 20);
        let steps: Vec<StepScalars> = (0..300).map(|i| step(i, 0.05)).collect();
        let at = (bench.layout.offsets.ring + 2) as usize;
        bench.executor.submit(bench.program, &steps[..1]).expect("the program is loaded");
        let first = f32::from_bits(bench.arena().await[at]);
        bench.executor.submit(bench.program, &steps[1..]).expect("the program is loaded");
        let arena = bench.arena().await;
        // Rows alternate: step 298 wrote where step 0 did.
        let last = f32::from_bits(arena[at]);
        assert!(last < 0.5 * first, "{first} to {last}");
        runs.push(arena);
    }
    assert_eq!(runs[0], runs[1]);
}

/// Everything happens in the order in which it is asked for.
pub async fn uploads_and_reads_take_effect_between_the_steps_they_stand_between<B: Backend>(backend: &B) {
    let mut bench = net(backend, &WIDTHS, 20);
    let o = bench.layout.offsets;
    let weights = Region { space: Space::Arena, offset: o.parameters, len: o.parameter_len };
    let (executor, program) = (&mut bench.executor, bench.program);
    let submit = |executor: &mut B::Executor, number| executor.submit(program, &[step(number, 0.1)]).expect("it is loaded");
    let read = |executor: &mut B::Executor| executor.request_read(&[weights]).expect("the region exists");
    let before = read(executor);
    let first = submit(executor, 0);
    let between = read(executor);
    executor.upload(Space::Arena, o.parameters, &vec![0; o.parameter_len as usize]).expect("it fits");
    let zeros = read(executor);
    let second = submit(executor, 1);
    let after = read(executor);
    let done = bench.completed().await;
    let [
        Completed::Read(a, was),
        Completed::Steps(b),
        Completed::Read(c, is),
        Completed::Read(d, cleared),
        Completed::Steps(e),
        Completed::Read(f, moved),
    ] = done.as_slice()
    else {
        panic!("six things were asked for: {done:?}")
    };
    assert_eq!((*a, *b, *c, *d, *e, *f), (before, first, between, zeros, second, after));
    assert_ne!(was, is, "the step changed the weights");
    assert!(cleared.iter().all(|&w| w == 0));
    assert!(moved.iter().any(|&w| w != 0), "the second step started from zero and moved");
}

/// The sticky flag.
pub async fn a_gradient_that_is_not_finite_names_its_step_and_freezes_the_weights<B: Backend>(backend: &B) {
    // The second has so many parameters that a GPU checks gradients in a dispatch of their own.
    for widths in [&WIDTHS[..], &[64, 96, 64, 3][..]] {
        let mut bench = net(backend, widths, 20);
        let o = bench.layout.offsets;
        bench.step(&step(0, 0.1));
        let good = bench.arena().await;
        bench.poison(f32::NAN.to_bits());
        bench.step(&step(1, 0.1));
        assert_eq!(bench.arena().await[o.flag as usize], 2);
        bench.poison(0);
        bench.step(&step(2, 0.1));
        let now = bench.arena().await;
        let weights = o.parameters as usize..(o.parameters + o.parameter_len) as usize;
        assert_eq!(now[weights.clone()], good[weights], "also after the cause is gone");
        assert_eq!(now[(o.ring + 1) as usize], 2, "the record carries the flag");
    }
}

/// States.
pub async fn a_state_goes_on_from_step_to_step_and_rests_from_a_bad_one_on<B: Backend>(backend: &B) {
    let mlp = Mlp { adam: false, ..Mlp::small() };
    let mut graph = mlp.graph();
    let id = graph.declare_state(StateTensor { name: "count".to_string(), shape: [3].into() });
    let (count, one) = (graph.state(id).expect("it is declared"), graph.constant(1.0).expect("a constant"));
    let next = graph.plus(count, one).expect("it broadcasts");
    graph.output("read", count);
    graph.assign(&[next]).expect("it fits");
    let mut env = mlp.env(&graph);
    env.states = vec![Tensor::f32([3], vec![0.0, 10.0, 20.0])];
    let mut bench = Bench::new(backend, &graph, &env, &Options::default());
    let counts = Region { space: Space::Arena, offset: bench.layout.offsets.states, len: 3 };
    let read = bench.plan.output("read").expect("it is an output").region;
    let words = |numbers: [f32; 3]| numbers.map(f32::to_bits).to_vec();
    let steps: Vec<StepScalars> = (0..5).map(|i| StepScalars { batch: 1, ..step(i, 0.01) }).collect();
    bench.executor.submit(bench.program, &steps).expect("the program is loaded");
    assert_eq!(bench.read(counts).await, words([5.0, 15.0, 25.0]));
    assert_eq!(bench.read(read).await, words([4.0, 14.0, 24.0]), "what a step reads is what was there before it");
    // The first sample is in the batch.
    bench.poison(f32::NAN.to_bits());
    bench.step(&StepScalars { batch: 1, ..step(5, 0.01) });
    bench.poison(0);
    bench.step(&StepScalars { batch: 1, ..step(6, 0.01) });
    assert_eq!(bench.read(counts).await, words([5.0, 15.0, 25.0]));
}

/// Loading grows the buffers.
pub async fn a_program_that_needs_more_memory_keeps_what_is_there<B: Backend>(backend: &B) {
    let mut bench = net(backend, &WIDTHS, 20);
    bench.step(&step(0, 0.1));
    let before = bench.arena().await;
    let mut larger: Plan = bench.plan.clone();
    larger.arena_len += 1 << 16;
    larger.data_len += 1 << 12;
    bench.executor.load(&larger).expect("there is room");
    assert_eq!(bench.arena().await, before);
    bench.step(&step(1, 0.1));
    assert_ne!(bench.arena().await, before, "the old program runs in the new buffers");
}

/// Ranges, batches and programs that do not exist.
pub fn what_does_not_fit_is_refused<B: Backend>(backend: &B) {
    let mut bench: Bench<B> = net(backend, &WIDTHS, 20);
    let end = bench.plan.arena_len.next_multiple_of(4);
    let refused = |r: Result<(), ExecError>| matches!(r, Err(ExecError::Unsupported(_)));
    assert!(refused(bench.executor.upload(Space::Arena, end - 1, &[0, 0])));
    let beyond = Region { space: Space::Data, offset: u32::MAX, len: 1 };
    assert!(refused(bench.executor.request_read(&[beyond]).map(|_| ())));
    let no_such_batch = StepScalars { batch: 2, ..step(0, 0.1) };
    assert!(refused(bench.executor.submit(bench.program, &[no_such_batch]).map(|_| ())));
    bench.executor.unload(bench.program);
    assert!(refused(bench.executor.submit(bench.program, &[step(0, 0.1)]).map(|_| ())));
}
