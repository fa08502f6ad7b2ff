//! What [`Executor`] promises, tried on a small network.

use downhill_graph::StepScalars;

use super::bench::{Backend, Bench};
use super::net::{net, step};
use crate::{Completed, ExecError, Executor, Plan, Region, Space};

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
