//! A look inside the next training step without taking it: forward and backward of its batch, with its dropout and its scalars.

use downhill_compile::Region;
use downhill_model::ProgramKind;
use downhill_tensor::UserError;

use super::Session;

impl Session {
    /// The inspection of a training step's batch that outputs these tensors.
    fn batch_program(&self, tensors: impl Iterator<Item = String>) -> ProgramKind {
        ProgramKind::Inspect {
            rows: self.run.experiment().training.batch_size,
            tensors: tensors.collect(),
            with_gradients: true,
        }
    }

    /// The inspection of a training step that leaves nothing out: the loss, every layer's activation under its path, gradients under
    /// `grad:<path>` and `grad:<parameter>`.
    pub(crate) fn whole_step(&self) -> ProgramKind {
        // Tokens are no numbers, and nothing goes back to them.
        let numbers = self.run.checked().summary.layers.iter().filter(|layer| !layer.tokens);
        let named: Vec<String> = numbers.map(|layer| layer.path.clone()).collect();
        let parameters = self.machine.layout().entries.iter().map(|entry| entry.name.clone());
        let gradients = named.iter().cloned().chain(parameters).map(|name| format!("grad:{name}"));
        self.batch_program(["loss".to_string()].into_iter().chain(named.clone()).chain(gradients))
    }

    /// Everything that the next step computes, without taking it: the loss, every layer's activation under its path, gradients under
    /// `grad:<path>` and `grad:<parameter>`.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn probe(&mut self) -> Result<Vec<(String, Vec<f32>)>, UserError> {
        self.settle().await?;
        let outputs = self.inspect_step((self.run.queued(), 0), &self.whole_step())?;
        let regions: Vec<Region> = outputs.iter().map(|(_, region)| *region).collect();
        let words = self.machine.engine_mut().fetch(&regions).await?;
        let mut rest = words.into_iter().map(f32::from_bits);
        Ok(outputs.into_iter().map(|(name, region)| (name, rest.by_ref().take(region.len as usize).collect())).collect())
    }

    /// Queues an inspection of a micro batch of a step, with its scalars, and says where its outputs will lie. Nothing is updated.
    pub(crate) fn inspect_step(&mut self, at: (u64, usize), kind: &ProgramKind) -> Result<Vec<(String, Region)>, UserError> {
        let program = self.program(kind)?;
        let fields = self.run.samples(self.machine.layout(), at);
        for (name, words) in &fields {
            self.machine.engine_mut().feed(&format!("batch.{name}"), 0, words)?;
        }
        self.machine.engine_mut().submit(program.id, &[self.run.scalars(at.0, at.1)])?;
        Ok(program.outputs.into_iter().map(|o| (o.name, o.region)).collect())
    }
}
