//! What is told of a run: curves, evaluations, what is watched, snapshots that are due, and the events that wait to be sent. Nothing here
//! moves the run.

pub(crate) mod about;
pub(crate) mod curves;
pub(crate) mod cut;
pub(crate) mod evaluate;
pub(crate) mod explained;
mod found;
pub(crate) mod occluded;
pub(crate) mod picking;
pub(crate) mod rows;
pub(crate) mod signs;
mod vectors;
pub(crate) mod watches;
pub(crate) mod writers;
pub(crate) mod writing;

use std::time::Duration;

use downhill_model::{Checked, PatienceMetric, Training};
use downhill_protocol::{Arrays, Event, Message, SeriesChunk};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::pipeline::Row;
use crate::run::Run;
use crate::verdict::Evaluation;
use curves::Curves;
use evaluate::{Evaluator, Results};
use signs::Signs;
use watches::Watches;
use writers::Writers;

/// Time between two evaluations of a run that is watched on a device.
const EVALUATE_EVERY: Duration = Duration::from_millis(320);
/// Time between two automatic snapshots.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// What is told of a run.
pub(crate) struct Reports {
    curves: Curves,
    /// Curves of the recorded metrics, in their order, and that of the learning rate.
    metric_curves: Vec<usize>,
    lr_curve: usize,
    /// Loss of the last recorded step.
    loss: f64,
    /// Loss of every step, where it is kept.
    losses: Option<Vec<(u64, f32)>>,
    evaluator: Evaluator,
    signs: Signs,
    /// Earliest time of the next evaluation of a run that is watched on a device.
    evaluate_from: Instant,
    watches: Watches,
    writers: Writers,
    /// Earliest time of the next answer that is read from a device.
    beat: Instant,
    /// Whether an answer was asked of a device since then.
    beaten: bool,
    /// When the next automatic snapshot is due, where there are any.
    save_due: Option<Instant>,
    /// Whether automatic snapshots are told, as [`Event::Saved`] with number 0.
    saves_told: bool,
    events: Vec<Message<Event>>,
    notes: Vec<String>,
}

impl Reports {
    /// Nothing to tell yet but some notes.
    pub fn new(checked: &Checked, notes: Vec<String>) -> Self {
        let mut reports = Self {
            curves: Curves::default(),
            metric_curves: Vec::new(),
            lr_curve: 0,
            loss: f64::NAN,
            losses: None,
            evaluator: Evaluator::default(),
            signs: Signs::default(),
            evaluate_from: Instant::now(),
            watches: Watches::default(),
            writers: Writers::default(),
            beat: Instant::now(),
            beaten: false,
            save_due: None,
            saves_told: false,
            events: Vec::new(),
            notes: Vec::new(),
        };
        reports.take_up(checked, notes);
        reports
    }

    /// Is about another experiment from now on. Curves go on.
    pub fn take_up(&mut self, checked: &Checked, notes: Vec<String>) {
        let names = checked.experiment.metric_names();
        self.metric_curves = names.iter().map(|name| self.curves.index(name)).collect();
        self.lr_curve = self.curves.index("lr");
        self.evaluator = Evaluator::new(&checked.signature);
        self.signs = Signs::default();
        self.forget_answers("The experiment was changed before the text was written.");
        self.notes = notes;
    }

    /// Is about step 0 again.
    pub fn begin(&mut self) {
        self.loss = f64::NAN;
        self.curves.clear();
        self.evaluator.forget();
        self.signs.begin();
    }

    /// The run goes on from an earlier step.
    pub fn back_to(&mut self, step: u64) {
        self.curves.truncate(step);
        self.signs.history.back_to(step + 1);
    }

    /// The curves.
    pub fn curves(&self) -> &Curves {
        &self.curves
    }

    /// Points of curves that were not sent yet, see [`Curves::take`].
    pub fn take_points(&mut self, run: u32, replace: bool, arrays: &mut Arrays) -> Option<SeriesChunk> {
        self.curves.take(run, replace, arrays)
    }

    /// Finishes what curves are still gathering, when the run rests.
    pub fn close_curves(&mut self) {
        self.curves.close();
    }

    /// Loss of the last recorded step; NaN before there is one.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Keeps the loss of every step from now on.
    pub fn keep_losses(&mut self) {
        self.losses = Some(Vec::new());
    }

    /// Whether the loss of every step is kept.
    pub fn keeps_losses(&self) -> bool {
        self.losses.is_some()
    }

    /// Steps and their losses since the last call; nothing unless they are kept.
    pub fn take_losses(&mut self) -> Vec<(u64, f32)> {
        self.losses.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes note of recorded steps. Gives the step that was not finite, after which nothing counts.
    pub fn note_metrics<'a>(&mut self, rows: impl Iterator<Item = Row<'a>>, run: &Run) -> Option<u64> {
        for row in rows {
            if row.flag != 0 {
                // The flag holds the low half of the bad micro batch's number plus one; that batch lies at most a ring back.
                let micros = run.micros() as u64;
                let last = row.step * micros + (micros - 1);
                let back = (last as u32).wrapping_sub(row.flag.wrapping_sub(1));
                return Some(last.saturating_sub(u64::from(back)) / micros);
            }
            if let Some(loss) = row.values.first() {
                self.loss = f64::from(*loss);
                if let Some(losses) = &mut self.losses {
                    losses.push((row.step, *loss));
                }
            }
            for (curve, value) in self.metric_curves.iter().zip(row.values) {
                self.curves.push(*curve, row.step, *value);
            }
            self.curves.push(self.lr_curve, row.step, run.lr_at(row.step) as f32);
        }
        None
    }

    /// Which samples are evaluated, and what came out last.
    pub fn evaluator(&self) -> &Evaluator {
        &self.evaluator
    }

    /// The same, to be told something.
    pub fn evaluator_mut(&mut self) -> &mut Evaluator {
        &mut self.evaluator
    }

    /// An evaluation was made of a step.
    pub fn note_evaluation(&mut self, step: u64, results: Results) {
        for (name, value) in &results.metrics {
            let curve = self.curves.index(name);
            self.curves.push(curve, step, *value as f32);
        }
        self.signs.history.note(step, &results.metrics);
        self.evaluator.note(results);
    }

    /// Whether the experiment's patience has just run out.
    pub fn is_out_of_patience(&self, training: &Training) -> bool {
        let of = |evaluation: &Evaluation| match training.patience_metric {
            PatienceMetric::ValidationLoss => evaluation.validation.map(|loss| -loss),
            PatienceMetric::ValidationAccuracy => evaluation.validation_accuracy,
        };
        training.patience.is_some_and(|patience| self.signs.history.has_waited(patience, of))
    }

    /// Evaluations come every `eval_every` steps exactly, before the first step, and where the run rests. A run that is watched on a device
    /// leaves out those that nobody could tell apart: a fast one would read back hundreds a second.
    pub fn evaluation_due(&mut self, run: &Run, on_device: bool, now: Instant) -> bool {
        let on_the_beat =
            !self.leaves_out_evaluations(run, on_device, now) && run.queued().is_multiple_of(every(run.checked()));
        let missing = !self.evaluator.shows(run.shown_state()) || run.awaits_evaluation() && !self.evaluator.is_under_way();
        let due = (on_the_beat || !run.drive().running()) && run.diverged_at().is_none() && missing;
        if due {
            self.evaluate_from = now + EVALUATE_EVERY;
        }
        due
    }

    /// The step before which steps end that are queued together: where the next evaluation may be due.
    pub fn next_evaluation(&self, run: &Run, on_device: bool, now: Instant) -> u64 {
        if self.leaves_out_evaluations(run, on_device, now) {
            return u64::MAX;
        }
        let every = every(run.checked());
        (run.queued() / every + 1).saturating_mul(every)
    }

    fn leaves_out_evaluations(&self, run: &Run, on_device: bool, now: Instant) -> bool {
        let hangs_on_them = run.experiment().schedule.plateau().is_some();
        run.drive().paced() && on_device && now < self.evaluate_from && !hangs_on_them
    }

    /// What verdicts are made from.
    pub fn signs(&self) -> &Signs {
        &self.signs
    }

    /// The same, to be told something.
    pub fn signs_mut(&mut self) -> &mut Signs {
        &mut self.signs
    }

    /// What is watched.
    pub fn watches(&mut self) -> &mut Watches {
        &mut self.watches
    }

    /// The texts in the making.
    pub fn writers(&mut self) -> &mut Writers {
        &mut self.writers
    }

    /// Forgets what was made for the model of before: watches are answered anew, texts that were asked for once are not.
    pub fn forget_answers(&mut self, why: &str) {
        self.watches.forget();
        for id in self.writers.forget() {
            self.tell(Message::new(Event::Error { id: Some(id), error: UserError::new(why).hint("Ask again.") }));
        }
    }

    /// Watches what was watched in another run, which watches nothing any more.
    pub fn watch_on(&mut self, other: &mut Reports) {
        self.watches = std::mem::take(&mut other.watches);
        self.watches.forget();
    }

    /// When the next answer that is not of `state` may be given.
    pub fn next_answer(&self, state: (u64, u64)) -> Option<Instant> {
        self.watches.next_due(state).map(|due| due.max(self.beat))
    }

    /// Whether answers may be asked of the machine now.
    pub fn on_beat(&self, now: Instant) -> bool {
        now >= self.beat
    }

    /// An answer was queued; on a device the others that are due follow at once.
    pub fn note_answer(&mut self, on_device: bool) {
        self.beaten = on_device;
    }

    /// Whether answers were asked of a device; the next ones are not before `next`.
    pub fn take_beat(&mut self, next: Instant) -> bool {
        let beaten = std::mem::take(&mut self.beaten);
        if beaten {
            self.beat = next;
        }
        beaten
    }

    /// Makes a snapshot every two seconds of training, and tells it.
    pub fn save_regularly(&mut self) {
        self.saves_told = true;
        self.save_due = Some(Instant::now() + SAVE_EVERY);
    }

    /// Makes snapshots from now on.
    pub fn save_soon(&mut self) {
        self.save_due.get_or_insert_with(Instant::now);
    }

    /// Whether an automatic snapshot is due.
    pub fn save_due(&mut self, now: Instant) -> bool {
        let due = self.save_due.is_some_and(|due| now >= due);
        if due {
            self.save_due = Some(now + SAVE_EVERY);
        }
        due
    }

    /// Whether automatic snapshots are told.
    pub fn saves_told(&self) -> bool {
        self.saves_told
    }

    /// Tells something.
    pub fn tell(&mut self, event: Message<Event>) {
        self.events.push(event);
    }

    /// What there is to tell since the last call.
    pub fn take_events(&mut self) -> Vec<Message<Event>> {
        std::mem::take(&mut self.events)
    }

    /// Things worth telling of the run.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds to them.
    pub fn note(&mut self, notes: impl IntoIterator<Item = String>) {
        self.notes.extend(notes);
    }
}

fn every(checked: &Checked) -> u64 {
    checked.experiment.training.eval_every.max(1)
}
