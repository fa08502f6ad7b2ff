//! What a plan costs: floating-point operations and bytes moved, per step and in all.

use crate::{Plan, StateLayout};

/// What one run of a plan costs; shown to the user and compared with limits before anything is allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Trainable numbers, without padding.
    pub parameters: u64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes that kernels read and write.
    pub traffic_bytes: u64,
    /// Bytes of the arena: parameters, gradients, optimizer slots, metrics, activations.
    pub arena_bytes: u64,
    /// Bytes of the data buffer.
    pub data_bytes: u64,
    /// Kernels that run.
    pub kernels: u32,
}

/// What one run of the plan costs; `layout` is the one it was compiled for.
pub fn estimate(plan: &Plan, layout: &StateLayout) -> Estimate {
    Estimate {
        parameters: layout.entries.iter().map(|e| u64::from(e.len)).sum(),
        flops: plan.flops(),
        traffic_bytes: plan.steps.iter().map(|s| s.bytes).sum(),
        arena_bytes: u64::from(plan.arena_len) * 4,
        data_bytes: u64::from(plan.data_len) * 4,
        kernels: plan.steps.len() as u32,
    }
}
