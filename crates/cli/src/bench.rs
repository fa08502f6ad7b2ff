//! `downhill bench`: workloads of the engine, one JSON line each.

use std::time::Duration;

use downhill_protocol::BenchRequest;
use downhill_tensor::UserError;
use downhill_train::bench;
use downhill_train::{GpuDevice, compile_times, ready};
use serde_json::json;

use crate::backend::Backend;
use crate::document::say;

/// Layers of the networks that `downhill bench compile` compiles: what a compiler needs per layer shows in how they compare.
const COMPILED: [usize; 3] = [191, 400, 800];

/// What to measure, how long, and where.
pub struct Order {
    pub workloads: Vec<String>,
    pub seconds: f64,
    pub backend: Backend,
    pub profile: bool,
}

/// Measures workloads, or profiles a training step of each.
///
/// # Errors
/// When there is no workload of a name, or no GPU where one was asked for.
pub fn run(order: &Order) -> Result<(), UserError> {
    let device = order.backend.device()?;
    let all =
        if order.workloads.is_empty() { bench::workloads().map(str::to_string).collect() } else { order.workloads.clone() };
    for workload in all {
        if workload == "compile" {
            compile(order.seconds)?;
            continue;
        }
        if order.profile {
            if !(order.workloads.is_empty() && bench::is_kernel(&workload)) {
                profile(&workload, device.as_ref())?;
            }
            continue;
        }
        let request = BenchRequest { workload, seconds: order.seconds, ..BenchRequest::default() };
        let result = ready(bench::run(&request, device.as_ref()))?;
        let line = json!({
            "workload": result.workload,
            "stepsPerSec": result.steps_per_second,
            "min": result.min,
            "max": result.max,
            "gflops": result.gflops,
            "lossFirst": result.first_loss,
            "lossLast": result.last_loss,
            "notes": result.notes,
        });
        say(&line.to_string());
    }
    Ok(())
}

/// One line per size: milliseconds for all programs, per layer, and for each program.
fn compile(seconds: f64) -> Result<(), UserError> {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(3));
    for times in compile_times(&COMPILED, time)? {
        let line = json!({
            "workload": "compile",
            "layers": times.layers,
            "kernels": times.kernels,
            "ms": times.total,
            "msPerLayer": times.total / times.layers as f64,
            "msMedian": times.median,
            "msOf": times.parts.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        });
        say(&line.to_string());
    }
    Ok(())
}

fn profile(workload: &str, device: Option<&GpuDevice>) -> Result<(), UserError> {
    let mut session = bench::session(workload)?;
    if device.is_some() {
        ready(session.move_to(device))?;
    }
    let report = ready(session.profile())?;
    let total: f64 = report.rows.iter().map(|row| row.nanoseconds).sum();
    say(&format!(
        "{workload}: {:.2} µs per step in {} kernels on {} ({})",
        total / 1e3,
        report.rows.len(),
        report.device,
        report.method
    ));
    say(&format!("at most {:.1} GB/s and {:.1} GFLOP/s there", report.peak_bytes / 1e9, report.peak_flops / 1e9));
    for row in &report.rows {
        let (bandwidth, speed) = (row.bytes / row.nanoseconds, row.flops / row.nanoseconds);
        say(&format!(
            "{:10.2} µs {:5.1} % {:8.2} GB/s {:8.2} GFLOP/s  {:10} {:9} {}",
            row.nanoseconds / 1e3,
            100.0 * row.nanoseconds / total,
            bandwidth,
            speed,
            row.layer,
            row.phase,
            row.kernel
        ));
    }
    Ok(())
}
