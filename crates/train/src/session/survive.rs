//! Moving a run between backends, and going on when a device is lost.

use downhill_gpu::GpuDevice;
use downhill_protocol::{Backend, Event, Message};
use downhill_tensor::UserError;

use super::Session;
use super::job::JobKind;
use crate::machine::checkpoint::Checkpoint;

impl Session {
    /// What trains now.
    pub fn backend(&self) -> Backend {
        self.machine.backend()
    }

    /// Goes on on another device, or (`None`) on the CPU, from the step where it stands. Nothing is lost if that fails.
    ///
    /// # Errors
    /// When the programs cannot run there, or a device is lost meanwhile.
    pub async fn move_to(&mut self, device: Option<&GpuDevice>) -> Result<(), UserError> {
        self.settle().await?;
        let whole = self.machine.whole_state();
        let words = self.machine.engine_mut().fetch(&[whole]).await?;
        let mut engine = self.machine.replica(device, (self.run.checked(), self.run.data()), &words)?;
        engine.finish().await;
        if let Some(why) = engine.lost() {
            return Err(UserError::new(format!("The GPU cannot take over: {why}.")).hint("Training goes on on the CPU."));
        }
        self.machine.move_to(engine);
        let state = self.state().await?;
        self.reports.save_soon();
        self.run.drive_mut().restart_rate();
        self.remember(state);
        Ok(())
    }

    /// Why the device can no longer be used; the CPU is never lost.
    pub(crate) fn lost(&self) -> Option<String> {
        self.machine.engine().lost()
    }

    /// The device is gone: goes on on the CPU from the last copy of the state.
    ///
    /// # Errors
    /// When the CPU has no memory for the programs.
    pub(crate) fn fall_back(&mut self, why: &str) -> Result<(), UserError> {
        let checkpoint = self.machine.fall_back(why, (self.run.checked(), self.run.data()))?;
        for id in self.pipeline.forget().filter_map(request) {
            let error = UserError::new("The GPU was lost before it answered.").hint("Ask again; the run goes on.");
            self.reports.tell(Message::new(Event::Error { id: Some(id), error }));
        }
        self.reports.forget_answers("The GPU was lost before the text was written.");
        self.run.drive_mut().restart();
        self.run.note_diverged(None);
        let Some(Checkpoint { state, step, kept }) = checkpoint else { return self.begin() };
        self.machine.write_state(&state)?;
        self.run.order_from(self.machine.layout(), step, kept.position)?;
        self.run.stand_at(step, kept.slots_since);
        self.run.set_plateau(kept.plateau);
        self.reports.back_to(step);
        self.reports.evaluator_mut().forget();
        self.run.touched();
        Ok(())
    }

    /// Why the device was lost that the run was on, once.
    pub fn take_loss(&mut self) -> Option<String> {
        self.machine.take_loss()
    }
}

/// The number of the request that a job answers, if it answers one.
fn request(job: JobKind) -> Option<u32> {
    match job {
        JobKind::Save { id, .. } => (id > 0).then_some(id),
        JobKind::Token(writer) => writer.request(),
        JobKind::Evaluate | JobKind::Examine(_) | JobKind::Answer(_) => None,
    }
}
