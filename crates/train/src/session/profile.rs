//! What every kernel of a training step takes, beside what the machine can do.

use std::time::Duration;

use downhill_compile::Step;
use downhill_graph::Origin;
use downhill_protocol::{KernelTime, ProfileReport};
use downhill_tensor::UserError;
use web_time::Instant;

use super::Session;
use crate::bench::{simd, square};

/// Size of the product, and words of the copy, that show what the CPU can do: both stay in its caches, as the kernels of small networks do.
const PRODUCT: usize = 256;
const COPY: usize = 1 << 18;
/// How long each is repeated.
const ENOUGH: Duration = Duration::from_millis(20);

impl Session {
    /// Times every kernel of a training step on the state and the batch of now. The run stays as it is.
    ///
    /// # Errors
    /// When there is no memory for a copy of the state, or the device is lost.
    pub async fn profile(&mut self) -> Result<ProfileReport, UserError> {
        self.settle().await?;
        // The rows of the ring that the next step uses are written again before that step runs.
        let (batches, scalars) = self.next_batches(1);
        batches.upload(self.machine.engine_mut(), 0, scalars.len())?;
        let step = scalars.first().copied().unwrap_or_default();
        let train = self.machine.train().id;
        let (times, method) = self.machine.engine_mut().profile(train, &step).await?;
        let (peak_bytes, peak_flops) = self.peaks().await?;
        let steps = self.machine.engine().plan(self.machine.train().id).map_or(&[][..], |plan| &plan.steps);
        let rows = steps.iter().zip(times).map(|(step, nanoseconds)| self.kernel_time(step, nanoseconds)).collect();
        let device = self.machine.engine().device().map_or_else(|| simd().to_string(), |d| d.adapter().name.clone());
        Ok(ProfileReport { id: 0, backend: self.backend(), device, method: method.to_string(), peak_bytes, peak_flops, rows })
    }

    fn kernel_time(&self, step: &Step, nanoseconds: f64) -> KernelTime {
        let (phase, rest) = match step.origin {
            Origin::Forward => ("forward", "loss"),
            Origin::Grad(_) => ("backward", "loss"),
            Origin::Update if matches!(step.kernel.family(), "flat_update" | "norm") => ("update", "optimizer"),
            Origin::Update => ("update", "metrics"),
        };
        let inside = |scope: &str| step.scope.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let layers = self.layer_stats();
        let layer = layers.iter().filter(|l| !l.scope.is_empty() && inside(&l.scope)).max_by_key(|l| l.scope.len());
        KernelTime {
            kernel: step.kernel.to_string(),
            layer: layer.map_or_else(|| rest.to_string(), |l| l.path.clone()),
            phase: phase.to_string(),
            nanoseconds,
            bytes: step.bytes as f64,
            flops: step.flops as f64,
        }
    }

    /// Bytes and floating-point operations per second that what trains now can reach.
    async fn peaks(&self) -> Result<(f64, f64), UserError> {
        match self.machine.engine().device() {
            Some(device) => {
                let ceilings =
                    device.ceilings().await.map_err(|e| UserError::new(format!("The GPU cannot be measured: {e}.")))?;
                Ok((ceilings.bytes_per_second, ceilings.flops_per_second))
            }
            None => Ok((copied_per_second(), square(PRODUCT)?.flops_per_second(None, ENOUGH).await?)),
        }
    }
}

/// Bytes read and written per second by a copy.
fn copied_per_second() -> f64 {
    let from = vec![1u32; COPY];
    let mut to = vec![0u32; COPY];
    let (start, mut copies) = (Instant::now(), 0u32);
    while start.elapsed() < ENOUGH {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
        copies += 1;
    }
    f64::from(copies) * (2 * COPY * size_of::<u32>()) as f64 / start.elapsed().as_secs_f64()
}
