//! From the queue to submits.

use downhill_compile::{Completed, Item, ProgramId, Region, Space};
use downhill_graph::StepScalars;
use web_time::Instant;
use wgpu::{CommandEncoder, MapMode};

use crate::executor::{GpuExecutor, MAX_STEPS, scalar_slot};
use crate::flight::{Flight, Result as Outcome, Signal, Staged};

/// Submits under way: one runs, one waits behind it.
const IN_FLIGHT: usize = 2;
/// Steps of a program's first submits, until their time is known.
const FIRST_STEPS: usize = 4;
/// Steps of a command buffer whose encoding is timed, and how many such buffers.
const TIMED_STEPS: u32 = 16;
const TIMED_BUFFERS: u32 = 20;

/// A submit being put together.
struct Draft {
    encoder: CommandEncoder,
    results: Vec<Outcome>,
    /// Room for all reads that could come along, and how much of it is used.
    staging: Option<wgpu::Buffer>,
    read: u64,
    /// Steps encoded so far, and how long they take.
    steps: usize,
    nanos: f64,
    /// What ran, `None` once it is more than one program.
    ran: Option<(ProgramId, u32)>,
    programs: usize,
}

impl GpuExecutor {
    /// Submits what is queued, as far as the device is to be busy.
    pub(crate) fn issue(&mut self) {
        while self.flights.len() < IN_FLIGHT && !self.queue.is_empty() && self.alive().is_ok() {
            self.submit_next();
        }
    }

    fn submit_next(&mut self) {
        while let Some(Item::Upload { space, at, words }) = self.queue.items.front() {
            self.write(*space, *at, words);
            self.queue.items.pop_front();
        }
        let encoder = self.device.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let staging = self.room_for_reads();
        let results = Vec::new();
        let mut draft = Draft { encoder, results, staging, read: 0, steps: 0, nanos: 0.0, ran: None, programs: 0 };
        while let Some(item) = self.queue.items.pop_front() {
            if let Some(back) = self.add(item, &mut draft) {
                self.queue.items.push_front(back);
                break;
            }
        }
        if draft.results.is_empty() && draft.steps == 0 {
            draft.staging.into_iter().for_each(|buffer| self.staging.give(buffer));
            return;
        }
        let commands = draft.encoder.finish();
        let slot = scalar_slot(&self.device) as usize;
        self.device.queue().write_buffer(&self.scalars, 0, &self.slots[..draft.steps * slot]);
        #[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "nothing can wait for it there"))]
        let submission = self.device.queue().submit([commands]);
        self.submits += 1;
        let done = Signal::default();
        let signal = done.clone();
        self.device.queue().on_submitted_work_done(move || signal.set(true));
        let staged = draft.staging.and_then(|buffer| self.ask_for(buffer, draft.read));
        let ran = draft.ran.filter(|_| draft.programs == 1);
        self.flights.push_back(Flight {
            #[cfg(not(target_arch = "wasm32"))]
            submission,
            done,
            submitted: Instant::now(),
            ran,
            results: draft.results,
            staged,
        });
    }

    /// Nanoseconds that encoding a dispatch of a program takes, of commands that are thrown away: a software adapter that ran them would
    /// compute on the cores that encode. `None` if the program is not loaded.
    pub fn encoding_time(&self, program: ProgramId) -> Option<f64> {
        let program = self.program(program)?;
        let slot = scalar_slot(&self.device);
        let encode = || {
            let mut encoder = self.device.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            let mut last = None;
            (0..TIMED_STEPS).for_each(|step| program.encode(&mut pass, slot * step, &mut last));
            drop(pass);
            encoder.finish();
        };
        encode();
        let start = Instant::now();
        (0..TIMED_BUFFERS).for_each(|_| encode());
        let dispatches = f64::from(TIMED_BUFFERS * TIMED_STEPS) * program.dispatches.len().max(1) as f64;
        Some(start.elapsed().as_nanos() as f64 / dispatches)
    }

    /// A buffer for all reads that can be in the next submit: up to the next write.
    fn room_for_reads(&mut self) -> Option<wgpu::Buffer> {
        let ahead = self.queue.items.iter().take_while(|item| !matches!(item, Item::Upload { .. }));
        let words = ahead.filter_map(|item| if let Item::Read { regions, .. } = item { Some(words_of(regions)) } else { None });
        let words: Vec<usize> = words.collect();
        let bytes = 4 * words.iter().sum::<usize>() as u64;
        (!words.is_empty()).then(|| self.staging.take(&self.device, bytes))
    }

    /// Asks for what a submit copied.
    fn ask_for(&mut self, buffer: wgpu::Buffer, bytes: u64) -> Option<Staged> {
        if bytes == 0 {
            self.staging.give(buffer);
            return None;
        }
        self.readbacks += 1;
        let mapped = Signal::default();
        let signal = mapped.clone();
        buffer.map_async(MapMode::Read, ..bytes, move |outcome| signal.set(outcome.is_ok()));
        Some(Staged { buffer, bytes, mapped })
    }

    fn write(&self, space: Space, at: u32, words: &[u32]) {
        self.device.queue().write_buffer(self.buffer(space), 4 * u64::from(at), bytemuck::cast_slice(words));
    }

    /// Encodes an item; gives it back, or what is left of it, where it has to wait for the next submit.
    fn add(&mut self, item: Item, draft: &mut Draft) -> Option<Item> {
        match item {
            // A write would overtake what has been encoded.
            Item::Upload { .. } => return Some(item),
            Item::Read { id, regions } => {
                let Some(staging) = &draft.staging else { return Some(Item::Read { id, regions }) };
                for r in regions.iter().filter(|r| r.len > 0) {
                    let (from, bytes) = (4 * u64::from(r.offset), 4 * u64::from(r.len));
                    draft.encoder.copy_buffer_to_buffer(self.buffer(r.space), from, staging, draft.read, bytes);
                    draft.read += bytes;
                }
                draft.results.push(Outcome::Read { id, words: words_of(&regions) });
            }
            Item::Steps { ticket, program, left } => {
                let taken = self.encode_steps(program, left, draft);
                if taken < left {
                    return Some(Item::Steps { ticket, program, left: left - taken });
                }
                draft.results.push(Outcome::Steps(ticket));
            }
        }
        None
    }

    /// Encodes as many steps as fit into the submit; returns how many.
    fn encode_steps(&mut self, id: ProgramId, left: usize, draft: &mut Draft) -> usize {
        let Some(program) = self.programs.get(id) else {
            self.queue.steps.drain(..left);
            return left;
        };
        let fit = match program.nanos {
            Some(nanos) => ((self.device.submit_time().as_nanos() as f64 - draft.nanos) / nanos).max(0.0) as usize,
            None => FIRST_STEPS.saturating_sub(draft.steps),
        };
        // The first step of a submit always fits, however long it takes.
        let fit = fit.max(usize::from(draft.steps == 0)).min(MAX_STEPS - draft.steps).min(left);
        if fit == 0 {
            return 0;
        }
        let slot = scalar_slot(&self.device);
        let mut pass = draft.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut last = None;
        for scalars in self.queue.steps.drain(..fit) {
            let at = slot * draft.steps as u32;
            self.slots[at as usize..at as usize + size_of::<StepScalars>()].copy_from_slice(&scalar_bytes(&scalars));
            draft.steps += 1;
            program.encode(&mut pass, at, &mut last);
        }
        drop(pass);
        draft.nanos += program.nanos.unwrap_or(0.0) * fit as f64;
        draft.programs += usize::from(draft.ran.is_none_or(|(ran, _)| ran != id));
        draft.ran = Some((id, draft.ran.map_or(0, |(_, n)| n) + fit as u32));
        fit
    }

    /// Takes in what a submit brought.
    pub(crate) fn land(&mut self, flight: Flight) {
        if let (Some((id, steps)), Some((end, _))) = (flight.ran, flight.done.get()) {
            let time = self.device.time_of(self.landed, flight.submitted, end);
            let nanos = time.as_nanos() as f64 / f64::from(steps);
            if let Some(program) = self.programs.get_mut(id) {
                let nanos = nanos.max(100.0);
                program.nanos = Some(program.nanos.map_or(nanos, |known| 0.7 * known + 0.3 * nanos));
            }
            self.landed = Some(end);
        }
        let copied = match flight.staged {
            Some(staged) => self.words(staged),
            None => Some(Vec::new()),
        };
        let Some(copied) = copied else { return self.device.report("a result could not be read back".to_string()) };
        let mut rest = copied.as_slice();
        for result in flight.results {
            self.queue.completed.push(match result {
                Outcome::Steps(ticket) => Completed::Steps(ticket),
                Outcome::Read { id, words } => {
                    let (these, others) = rest.split_at(words.min(rest.len()));
                    rest = others;
                    Completed::Read(id, these.to_vec())
                }
            });
        }
    }

    /// Reads a staging buffer and puts it back.
    fn words(&mut self, Staged { buffer, bytes, mapped }: Staged) -> Option<Vec<u32>> {
        let (_, true) = mapped.get()? else { return None };
        let view = buffer.get_mapped_range(..bytes).ok()?;
        let mut out = vec![0u32; bytes as usize / 4];
        bytemuck::cast_slice_mut(&mut out).copy_from_slice(&view[..]);
        drop(view);
        buffer.unmap();
        self.staging.give(buffer);
        Some(out)
    }
}

fn words_of(regions: &[Region]) -> usize {
    regions.iter().map(|r| r.len as usize).sum()
}

/// The scalars of a step as the shader's `Step` has them.
pub(crate) fn scalar_bytes(scalars: &StepScalars) -> [u8; size_of::<StepScalars>()] {
    let mut bytes = [0; size_of::<StepScalars>()];
    let head = [scalars.step, scalars.seed, scalars.batch, scalars.record];
    bytes[..16].copy_from_slice(bytemuck::cast_slice(&head));
    bytes[16..].copy_from_slice(bytemuck::cast_slice(&scalars.values));
    bytes
}
