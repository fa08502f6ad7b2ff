//! The executor and its buffers: what it holds, how buffers grow, how programs are built. What it does with them is in `run.rs` and `encode.rs`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use downhill_compile::{ExecError, Plan, ProgramId, Queue, Region, Slots, Space};
use downhill_graph::StepScalars;
use web_time::Instant;
use wgpu::{BufferUsages, ErrorFilter};

use crate::device::GpuDevice;
use crate::fault::first_line;
use crate::flight::Flight;
use crate::program::{self, Lowered, Needs, Program};
use crate::shader::PARAM_WORDS;
use crate::staging::Staging;

/// Steps of one submit at most.
pub(crate) const MAX_STEPS: usize = 256;

/// An error scope that has not answered yet.
type Scope = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// Runs plans on a device. What is queued is submitted by [`downhill_compile::Executor::pump`], at most two submits ahead.
pub struct GpuExecutor {
    pub(crate) device: GpuDevice,
    pub(crate) arena: wgpu::Buffer,
    pub(crate) data: wgpu::Buffer,
    pub(crate) scalars: wgpu::Buffer,
    pub(crate) programs: Slots<Program>,
    pub(crate) queue: Queue,
    pub(crate) flights: VecDeque<Flight>,
    pub(crate) staging: Staging,
    /// Scalars of a submit, one slot per step.
    pub(crate) slots: Vec<u8>,
    /// When the submit before last had run.
    pub(crate) landed: Option<Instant>,
    scopes: Vec<(String, Scope)>,
    pub(crate) submits: u64,
    pub(crate) readbacks: u64,
    pub(crate) told: bool,
}

impl GpuExecutor {
    /// An executor with empty buffers.
    pub fn new(device: &GpuDevice) -> Self {
        let slot = scalar_slot(device);
        let bytes = u64::from(slot) * MAX_STEPS as u64;
        let scalars = device.buffer("step scalars", bytes, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        Self {
            arena: storage(device, "arena", 4),
            data: storage(device, "data", 4),
            scalars,
            device: device.clone(),
            programs: Slots::default(),
            queue: Queue::default(),
            flights: VecDeque::new(),
            staging: Staging::default(),
            slots: vec![0; slot as usize * MAX_STEPS],
            landed: None,
            scopes: Vec::new(),
            submits: 0,
            readbacks: 0,
            told: false,
        }
    }

    /// The device.
    pub fn device(&self) -> &GpuDevice {
        &self.device
    }

    /// Dispatches of one run of a program; 0 if it is not loaded.
    pub fn dispatches(&self, program: ProgramId) -> usize {
        self.program(program).map_or(0, |p| p.dispatches.len())
    }

    /// Submits made so far.
    pub fn submits(&self) -> u64 {
        self.submits
    }

    /// Times that something was read back so far: once per submit that holds reads.
    pub fn readbacks(&self) -> u64 {
        self.readbacks
    }

    pub(crate) fn program(&self, id: ProgramId) -> Option<&Program> {
        self.programs.get(id)
    }

    pub(crate) fn buffer(&self, space: Space) -> &wgpu::Buffer {
        match space {
            Space::Arena => &self.arena,
            Space::Data => &self.data,
        }
    }

    pub(crate) fn check(&self, region: &Region) -> Result<(), ExecError> {
        let end = u64::from(region.offset) + u64::from(region.len);
        if 4 * end <= self.buffer(region.space).size() {
            Ok(())
        } else {
            Err(ExecError::Unsupported(format!("{region} lies outside its buffer")))
        }
    }

    pub(crate) fn alive(&self) -> Result<(), ExecError> {
        self.device.alive()
    }

    /// The program, if it can run these steps.
    pub(crate) fn runnable(&self, program: ProgramId, steps: &[StepScalars]) -> Result<&Program, ExecError> {
        self.alive()?;
        let Some(loaded) = self.program(program) else {
            return Err(ExecError::Unsupported("the program is not loaded".to_string()));
        };
        match steps.iter().find(|s| u64::from(s.batch) >= loaded.batches) {
            Some(step) => Err(ExecError::Unsupported(format!("there is no batch {}", step.batch))),
            None => Ok(loaded),
        }
    }

    /// Looks at the answer of an error scope: at once natively, later in a browser, where an error then counts as loss of the device.
    fn settle(&mut self, what: &str, scope: impl Future<Output = Option<wgpu::Error>> + 'static) -> Option<wgpu::Error> {
        let mut scope: Scope = Box::pin(scope);
        match scope.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                self.scopes.push((what.to_string(), scope));
                None
            }
        }
    }

    /// Looks at the scopes that had not answered.
    pub(crate) fn settle_scopes(&mut self) {
        let device = &self.device;
        self.scopes.retain_mut(|(what, scope)| match scope.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => true,
            Poll::Ready(None) => false,
            Poll::Ready(Some(error)) => {
                device.report(format!("{what}: {}", first_line(&error)));
                false
            }
        });
    }

    /// Makes both buffers as large as needed, keeping what lies in them.
    pub(crate) fn grow(&mut self, needs: &Needs) -> Result<(), ExecError> {
        let needed = 4 * (needs.arena + needs.data);
        let (arena, data) = (4 * needs.arena > self.arena.size(), 4 * needs.data > self.data.size());
        if 4 * needs.arena.max(needs.data) > self.device.max_buffer() {
            return Err(ExecError::OutOfMemory { needed });
        }
        if !arena && !data {
            return Ok(());
        }
        let scope = self.device.device().push_error_scope(ErrorFilter::OutOfMemory);
        let new_arena = arena.then(|| storage(&self.device, "arena", needs.arena));
        let new_data = data.then(|| storage(&self.device, "data", needs.data));
        let outcome = scope.pop();
        if self.settle("There is not enough memory on the GPU", outcome).is_some() {
            return Err(ExecError::OutOfMemory { needed });
        }
        let mut encoder = self.device.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut outgrown = Vec::new();
        for (old, new) in [(&mut self.arena, new_arena), (&mut self.data, new_data)] {
            if let Some(new) = new {
                encoder.copy_buffer_to_buffer(old, 0, &new, 0, old.size());
                outgrown.push(std::mem::replace(old, new));
            }
        }
        self.device.queue().submit([encoder.finish()]);
        outgrown.iter().for_each(wgpu::Buffer::destroy);
        let mut programs = std::mem::take(&mut self.programs);
        programs.values_mut().for_each(|program| program.bind_group = Some(self.bind(&program.params)));
        self.programs = programs;
        Ok(())
    }

    fn bind(&self, params: &wgpu::Buffer) -> wgpu::BindGroup {
        let window =
            |buffer, bytes: usize| wgpu::BufferBinding { buffer, offset: 0, size: wgpu::BufferSize::new(bytes as u64) };
        let entry = |binding, buffer| wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(buffer) };
        self.device.bind_group(&wgpu::BindGroupDescriptor {
            label: Some("kernels"),
            layout: self.device.bindings(),
            entries: &[
                entry(0, self.arena.as_entire_buffer_binding()),
                entry(1, self.data.as_entire_buffer_binding()),
                entry(2, window(params, 4 * PARAM_WORDS)),
                entry(3, window(&self.scalars, size_of::<StepScalars>())),
            ],
        })
    }

    /// Builds a program; a shader that does not compile is named.
    pub(crate) fn build(&mut self, plan: &Plan, lowered: &[Lowered]) -> Result<Program, ExecError> {
        for dispatch in lowered.iter().flat_map(|l| &l.dispatches) {
            let scope = self.device.device().push_error_scope(ErrorFilter::Validation);
            self.device.pipeline(dispatch);
            let outcome = scope.pop();
            if let Some(error) = self.settle(&format!("The shader {} failed", dispatch.name), outcome) {
                self.device.forget_pipeline(&dispatch.source);
                return Err(self.device.shader_error(dispatch.name, &error));
            }
        }
        let mut program = program::build(&self.device, plan, lowered)?;
        program.bind_group = Some(self.bind(&program.params));
        Ok(program)
    }
}

impl Drop for GpuExecutor {
    /// Gives the memory back now: a browser would wait for its garbage collector, which knows nothing of its size.
    fn drop(&mut self) {
        let under_way = self.flights.iter().filter_map(|flight| flight.staged.as_ref()).map(|staged| &staged.buffer);
        [&self.arena, &self.data, &self.scalars].into_iter().chain(under_way).for_each(wgpu::Buffer::destroy);
    }
}

/// Bytes from the scalars of one step to those of the next.
pub(crate) fn scalar_slot(device: &GpuDevice) -> u32 {
    (size_of::<StepScalars>() as u32).next_multiple_of(device.limits().min_uniform_buffer_offset_alignment)
}

fn storage(device: &GpuDevice, label: &str, words: u64) -> wgpu::Buffer {
    device.buffer(label, 4 * words, BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST)
}
