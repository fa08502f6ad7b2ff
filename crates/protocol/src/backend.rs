//! What trains: the backends of a machine, how they compare, and where their time goes.

use serde::{Deserialize, Serialize};

/// Something that runs programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Backend {
    /// One thread of the processor, with SIMD.
    #[default]
    Cpu,
    /// WebGPU, or natively Vulkan, Metal or DirectX 12.
    Gpu,
}

impl Backend {
    /// `cpu` or `gpu`.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Cpu => "cpu",
            Backend::Gpu => "gpu",
        }
    }
}

/// Who decides what trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Choice {
    /// Whatever was measured to be faster for this model on this machine; begins on the CPU.
    #[default]
    Auto,
    /// Always this one, as long as it works.
    Fixed(Backend),
}

/// The backends as they are now; told whenever something of it changes.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Backends {
    /// Who decides.
    pub choice: Choice,
    /// What trains now.
    pub active: Backend,
    /// Steps per second that the CPU was measured to take of this model; `None` before.
    pub cpu_rate: Option<f64>,
    /// The GPU.
    pub gpu: GpuState,
    /// A sentence about the last change: why the CPU goes on, or why the GPU took over. Empty if there is nothing to say.
    pub note: String,
    /// Whether the GPU was given up and can be asked back.
    pub may_return: bool,
}

/// What is known of the GPU.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub enum GpuState {
    /// Nobody has asked yet.
    #[default]
    Unasked,
    /// It is being opened, tested, warmed up or measured.
    Preparing,
    /// It can be used.
    Ready(GpuInfo),
    /// It cannot be used: there is none, it failed its self-test, it was lost, or the model does not fit.
    Unusable {
        /// A sentence.
        why: String,
    },
}

/// A GPU that can be used.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct GpuInfo {
    /// Name of the adapter.
    pub adapter: String,
    /// `WebGPU`, `Vulkan`, …
    pub api: String,
    /// Computes on the processor after all; is never chosen by itself.
    pub software: bool,
    /// Steps per second that it was measured to take of this model; `None` before.
    pub rate: Option<f64>,
}

/// Answer to [`crate::Command::Compare`]: the same steps from the same state on both backends.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Comparison {
    /// Number of the request.
    pub id: u32,
    /// Steps that both took.
    pub steps: u32,
    /// Name of the adapter.
    pub adapter: String,
    /// Loss of the last step on CPU and GPU.
    pub loss: (f64, f64),
    /// Every parameter and optimizer slot, the largest relative difference first.
    pub rows: Vec<Difference>,
}

/// How far two copies of a tensor are apart.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Name: `0.weight`, `optimizer.exp_avg.0.weight`.
    pub tensor: String,
    /// Shape.
    pub shape: Vec<u32>,
    /// Largest absolute difference of two elements.
    pub absolute: f64,
    /// The same, relative to the largest magnitude of the tensor on the CPU.
    pub relative: f64,
}

/// Answer to [`crate::Command::Profile`]: the training program, kernel by kernel.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ProfileReport {
    /// Number of the request.
    pub id: u32,
    /// What was measured.
    pub backend: Backend,
    /// Name of the adapter, or of the CPU's SIMD.
    pub device: String,
    /// `timestamps` (the device's own clock), `replay` (kernels run again and again), or `clock` (the CPU's).
    pub method: String,
    /// What the device was measured to reach: bytes per second of a copy.
    pub peak_bytes: f64,
    /// What the device was measured to reach: 32-bit floating-point operations per second.
    pub peak_flops: f64,
    /// The kernels in the order in which they run.
    pub rows: Vec<KernelTime>,
}

/// A kernel of a program and what it takes.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct KernelTime {
    /// The kernel as the plan prints it.
    pub kernel: String,
    /// Path of the layer that it belongs to, as in [`crate::LayerStats::path`]; `loss`, `optimizer` or `metrics` where there is none.
    pub layer: String,
    /// `forward`, `backward` or `update`.
    pub phase: String,
    /// Time of one run.
    pub nanoseconds: f64,
    /// Bytes that it reads and writes at least.
    pub bytes: f64,
    /// Floating-point operations.
    pub flops: f64,
}
