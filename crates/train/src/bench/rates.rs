//! How a rate is measured, and what is said of where.

use std::time::Duration;

use downhill_gpu::GpuDevice;
use downhill_protocol::BenchResult;
use downhill_tensor::{UserError, sort_short_by_key};
use web_time::Instant;

/// Windows of a measurement; their median counts.
pub(super) const WINDOWS: usize = 7;
const WARM_UP: Duration = Duration::from_secs(1);

/// Which SIMD the CPU's kernels use.
pub(crate) fn simd() -> &'static str {
    match (cfg!(target_arch = "wasm32"), cfg!(feature = "relaxed-simd")) {
        (true, true) => "wasm relaxed-simd",
        (true, false) => "wasm simd128",
        _ => "native SIMD",
    }
}

/// What computes.
pub(super) fn place(device: Option<&GpuDevice>) -> String {
    device.map_or_else(|| simd().to_string(), |d| format!("{} ({})", d.adapter().name, d.adapter().api))
}

/// Rates of a measurement, per second.
pub(super) struct Rates {
    /// The median window.
    pub median: f64,
    min: f64,
    max: f64,
}

impl Rates {
    /// As a result without anything else.
    pub fn result(&self, workload: &str) -> BenchResult {
        BenchResult {
            workload: workload.to_string(),
            steps_per_second: self.median,
            min: self.min,
            max: self.max,
            ..BenchResult::default()
        }
    }
}

/// Runs `work` until a moment again and again: warm-up, then [`WINDOWS`] windows. `work` says how much it did.
pub(super) async fn measure(
    window: Duration,
    mut work: impl AsyncFnMut(Instant) -> Result<u64, UserError>,
) -> Result<Rates, UserError> {
    work(Instant::now() + WARM_UP).await?;
    let mut rates = Vec::with_capacity(WINDOWS);
    for _ in 0..WINDOWS {
        let start = Instant::now();
        let done = work(start + window).await?;
        rates.push(done as f64 / start.elapsed().as_secs_f64());
    }
    // Rates are not negative, so their bits sort as they do.
    sort_short_by_key(&mut rates, |rate: &f64| rate.to_bits());
    Ok(Rates { median: rates[WINDOWS / 2], min: rates[0], max: rates[WINDOWS - 1] })
}
