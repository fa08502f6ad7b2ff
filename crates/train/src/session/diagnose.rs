//! What a run does whose numbers are no longer finite: it goes back before the step, finds the layer, and says why.

use downhill_compile::Region;
use downhill_model::LayerSummary;
use downhill_protocol::{Divergence, Event, Message};
use downhill_tensor::UserError;

use super::Session;

impl Session {
    /// Where a step was not finite, the state is still that before it: the run goes back there, says why, and rests.
    pub(super) async fn come_back(&mut self) -> Result<(), UserError> {
        let Some(bad) = self.run.astray() else { return Ok(()) };
        // What is still queued runs on a state that no longer changes; only the metrics rows must not be taken for new ones.
        self.pipeline.discard_rows();
        self.machine.engine_mut().finish().await;
        self.collect()?;
        self.run.back_to(bad);
        self.reports.back_to(bad);
        let flag = self.machine.layout().offsets.flag;
        self.machine.engine_mut().write(flag, &[0])?;
        let divergence = self.diagnose(bad).await?;
        self.reports.signs_mut().divergence = Some(divergence.clone());
        self.reports.tell(Message::new(Event::Diverged(divergence)));
        Ok(())
    }

    /// Replays a step with everything kept and names the first layer that is not finite.
    async fn diagnose(&mut self, step: u64) -> Result<Divergence, UserError> {
        let mut broken = Vec::new();
        for micro in 0..self.run.micros() {
            broken = self.not_finite((step, micro)).await?;
            if !broken.is_empty() {
                break;
            }
        }
        let layers = &self.run.checked().summary.layers;
        let first = |prefix: &str| layers.iter().find(|l| broken.contains(&format!("{prefix}{}", l.path)));
        let last = |prefix: &str| layers.iter().rev().find(|l| broken.contains(&format!("{prefix}{}", l.path)));
        let owner = layers.iter().rev().find(|l| l.parameters.iter().any(|(name, _)| broken.contains(&format!("grad:{name}"))));
        let (layer, what) = match (first(""), broken.iter().any(|name| name == "loss"), last("grad:").or(owner)) {
            (Some(layer), _, _) => (layer.title(), "activations"),
            // The loss has no layer of its own: what it measures comes from the last one.
            (None, true, _) => (layers.last().map(LayerSummary::title).unwrap_or_default(), "loss"),
            (None, false, Some(layer)) => (layer.title(), "gradients"),
            (None, false, None) => ("training".to_string(), "weights"),
        };
        let why = self.explain(step, &layer, what);
        Ok(Divergence { run: self.run.number(), step, layer, what: what.to_string(), why })
    }

    /// Names of the tensors of a micro batch that are not finite.
    async fn not_finite(&mut self, at: (u64, usize)) -> Result<Vec<String>, UserError> {
        let outputs = self.inspect_step(at, &self.whole_step())?;
        let regions: Vec<Region> = outputs.iter().map(|(_, region)| *region).collect();
        let words = self.machine.engine_mut().fetch(&regions).await?;
        let mut rest = words.as_slice();
        let mut broken = Vec::new();
        for (name, region) in outputs {
            let (these, others) = rest.split_at((region.len as usize).min(rest.len()));
            rest = others;
            if these.iter().any(|w| !f32::from_bits(*w).is_finite()) {
                broken.push(name);
            }
        }
        Ok(broken)
    }

    fn explain(&self, step: u64, layer: &str, what: &str) -> String {
        let lr = self.run.lr_at(step);
        let grew = match what {
            "activations" => format!("The outputs of {layer} grew beyond what a number can hold"),
            "loss" => format!(
                "The outputs of {layer} are so large that their {} is beyond what a number can hold",
                self.run.experiment().loss.name()
            ),
            "gradients" => format!("The loss is finite, but the gradients of {layer} grew beyond what a number can hold"),
            _ => "A weight is no longer a finite number".to_string(),
        };
        let clip = if self.run.experiment().training.clip_norm.is_none() {
            ", or set `training.clip_norm` (1 is a good start)"
        } else {
            ""
        };
        format!(
            "{grew} at step {step}. That is nearly always a learning rate that is too high: every step overshoots further than the one \
             before. It is {lr} now; divide it by 10{clip}, then reset."
        )
    }
}
