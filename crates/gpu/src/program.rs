//! From a plan to what is encoded: pipelines, offsets of parameters, workgroups.

use downhill_compile::{ExecError, Plan};
use downhill_tensor::sort_short;

use crate::device::GpuDevice;
use crate::kernels::{self, Style};
use crate::shader::{Dispatch, PARAM_WORDS};

/// The dispatches of one step of a plan.
pub(crate) struct Lowered {
    pub dispatches: Vec<Dispatch>,
    pub scratch: u32,
}

/// Lowers every step.
///
/// # Errors
/// When a kernel is not supported.
pub(crate) fn dispatches(style: Style, plan: &Plan) -> Result<Vec<Lowered>, ExecError> {
    let scratch_at = plan.arena_len.next_multiple_of(4);
    let lower =
        |step| kernels::lower(style, plan, step, scratch_at).map(|(dispatches, scratch)| Lowered { dispatches, scratch });
    plan.steps.iter().map(lower).collect()
}

/// What is the same on every adapter of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Dispatches per run.
    pub dispatches: usize,
    /// Pipelines of the program.
    pub pipelines: usize,
}

/// Counts a plan's dispatches and pipelines on a GPU, or on a software adapter, without one.
///
/// # Errors
/// When a kernel is not supported.
pub fn counts(plan: &Plan, software: bool) -> Result<Counts, ExecError> {
    let steps = dispatches(if software { Style::SOFTWARE } else { Style::HARDWARE }, plan)?;
    let all: Vec<&Dispatch> = steps.iter().flat_map(|s| &s.dispatches).collect();
    let mut sources: Vec<&str> = all.iter().map(|d| d.source.as_str()).collect();
    sort_short(&mut sources);
    sources.dedup();
    Ok(Counts { dispatches: all.len(), pipelines: sources.len() })
}

impl GpuDevice {
    /// Compiles the pipelines of a plan one after the other, so that loading it is quick. In a browser this is how shader errors
    /// are found before a plan runs.
    ///
    /// # Errors
    /// When a kernel is not supported or its shader does not compile.
    pub async fn warm(&self, plan: &Plan) -> Result<(), ExecError> {
        for dispatch in dispatches(self.style(), plan)?.iter().flat_map(|step| &step.dispatches) {
            self.warm_pipeline(dispatch).await?;
        }
        Ok(())
    }
}

/// A dispatch that is ready to be encoded.
pub(crate) struct Loaded {
    pub pipeline: wgpu::ComputePipeline,
    /// Byte offset of its parameters.
    pub params: u32,
    pub groups: [u32; 2],
    /// Step of the plan that it belongs to.
    pub step: usize,
}

/// A loaded plan.
pub(crate) struct Program {
    pub dispatches: Vec<Loaded>,
    pub params: wgpu::Buffer,
    pub bind_group: Option<wgpu::BindGroup>,
    /// First batch row that a feed does not have.
    pub batches: u64,
    /// Steps of the plan, for profiles.
    pub steps: usize,
    /// How long one run takes, once measured.
    pub nanos: Option<f64>,
}

impl Program {
    /// Encodes one run with the step scalars at a byte offset. `last` is the pipeline that is set.
    pub fn encode<'p>(&'p self, pass: &mut wgpu::ComputePass<'_>, scalars: u32, last: &mut Option<&'p wgpu::ComputePipeline>) {
        for dispatch in &self.dispatches {
            if *last != Some(&dispatch.pipeline) {
                pass.set_pipeline(&dispatch.pipeline);
                *last = Some(&dispatch.pipeline);
            }
            pass.set_bind_group(0, self.bind_group.as_ref(), &[dispatch.params, scalars]);
            pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.params.destroy();
    }
}

/// What a plan needs of the buffers, in words.
pub(crate) struct Needs {
    pub arena: u64,
    pub data: u64,
}

impl Needs {
    /// Of a plan with these dispatches.
    pub fn of(plan: &Plan, lowered: &[Lowered]) -> Self {
        let scratch = lowered.iter().map(|l| u64::from(l.scratch)).max().unwrap_or(0);
        let words = |n: u64| n.max(4).next_multiple_of(4);
        Self { arena: words(u64::from(plan.arena_len).next_multiple_of(4) + scratch), data: words(u64::from(plan.data_len)) }
    }
}

/// Compiles what is new and writes the parameters. The bind group comes with the buffers.
///
/// # Errors
/// When a dispatch has more workgroups than the device allows.
pub(crate) fn build(device: &GpuDevice, plan: &Plan, lowered: &[Lowered]) -> Result<Program, ExecError> {
    let slot = (4 * PARAM_WORDS as u32).next_multiple_of(device.limits().min_uniform_buffer_offset_alignment);
    let count = lowered.iter().map(|l| l.dispatches.len()).sum::<usize>().max(1);
    let mut words = vec![0u32; count * slot as usize / 4];
    let mut dispatches = Vec::with_capacity(count);
    for (step, dispatch) in lowered.iter().enumerate().flat_map(|(i, l)| l.dispatches.iter().map(move |d| (i, d))) {
        let at = dispatches.len() * slot as usize / 4;
        words[at..at + dispatch.params.len()].copy_from_slice(&dispatch.params);
        let groups =
            spread(dispatch.groups, device.limits().max_compute_workgroups_per_dimension).ok_or_else(|| too_many(dispatch))?;
        dispatches.push(Loaded { pipeline: device.pipeline(dispatch), params: 4 * at as u32, groups, step });
    }
    let params =
        device.buffer("parameters", 4 * words.len() as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
    device.queue().write_buffer(&params, 0, bytemuck::cast_slice(&words));
    Ok(Program { dispatches, params, bind_group: None, batches: batches(plan), steps: plan.steps.len(), nanos: None })
}

fn too_many(dispatch: &Dispatch) -> ExecError {
    let text =
        format!("a {} kernel of {} workgroups; lower the batch size or the layers' widths", dispatch.name, dispatch.groups);
    ExecError::Unsupported(text)
}

/// Workgroups in two dimensions, at least as many as wanted.
fn spread(groups: u32, limit: u32) -> Option<[u32; 2]> {
    let rows = groups.max(1).div_ceil(limit);
    (rows <= limit).then(|| [groups.max(1).div_ceil(rows), rows])
}

/// Rows that every per-step feed of the plan has.
fn batches(plan: &Plan) -> u64 {
    let rows = plan.steps.iter().flat_map(|s| &s.reads).filter_map(|arg| {
        let left = u64::from(plan.data_len).saturating_sub(u64::from(arg.region.end()));
        left.checked_div(u64::from(arg.per_batch)).map(|more| more + 1)
    });
    rows.min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn workgroups_beyond_a_dimension_go_on_in_the_next() {
        assert_eq!(spread(0, 65_535), Some([1, 1]));
        assert_eq!(spread(65_535, 65_535), Some([65_535, 1]));
        assert_eq!(spread(65_536, 65_535), Some([32_768, 2]));
        assert_eq!(spread(17, 4), None);
    }
}
