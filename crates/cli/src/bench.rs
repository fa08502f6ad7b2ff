use downhill_protocol::BenchRequest;
use downhill_tensor::UserError;
use downhill_train::bench::{self, WORKLOADS};
use serde_json::json;

use crate::document::say;

/// Measures workloads, or profiles a training step of each.
///
/// # Errors
/// When there is no workload of a name.
pub fn run(workloads: &[String], seconds: f64, profile: bool) -> Result<(), UserError> {
    let all: Vec<String> = if workloads.is_empty() { WORKLOADS.map(str::to_string).to_vec() } else { workloads.to_vec() };
    for workload in all {
        if profile {
            if workloads.is_empty() && workload.starts_with("gemm") {
                continue;
            }
            self::profile(&workload)?;
            continue;
        }
        let result = bench::run(&BenchRequest { workload, seconds })?;
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

fn profile(workload: &str) -> Result<(), UserError> {
    let mut session = bench::session(workload)?;
    let times = session.profile()?;
    let total: f64 = times.iter().map(|(_, ns)| ns).sum();
    say(&format!("{workload}: {:.2} µs per step in {} kernels", total / 1000.0, times.len()));
    for (kernel, ns) in times {
        say(&format!("{:10.2} µs {:5.1} %  {kernel}", ns / 1000.0, 100.0 * ns / total));
    }
    Ok(())
}
