use downhill_compile::{ExecError, ProgramId};
use downhill_graph::StepScalars;
use wgpu::{BufferUsages, CommandEncoder, ComputePassTimestampWrites, Features};

use crate::executor::{GpuExecutor, Item};
use crate::flight::{Result as Outcome, Signal};

/// How long a kernel is repeated in the second round: timestamps are coarse.
const ENOUGH_NANOS: f64 = 2e6;
/// Repetitions in the first round, which only tells how many the second needs.
const FIRST_ROUND: u32 = 4;
const MOST: f64 = 500.0;

/// How long each step of a program takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The program.
    pub program: ProgramId,
    /// Nanoseconds of each step of its plan.
    pub nanos: Vec<f64>,
}

/// A profile being taken.
pub(crate) struct Profiling {
    pub program: ProgramId,
    pub scalars: StepScalars,
    /// Repetitions of each dispatch.
    repeats: Vec<u32>,
    last: bool,
}

impl GpuExecutor {
    /// Asks for a profile: every kernel in a pass of its own, repeated until it is long enough for the device's clock. The arena is
    /// afterwards as it was. The result comes by [`GpuExecutor::take_profile`].
    ///
    /// # Errors
    /// When the program is not loaded, or the device has no timestamps.
    pub fn request_profile(&mut self, program: ProgramId, step: &StepScalars) -> Result<(), ExecError> {
        self.alive()?;
        let Some(loaded) = self.program(program) else {
            return Err(ExecError::Unsupported("the program is not loaded".to_string()));
        };
        let count = loaded.dispatches.len();
        if !self.device.device().features().contains(Features::TIMESTAMP_QUERY)
            || 2 * count > wgpu::QUERY_SET_MAX_QUERIES as usize
        {
            return Err(ExecError::Unsupported("the device does not tell how long kernels take".to_string()));
        }
        let profiling = Profiling { program, scalars: *step, repeats: vec![FIRST_ROUND; count], last: false };
        self.queue.push_back(Item::Profile(profiling));
        Ok(())
    }

    /// The profile that was asked for, once it is there.
    pub fn take_profile(&mut self) -> Option<Profile> {
        self.profile.take()
    }

    pub(crate) fn encode_profile(&mut self, profiling: Profiling, encoder: &mut CommandEncoder) -> Option<Outcome> {
        let program = self.programs.get(profiling.program.0 as usize)?.as_ref()?;
        let device = self.device.device();
        let count = 2 * program.dispatches.len() as u32;
        let query_set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |label, size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let backup = buffer("snapshot", self.arena.size(), BufferUsages::COPY_SRC | BufferUsages::COPY_DST);
        let bytes = 8 * u64::from(count);
        let times = buffer("timestamps", bytes, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC);
        encoder.copy_buffer_to_buffer(&self.arena, 0, &backup, 0, self.arena.size());
        for (i, (dispatch, repeats)) in program.dispatches.iter().zip(&profiling.repeats).enumerate() {
            let first = 2 * i as u32;
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(ComputePassTimestampWrites {
                    query_set: &query_set,
                    beginning_of_pass_write_index: Some(first),
                    end_of_pass_write_index: Some(first + 1),
                }),
            });
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, program.bind_group.as_ref(), &[dispatch.params, 0]);
            for _ in 0..*repeats {
                pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
            }
        }
        encoder.resolve_query_set(&query_set, 0..count, &times, 0);
        encoder.copy_buffer_to_buffer(&backup, 0, &self.arena, 0, self.arena.size());
        let staging = self.staging.take(device, bytes);
        encoder.copy_buffer_to_buffer(&times, 0, &staging, 0, bytes);
        self.profiling = Some(profiling);
        Some(Outcome::Profile { buffer: staging, words: 2 * count as usize, mapped: Signal::default() })
    }

    /// Takes in the timestamps of a round; asks for the second after the first.
    pub(crate) fn take_timestamps(&mut self, words: Option<Vec<u32>>) {
        let (Some(words), Some(mut profiling)) = (words, self.profiling.take()) else { return };
        let Some(Some(program)) = self.programs.get(profiling.program.0 as usize) else { return };
        let period = f64::from(self.device.queue().get_timestamp_period());
        let ticks = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
        let each: Vec<f64> = (0..program.dispatches.len())
            .zip(&profiling.repeats)
            .map(|(i, n)| ticks(2 * i + 1).saturating_sub(ticks(2 * i)) as f64 * period / f64::from(*n))
            .collect();
        if profiling.last {
            let mut nanos = vec![0.0; program.steps];
            program.dispatches.iter().zip(each).for_each(|(d, n)| nanos[d.step] += n);
            self.profile = Some(Profile { program: profiling.program, nanos });
            return;
        }
        profiling.repeats = each.iter().map(|n| (ENOUGH_NANOS / n.max(1.0)).clamp(1.0, MOST) as u32).collect();
        profiling.last = true;
        self.queue.push_front(Item::Profile(profiling));
    }
}
