//! What an executor promises: work is queued, pumped and collected.

use std::future::Future;

use downhill_compile::{Completed, ExecError, Executor, Plan, ProgramId, Progress, ReadId, Region, Space, Ticket};
use downhill_graph::StepScalars;
use web_time::Instant;

use crate::executor::GpuExecutor;
use crate::flight::Flight;
use crate::program::{self, Needs};

impl GpuExecutor {
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

    /// Moves what has landed to the completed, and says so once when the device is gone.
    fn collect(&mut self) {
        self.settle_scopes();
        while self.flights.front().is_some_and(Flight::landed) {
            if let Some(flight) = self.flights.pop_front() {
                self.land(flight);
            }
        }
        if let (false, Some(why)) = (self.told, self.device.fault()) {
            self.told = true;
            self.queue.clear();
            self.flights.clear();
            self.queue.completed.push(Completed::DeviceLost(why));
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

impl Executor for GpuExecutor {
    fn load(&mut self, plan: &Plan) -> Result<ProgramId, ExecError> {
        self.alive()?;
        let lowered = program::dispatches(self.device.style(), plan)?;
        self.grow(&Needs::of(plan, &lowered))?;
        let program = self.build(plan, &lowered)?;
        Ok(self.programs.put(program))
    }

    fn unload(&mut self, program: ProgramId) {
        self.programs.take(program);
    }

    fn upload(&mut self, space: Space, at: u32, words: &[u32]) -> Result<(), ExecError> {
        let len = u32::try_from(words.len()).unwrap_or(u32::MAX);
        self.check(&Region { space, offset: at, len })?;
        self.alive()?;
        if self.queue.is_empty() {
            // The device runs this behind what has been submitted and before what will be.
            self.device.queue().write_buffer(self.buffer(space), 4 * u64::from(at), bytemuck::cast_slice(words));
        } else {
            self.queue.upload(space, at, words);
        }
        Ok(())
    }

    fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Result<Ticket, ExecError> {
        self.runnable(program, steps)?;
        Ok(self.queue.submit(program, steps))
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
        Ok(self.queue.read(regions))
    }

    fn take_completed(&mut self, out: &mut Vec<Completed>) {
        self.collect();
        out.append(&mut self.queue.completed);
    }
}
