//! Networks of the benchmark's sizes with their training program, on a device.

use downhill_compile::conformance::{Bench, Mlp};
use downhill_compile::{Options, Plan, Region, Space};
use downhill_gpu::GpuDevice;
use downhill_graph::StepScalars;

use super::Gpu;

/// 2 → 8 → 8 → 1 with tanh, with so many rows a step.
pub fn small(batch: usize) -> Mlp {
    Mlp { batch, samples: 8 * batch, ..Mlp::small() }
}

/// 784 → 512 → 256 → 10 with relu, 128 rows a step.
pub fn large() -> Mlp {
    Mlp { sizes: vec![784, 512, 256, 10], ..Mlp::digits() }
}

/// A network on a device, with random data and weights.
pub fn on<'d>(device: &'d GpuDevice, mlp: &Mlp) -> Bench<Gpu<'d>> {
    let graph = mlp.graph();
    Bench::new(&Gpu(device), &graph, &mlp.env(&graph), &Options::default())
}

/// Scalars of so many steps of Adam from the first on.
pub fn steps(first: u64, count: u64) -> Vec<StepScalars> {
    let step = |t: u64| {
        let mut step = StepScalars { step: t as u32, seed: 1, record: t as u32 % 2, batch: 1, ..StepScalars::default() };
        let corrections = [0.9f64, 0.999].map(|beta| (1.0 / (1.0 - beta.powf(t as f64 + 1.0))) as f32);
        step.values[..6].copy_from_slice(&[0.01, 0.0, 0.9, 0.999, corrections[0], corrections[1]]);
        step
    };
    (first..first + count).map(step).collect()
}

/// The flag and the metrics ring.
pub fn ring(plan: &Plan) -> Region {
    Region { space: Space::Arena, offset: plan.state.flag, len: plan.state_len - plan.state.flag }
}
