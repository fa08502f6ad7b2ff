use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use downhill_compile::{Completed, ExecError, Executor, Plan, ProgramId, Progress, ReadId, Region, Space, Ticket};
use downhill_graph::StepScalars;
use web_time::Instant;
use wgpu::{BufferUsages, ErrorFilter};

use crate::device::GpuDevice;
use crate::encode::{Encoding, MAX_STEPS};
use crate::fault::first_line;
use crate::flight::Flight;
use crate::program::{self, Lowered, Needs, Program};
use crate::shader::PARAM_WORDS;
use crate::staging::Staging;

/// Something that waits to be submitted.
pub(crate) enum Item {
    Steps { ticket: Ticket, program: ProgramId, left: usize },
    Upload { space: Space, at: u32, words: Vec<u32> },
    Read { id: ReadId, regions: Vec<Region> },
}

/// An error scope that has not answered yet.
type Scope = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// Runs plans on a device. What is queued is submitted by [`Executor::pump`], at most two submits ahead.
pub struct GpuExecutor {
    pub(crate) device: GpuDevice,
    pub(crate) arena: wgpu::Buffer,
    pub(crate) data: wgpu::Buffer,
    pub(crate) scalars: wgpu::Buffer,
    pub(crate) programs: Vec<Option<Program>>,
    pub(crate) queue: VecDeque<Item>,
    pub(crate) steps: VecDeque<StepScalars>,
    pub(crate) flights: VecDeque<Flight>,
    pub(crate) staging: Staging,
    /// Scalars of a submit, one slot per step.
    pub(crate) slots: Vec<u8>,
    pub(crate) completed: Vec<Completed>,
    pub(crate) encoding: Encoding,
    /// When the submit before last had run.
    pub(crate) landed: Option<Instant>,
    scopes: Vec<(String, Scope)>,
    submits: u64,
    pub(crate) readbacks: u64,
    asked: u64,
    told: bool,
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
            programs: Vec::new(),
            queue: VecDeque::new(),
            steps: VecDeque::new(),
            flights: VecDeque::new(),
            staging: Staging::default(),
            slots: vec![0; slot as usize * MAX_STEPS],
            completed: Vec::new(),
            encoding: Encoding::default(),
            landed: None,
            scopes: Vec::new(),
            submits: 0,
            readbacks: 0,
            asked: 0,
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

    /// What encoding has cost so far.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Times that something was read back so far: once per submit that holds reads.
    pub fn readbacks(&self) -> u64 {
        self.readbacks
    }

    /// Runs everything queued. Where the device's callbacks need this thread, as in a browser, it gives the thread back meanwhile.
    pub async fn finish(&mut self) {
        loop {
            let soon = Instant::now() + std::time::Duration::from_millis(50);
            if self.pump(soon) == Progress::Idle {
                return;
            }
            let waiting = if cfg!(target_arch = "wasm32") { self.flights.front().and_then(Flight::missing) } else { None };
            if let Some(signal) = waiting {
                self.device.arrival(&signal).await;
            }
        }
    }

    /// Waits until the oldest submit has run; at once where nothing is under way. Only where callbacks come by themselves: in a browser.
    pub fn landing(&self) -> impl Future<Output = ()> + use<> {
        let (device, missing) = (self.device.clone(), self.flights.front().and_then(Flight::missing));
        async move {
            if let Some(signal) = missing {
                device.arrival(&signal).await;
            }
        }
    }

    pub(crate) fn program(&self, id: ProgramId) -> Option<&Program> {
        self.programs.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn buffer(&self, space: Space) -> &wgpu::Buffer {
        match space {
            Space::Arena => &self.arena,
            Space::Data => &self.data,
        }
    }

    pub(crate) fn note_submit(&mut self) {
        self.submits += 1;
    }

    fn check(&self, region: &Region) -> Result<(), ExecError> {
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

    fn next_id(&mut self) -> u64 {
        self.asked += 1;
        self.asked
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
    fn settle_scopes(&mut self) {
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
    fn grow(&mut self, needs: &Needs) -> Result<(), ExecError> {
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
        for i in 0..self.programs.len() {
            let group = self.programs[i].as_ref().map(|p| self.bind(&p.params));
            if let Some(program) = &mut self.programs[i] {
                program.bind_group = group;
            }
        }
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
    fn build(&mut self, plan: &Plan, lowered: &[Lowered]) -> Result<Program, ExecError> {
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

    /// Moves what has landed to the completed, and says so once when the device is gone.
    pub(crate) fn collect(&mut self) {
        self.settle_scopes();
        while self.flights.front().is_some_and(Flight::landed) {
            if let Some(flight) = self.flights.pop_front() {
                self.land(flight);
            }
        }
        if let (false, Some(why)) = (self.told, self.device.fault()) {
            self.told = true;
            self.queue.clear();
            self.steps.clear();
            self.flights.clear();
            self.completed.push(Completed::DeviceLost(why));
        }
    }

    /// Waits natively for the oldest submit, until the deadline at most; in a browser callbacks come by themselves.
    fn wait(&self, deadline: Instant) {
        #[cfg(not(target_arch = "wasm32"))]
        {
            let left = deadline.saturating_duration_since(Instant::now());
            let oldest = self.flights.front().map(|f| f.submission.clone());
            // What a failed poll means arrives through the callbacks of the device.
            let _ = self.device.device().poll(match oldest {
                Some(index) if !left.is_zero() => wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(left) },
                _ => wgpu::PollType::Poll,
            });
        }
        #[cfg(target_arch = "wasm32")]
        let _ = deadline;
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

impl Executor for GpuExecutor {
    fn load(&mut self, plan: &Plan) -> Result<ProgramId, ExecError> {
        self.alive()?;
        let lowered = program::dispatches(self.device.style(), plan)?;
        self.grow(&Needs::of(plan, &lowered))?;
        let program = self.build(plan, &lowered)?;
        let id = ProgramId(self.programs.len() as u32);
        self.programs.push(Some(program));
        Ok(id)
    }

    fn unload(&mut self, program: ProgramId) {
        if let Some(slot) = self.programs.get_mut(program.0 as usize) {
            *slot = None;
        }
    }

    fn upload(&mut self, space: Space, at: u32, words: &[u32]) -> Result<(), ExecError> {
        let len = u32::try_from(words.len()).unwrap_or(u32::MAX);
        self.check(&Region { space, offset: at, len })?;
        self.alive()?;
        if self.queue.is_empty() {
            // The device runs this behind what has been submitted and before what will be.
            self.device.queue().write_buffer(self.buffer(space), 4 * u64::from(at), bytemuck::cast_slice(words));
        } else {
            self.queue.push_back(Item::Upload { space, at, words: words.to_vec() });
        }
        Ok(())
    }

    fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Result<Ticket, ExecError> {
        self.runnable(program, steps)?;
        let ticket = Ticket(self.next_id());
        self.steps.extend(steps);
        self.queue.push_back(Item::Steps { ticket, program, left: steps.len() });
        Ok(ticket)
    }

    fn pump(&mut self, deadline: Instant) -> Progress {
        loop {
            self.issue();
            self.wait(Instant::now());
            self.collect();
            if self.queue.is_empty() && self.flights.is_empty() {
                return Progress::Idle;
            }
            if cfg!(target_arch = "wasm32") || Instant::now() >= deadline {
                // What has landed made room.
                self.issue();
                return Progress::Busy;
            }
            let under_way = self.flights.len();
            self.wait(deadline);
            self.collect();
            if self.flights.len() < under_way && !(self.queue.is_empty() && self.flights.is_empty()) {
                // There is room for more: whoever pumps may have it.
                self.issue();
                return Progress::Busy;
            }
        }
    }

    fn request_read(&mut self, regions: &[Region]) -> Result<ReadId, ExecError> {
        regions.iter().try_for_each(|r| self.check(r))?;
        self.alive()?;
        let id = ReadId(self.next_id());
        self.queue.push_back(Item::Read { id, regions: regions.to_vec() });
        Ok(id)
    }

    fn take_completed(&mut self, out: &mut Vec<Completed>) {
        self.collect();
        out.append(&mut self.completed);
    }
}
