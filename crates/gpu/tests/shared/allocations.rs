//! What a submit allocates on the host.

use allocation_counter::measure;
use downhill_compile::Executor;
use downhill_compile::conformance::{net, step};
use downhill_gpu::GpuDevice;
use web_time::Instant;

use super::Gpu;

/// Steps of the longer submit: as many as a program's first one takes.
pub const STEPS: u32 = 4;

/// Submits of either length; the fewest allocations count, for lists that last still grow in the first.
pub const TRIES: u32 = 10;

/// Allocations of a submit, what it brings not included.
#[derive(Clone, Copy, Debug)]
pub struct Submit {
    /// With one step.
    pub one: u64,
    /// With [`STEPS`].
    pub several: u64,
}

impl Submit {
    /// The fewest of many submits; each is told the number of its steps and gives its allocations.
    pub async fn fewest(mut submit: impl AsyncFnMut(u32) -> u64) -> Self {
        let mut fewest = Self { one: u64::MAX, several: u64::MAX };
        for _ in 0..TRIES {
            fewest.one = fewest.one.min(submit(1).await);
            fewest.several = fewest.several.min(submit(STEPS).await);
        }
        fewest
    }

    /// Of every step beyond the first.
    pub fn per_step(self) -> f64 {
        (self.several as f64 - self.one as f64) / f64::from(STEPS - 1)
    }
}

/// Of the executor with a small network, and how many dispatches a step of it has.
pub async fn of_the_executor(device: &GpuDevice) -> (Submit, usize) {
    let mut bench = net(&Gpu(device), &[7, 9, 3], 20);
    let dispatches = bench.executor.dispatches(bench.program);
    let submit = Submit::fewest(async |count| {
        // Of a new program the executor does not know yet that few of its steps fit.
        let program = bench.executor.load(&bench.plan).expect("it is supported");
        let steps: Vec<_> = (0..count).map(|i| step(i, 0.01)).collect();
        let before = bench.executor.submits();
        let info = measure(|| {
            bench.executor.submit(program, &steps).expect("it is loaded");
            bench.executor.pump(Instant::now());
        });
        assert_eq!(bench.executor.submits(), before + 1, "{count} steps are one submit");
        bench.completed().await;
        bench.executor.unload(program);
        info.count_total
    });
    (submit.await, dispatches)
}
