//! What `downhill bench` and the page's benchmark measure: training runs beside other engines, single kernels beside what the machine can do,
//! and the compiler. Training goes through the session's own loop.

mod kernels;
mod rates;
mod samples;
mod workloads;

use std::time::Duration;

use downhill_gpu::GpuDevice;
use downhill_protocol::{BenchRequest, BenchResult};
use downhill_tensor::UserError;
use web_time::Instant;

pub(crate) use kernels::square;
pub(crate) use rates::simd;
pub use workloads::{plan, session};

use crate::compile_bench::{self, compile_times};
use crate::session::Session;
use crate::session::next::Next;
use kernels::KERNELS;
use rates::{WINDOWS, measure, place};
use workloads::TRAINED;

const SLICE: Duration = Duration::from_millis(8);

/// All workloads, those that train first.
pub fn workloads() -> impl Iterator<Item = &'static str> {
    TRAINED.into_iter().chain(KERNELS)
}

/// Whether a workload is one kernel and no training run.
pub fn is_kernel(workload: &str) -> bool {
    !TRAINED.contains(&workload)
}

/// Measures a workload on a device, or on the CPU.
///
/// # Errors
/// When there is no workload of this name, or it does not run there.
pub async fn run(request: &BenchRequest, device: Option<&GpuDevice>) -> Result<BenchResult, UserError> {
    let seconds = if request.seconds.is_finite() { request.seconds.clamp(0.1, 600.0) } else { 3.0 };
    let window = downhill_tensor::seconds(seconds / WINDOWS as f64);
    let workload = request.workload.as_str();
    if let Some(kernel) = kernels::parse(workload) {
        return kernel.run(workload, window, device).await;
    }
    if let Some(layers) = compile_bench::parse(workload) {
        return compiled(layers, Duration::from_secs_f64(seconds));
    }
    let mut session = session(workload)?;
    if device.is_some() {
        session.move_to(device).await?;
    }
    let began = Instant::now();
    session.set_pace(None);
    session.start();
    let rates = measure(window, async |until| advance(&mut session, until).await).await?;
    session.pause();
    session.run_until_rest().await?;
    let points = session.curves().points("loss");
    let tail = &points[points.len().saturating_sub(5)..];
    let last = tail.iter().map(|p| p.mean).sum::<f64>() / tail.len().max(1) as f64;
    let result = BenchResult {
        gflops: rates.median * session.machine.train().flops as f64 / 1e9,
        first_loss: points.first().map_or(f64::NAN, |p| p.mean),
        last_loss: last,
        notes: session.bench_notes(device, began.elapsed().as_secs_f64()),
        ..rates.result(workload)
    };
    Ok(result)
}

/// All programs of a network of so many layers, compiled: networks per second, and the milliseconds of each part.
fn compiled(layers: usize, time: Duration) -> Result<BenchResult, UserError> {
    let times = compile_times(&[layers], time)?.pop().ok_or_else(|| UserError::new("Nothing was measured."))?;
    let parts: Vec<String> = times.parts.iter().map(|(name, ms)| format!("{name} {ms:.2}")).collect();
    Ok(BenchResult {
        workload: format!("compile-{layers}"),
        steps_per_second: 1e3 / times.median,
        min: 1e3 / times.median,
        max: 1e3 / times.total,
        notes: format!("{:.2} ms for {} kernels: {}", times.total, times.kernels, parts.join(", ")),
        ..BenchResult::default()
    })
}

impl Session {
    /// What computes and with how many kernels; on a device also what its kernels are made of and what giving them to it takes.
    fn bench_notes(&self, device: Option<&GpuDevice>, seconds: f64) -> String {
        let mut notes = format!("{}, {} kernels per step", place(device), self.machine.train().kernels);
        let software = device.is_some_and(|device| device.adapter().software);
        let plan = self.machine.engine().plan(self.machine.train().id);
        let counts = plan.and_then(|plan| downhill_gpu::counts(plan, software).ok());
        if let (Some(gpu), Some(counts)) = (self.machine.engine().gpu(), counts) {
            let each = self.machine.engine().encoding_time(self.machine.train().id).unwrap_or_default() / 1e3;
            let together = self.run.done() as f64 / gpu.submits().max(1) as f64;
            let readbacks = gpu.readbacks() as f64 / seconds;
            notes += &format!(
                ", {} dispatches, {} pipelines, {each:.2} µs to encode a dispatch, {together:.1} steps per submit, {readbacks:.0} \
                 readbacks per second",
                counts.dispatches, counts.pipelines
            );
        }
        notes
    }
}

async fn advance(session: &mut Session, until: Instant) -> Result<u64, UserError> {
    let before = session.step_count();
    while Instant::now() < until {
        if session.advance((Instant::now() + SLICE).min(until)).await? == Next::Device {
            session.landing().await;
        }
        session.take_events();
    }
    // A step may outlast a window: what is counted has ended when the window does.
    session.settle().await?;
    if let Some(why) = session.take_loss() {
        return Err(UserError::new(why));
    }
    Ok(session.step_count() - before)
}
