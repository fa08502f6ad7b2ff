//! How long each step of a program takes on the device.

use downhill_compile::{ExecError, ProgramId};
use downhill_graph::StepScalars;
use wgpu::{Buffer, BufferUsages, CommandEncoder, CommandEncoderDescriptor, ComputePass, ErrorFilter};

use crate::device::GpuDevice;
use crate::encode::scalar_bytes;
use crate::executor::GpuExecutor;
use crate::program::Loaded;
use crate::stopwatch::{Clock, Stopwatch};

/// Repetitions of a kernel at most.
const MOST: u32 = 2000;

/// How long each step of a program takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What it was measured with.
    pub clock: Clock,
    /// Nanoseconds of each step of its plan.
    pub nanos: Vec<f64>,
}

/// The arena as it was. It is so again when this is dropped, also when a profile is given up half way.
struct Snapshot {
    device: GpuDevice,
    arena: Buffer,
    copy: Buffer,
}

impl Snapshot {
    async fn of(executor: &GpuExecutor) -> Result<Self, ExecError> {
        let (device, arena) = (executor.device.clone(), executor.arena.clone());
        let scope = device.device().push_error_scope(ErrorFilter::OutOfMemory);
        let copy = device.buffer("snapshot", arena.size(), BufferUsages::COPY_SRC | BufferUsages::COPY_DST);
        if scope.pop().await.is_some() {
            return Err(ExecError::OutOfMemory { needed: arena.size() });
        }
        let mut encoder = device.device().create_command_encoder(&CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&arena, 0, &copy, 0, arena.size());
        device.queue().submit([encoder.finish()]);
        Ok(Self { device, arena, copy })
    }

    fn restore(&self, encoder: &mut CommandEncoder) {
        encoder.copy_buffer_to_buffer(&self.copy, 0, &self.arena, 0, self.arena.size());
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut encoder = self.device.device().create_command_encoder(&CommandEncoderDescriptor::default());
        self.restore(&mut encoder);
        self.device.queue().submit([encoder.finish()]);
        self.copy.destroy();
    }
}

impl GpuExecutor {
    /// Runs what is queued, then measures every step of a program: each in a pass of its own, on the arena as it is now, repeated until
    /// it is long enough for the clock. The arena is afterwards as it was.
    ///
    /// # Errors
    /// When the program is not loaded or has no such batch, when there is no room for a copy of the arena, or when the device is lost.
    pub async fn profile(&mut self, program: ProgramId, step: &StepScalars) -> Result<Profile, ExecError> {
        self.finish().await;
        let program = self.runnable(program, std::slice::from_ref(step))?;
        let snapshot = Snapshot::of(self).await?;
        self.device.queue().write_buffer(&self.scalars, 0, &scalar_bytes(step));
        let restore = |encoder: &mut CommandEncoder| snapshot.restore(encoder);
        let mut watch = Stopwatch::new(&self.device, &restore).await?;
        let mut nanos = vec![0.0; program.steps];
        for dispatches in program.dispatches.chunk_by(|a, b| a.step == b.step) {
            let work = |pass: &mut ComputePass<'_>, repeats: u32| {
                (0..repeats).flat_map(|_| dispatches).for_each(|dispatch: &Loaded| {
                    pass.set_pipeline(&dispatch.pipeline);
                    pass.set_bind_group(0, program.bind_group.as_ref(), &[dispatch.params, 0]);
                    pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
                });
            };
            nanos[dispatches[0].step] = watch.each(MOST, &work).await?;
        }
        Ok(Profile { clock: watch.clock(), nanos })
    }
}
