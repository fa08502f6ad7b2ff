//! Moving a run between backends, and going on when a device is lost.

use downhill_compile::{Region, Space};
use downhill_data::SamplerPosition;
use downhill_gpu::GpuDevice;
use downhill_protocol::{Backend, Event, Message};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::jobs::JobKind;
use crate::programs::place_data;
use crate::session::Session;
use crate::state::State;

/// What belongs to a copy of the state besides its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// Where the sampler stood.
    pub position: SamplerPosition,
    /// Step at which the slots were zero.
    pub slots_since: u64,
    /// What it shows, see [`Session::shown_state`].
    pub shows: (u64, u64),
}

/// A copy of a run outside of its device.
pub(crate) struct Checkpoint {
    state: State,
    step: u64,
    pub kept: Kept,
}

impl Session {
    /// What trains now.
    pub fn backend(&self) -> Backend {
        self.engine.backend()
    }

    /// Goes on on another device, or (`None`) on the CPU, from the step where it stands. Nothing is lost if that fails.
    ///
    /// # Errors
    /// When the programs cannot run there, or a device is lost meanwhile.
    pub async fn move_to(&mut self, device: Option<&GpuDevice>) -> Result<(), UserError> {
        self.settle().await?;
        let whole = Region { space: Space::Arena, offset: 0, len: self.engine.layout().state_len };
        let words = self.engine.fetch(&[whole]).await?;
        let mut engine = self.engine.replica(device)?;
        place_data(&mut engine, &self.data, &self.checked)?;
        engine.write(0, &words)?;
        engine.finish().await;
        if let Some(why) = engine.lost() {
            return Err(UserError::new(format!("The GPU cannot take over: {why}.")).hint("Training goes on on the CPU."));
        }
        self.engine = engine;
        let state = self.state().await?;
        (self.seconds_per_step, self.checkpoint) = (0.0, None);
        self.save_due.get_or_insert_with(Instant::now);
        self.rate.restart();
        self.remember(state);
        Ok(())
    }

    /// Keeps a copy of the state of now, where the device that holds it can be lost.
    pub(crate) fn remember(&mut self, state: State) {
        let kept =
            Kept { position: self.position_before(self.queued), slots_since: self.slots_since, shows: self.shown_state() };
        self.remember_as(state, self.queued, kept);
    }

    /// Keeps a copy of the state as it was at a step.
    pub(crate) fn remember_as(&mut self, state: State, step: u64, kept: Kept) {
        let at_risk = self.engine.backend() == Backend::Gpu;
        self.checkpoint = at_risk.then_some(Checkpoint { state, step, kept });
    }

    /// The device is gone: goes on on the CPU from the last copy of the state.
    ///
    /// # Errors
    /// When the CPU has no memory for the programs.
    pub(crate) fn fall_back(&mut self, why: &str) -> Result<(), UserError> {
        self.lost = Some(format!("The GPU was lost ({why})."));
        self.engine = self.engine.replica(None)?;
        self.forget_what_was_under_way();
        place_data(&mut self.engine, &self.data, &self.checked)?;
        let Some(checkpoint) = self.checkpoint.take() else { return self.begin() };
        let Checkpoint { state, step, kept } = checkpoint;
        self.write_state(&state)?;
        self.order_from(step, kept.position)?;
        (self.done, self.queued, self.slots_since) = (step, step, kept.slots_since);
        self.curves.truncate(step);
        self.evaluator.forget();
        self.touched();
        Ok(())
    }

    fn forget_what_was_under_way(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            let id = match job.kind {
                JobKind::Save { id, .. } => id,
                JobKind::Evaluate | JobKind::Answer(_) => 0,
            };
            if id > 0 {
                let error = UserError::new("The GPU was lost before it answered.").hint("Ask again; the run goes on.");
                self.events.push(Message::new(Event::Error { id: Some(id), error }));
            }
        }
        self.readings.clear();
        self.tickets.clear();
        self.completed.clear();
        self.recorder.discard();
        self.recorded_steps.clear();
        self.watches.forget();
        self.pace.restart();
        self.rate.restart();
        (self.diverged_at, self.seconds_per_step) = (None, 0.0);
    }

    /// Why the device was lost that the run was on, once.
    pub fn take_loss(&mut self) -> Option<String> {
        self.lost.take()
    }
}
