//! What a device can do at most, measured: against this a profile shows what kernels do.

use downhill_compile::ExecError;
use wgpu::{BufferUsages, CommandEncoder, ComputePass};

use crate::device::{Ceilings, GpuDevice};
use crate::kernels::Style;
use crate::shader::GROUP;
use crate::stopwatch::Stopwatch;

pub(crate) const COPY: &str = wgsl!("ceiling_copy.wgsl");
pub(crate) const FMA: &str = wgsl!("ceiling_fma.wgsl");
/// Floating-point operations of one invocation of [`FMA`].
const FLOPS: f64 = 64.0 * 128.0 * 2.0;
/// Workgroups of one repetition of it: a repetition is more of the same dispatch, so that large devices are filled.
const FMA_GROUPS: u32 = 32;
/// Bytes of the buffer that is copied within: more than caches hold, or what an adapter on the CPU can do in time.
const BYTES: u64 = 256 << 20;
const SOFTWARE_BYTES: u64 = 8 << 20;
const MOST_COPIES: u32 = 64;
/// Measurements of which the best counts: others use the machine too.
const TRIES: u32 = 2;

impl GpuDevice {
    /// Measures the device once, for some milliseconds.
    ///
    /// # Errors
    /// When there is no room for a buffer of some megabytes, or when the device is lost.
    pub async fn ceilings(&self) -> Result<Ceilings, ExecError> {
        if let Some(known) = self.ceilings_cell().get() {
            return Ok(known);
        }
        self.alive()?;
        let bytes = if self.style() == Style::SOFTWARE { SOFTWARE_BYTES } else { BYTES }.min(self.max_buffer());
        let scope = self.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.buffer("ceilings", bytes, BufferUsages::STORAGE);
        if scope.pop().await.is_some() {
            return Err(ExecError::OutOfMemory { needed: bytes });
        }
        let measured = self.measure(&buffer).await;
        buffer.destroy();
        self.ceilings_cell().set(measured.as_ref().ok().copied());
        measured
    }

    async fn measure(&self, buffer: &wgpu::Buffer) -> Result<Ceilings, ExecError> {
        let copy = self.ceiling("ceiling_copy", COPY, buffer).await?;
        let fma = self.ceiling("ceiling_fma", FMA, buffer).await?;
        let mut watch = Stopwatch::new(self, &|_: &mut CommandEncoder| {}).await?;
        let limit = self.limits().max_compute_workgroups_per_dimension;
        let groups = (buffer.size() / 32).div_ceil(u64::from(GROUP)) as u32;
        let rows = groups.div_ceil(limit);
        let copying = |pass: &mut ComputePass<'_>, repeats: u32| {
            pass.set_pipeline(&copy.0);
            pass.set_bind_group(0, &copy.1, &[]);
            (0..repeats).for_each(|_| pass.dispatch_workgroups(groups.div_ceil(rows), rows, 1));
        };
        let multiplying = |pass: &mut ComputePass<'_>, repeats: u32| {
            pass.set_pipeline(&fma.0);
            pass.set_bind_group(0, &fma.1, &[]);
            pass.dispatch_workgroups(FMA_GROUPS, repeats, 1);
        };
        let (mut copy_nanos, mut fma_nanos) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..TRIES {
            copy_nanos = watch.each(MOST_COPIES, &copying).await?.min(copy_nanos);
            fma_nanos = watch.each(limit, &multiplying).await?.min(fma_nanos);
        }
        let flops = FLOPS * f64::from(GROUP) * f64::from(FMA_GROUPS);
        Ok(Ceilings {
            bytes_per_second: 1e9 * buffer.size() as f64 / copy_nanos.max(1.0),
            flops_per_second: 1e9 * flops / fma_nanos.max(1e-3),
        })
    }

    async fn ceiling(
        &self,
        name: &str,
        source: &str,
        buffer: &wgpu::Buffer,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroup), ExecError> {
        let scope = self.device().push_error_scope(wgpu::ErrorFilter::Validation);
        let pipeline = self.compile(name, source, None);
        let group = self.bind_group(&wgpu::BindGroupDescriptor {
            label: Some(name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        match scope.pop().await {
            Some(error) => Err(self.shader_error(name, &error)),
            None => Ok((pipeline, group)),
        }
    }
}
