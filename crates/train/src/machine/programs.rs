//! The programs of a run: which there are, how many rows each takes, and which of them stay compiled.

use downhill_compile::{LayoutSpec, Plan};
use downhill_data::{Column, Dataset, Labels};
use downhill_graph::Graph;
use downhill_model::losses::class_weights;
use downhill_model::{CACHE, CLASS_WEIGHTS, Checked, Encoding, POSITIONS, ProgramKind, Split, build, known_ahead};
use downhill_protocol::Backend;
use downhill_tensor::{UserError, apart};

use super::engine::{Engine, Loaded};

/// Rows of the metrics ring and of the rings of per-step feeds: steps that can be queued at a time.
pub(crate) const RING: u32 = 256;
/// Rows of a program that evaluates or inspects: a run of a small network takes well under a millisecond.
const ROWS: usize = 256;
/// Rows of a program on the CPU that only predicts. It keeps nothing from layer to layer, so few rows that stay in the nearest cache do as
/// well as many.
const ANSWER_ROWS: usize = 128;
/// Rows of a program for panels on a device, where a run costs the same for many rows as for few, and features up to which that is worth its memory.
const DEVICE_ROWS: usize = 1 << 14;
const FEW_FEATURES: usize = 16;
/// Elements of a ring of per-step feeds; with large batches fewer steps are queued.
const RING_ELEMENTS: usize = 1 << 20;

/// Elements of what is kept of a text while it is written, at most: 64 MiB.
const MOST_CACHED: usize = 1 << 24;

/// Programs for panels that stay compiled: more than a page watches at a time, so that only those go that nobody asks for any more.
const KEPT: usize = 16;

/// The programs of a run, compiled when they are first needed.
#[derive(Default)]
pub(crate) struct Programs {
    /// In the order in which they were last used.
    loaded: Vec<(ProgramKind, Loaded)>,
    /// Rows of an evaluation; where the loss compares samples with each other as many as in a training step.
    pub eval_rows: usize,
    /// Rows of a program for panels on a device, at most.
    device_rows: usize,
    /// Kernels of the training program, one printed line each.
    pub printed: Vec<String>,
    /// Elements of the largest arena and of the data buffer.
    pub elements: (u32, u32),
}

impl Programs {
    /// The layout that serves every program of an experiment, and the training program's graph.
    ///
    /// # Errors
    /// When the experiment cannot be built.
    pub fn plan(checked: &Checked) -> Result<(Self, LayoutSpec, Graph), UserError> {
        let Checked { experiment, signature, .. } = checked;
        let batch = experiment.training.batch_size;
        let all = signature.train.max(signature.validation);
        let eval_rows = if experiment.loss.compares_samples() { batch } else { all.clamp(1, ROWS) };
        let device_rows = if signature.features() <= FEW_FEATURES { DEVICE_ROWS } else { ROWS };
        let programs = Self { eval_rows, device_rows, ..Self::default() };
        let per_step = if signature.streamed { batch * (signature.features() + signature.answers()) } else { batch };
        let rows = RING.min((RING_ELEMENTS / per_step.max(eval_rows)) as u32);
        let micros = experiment.training.accumulate as u32;
        let mut spec = LayoutSpec {
            slots: experiment.slots().len() + experiment.accumulating_slots(),
            ring: (rows / micros).max(2) * micros,
            metrics: experiment.metric_names().len() as u32,
            ..LayoutSpec::default()
        };
        let train = build(checked, &ProgramKind::Train { batch })?;
        spec.include(&train);
        for kind in programs.others(checked) {
            spec.include(&build(checked, &kind)?);
        }
        spec.feeds.extend(known_ahead(signature));
        if !signature.positions.is_empty() {
            apart(|| include_next(checked, &mut spec))?;
        }
        Ok((programs, spec, train))
    }

    /// One program of each kind beside training, as large as it gets: together they read every feed.
    pub fn others(&self, checked: &Checked) -> Vec<ProgramKind> {
        let eval = |split| ProgramKind::Eval { rows: self.eval_rows, split };
        let mut others = vec![eval(Split::Train)];
        if checked.signature.validation > 0 {
            others.push(eval(Split::Validation));
        }
        let batch = checked.experiment.training.batch_size;
        let states = checked.recurrent_states().into_iter().map(|name| format!("grad:{name}"));
        let tensors = states.chain(["loss".to_string()]).collect();
        let rows = self.device_rows;
        let back = ProgramKind::Inspect { rows, tensors, with_gradients: false };
        others.extend([ProgramKind::Predict { rows }, ProgramKind::inspect(batch, ["loss"]), back]);
        others
    }

    /// Rows of the program that goes over so many rows for a panel, in one run or in several; `looks_inside` says that it outputs more than
    /// the answer.
    pub fn panel_rows(&self, rows: usize, looks_inside: bool, backend: Backend) -> usize {
        match backend {
            _ if rows == 1 => 1,
            Backend::Cpu if looks_inside => ROWS,
            Backend::Cpu => ANSWER_ROWS,
            Backend::Gpu => rows.next_multiple_of(ROWS).min(self.device_rows),
        }
    }

    /// Takes up a compiled program.
    pub fn insert(&mut self, kind: ProgramKind, program: Loaded, plan: &Plan) {
        if matches!(kind, ProgramKind::Train { .. }) {
            self.printed = plan.steps.iter().map(|s| format!("{}\t{}", s.scope, s.kernel)).collect();
        }
        self.elements = (self.elements.0.max(plan.arena_len), self.elements.1.max(plan.data_len));
        self.loaded.push((kind, program));
    }

    /// The program of this kind, compiled if need be.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn get(&mut self, kind: &ProgramKind, checked: &Checked, engine: &mut Engine) -> Result<Loaded, UserError> {
        if let Some(at) = self.loaded.iter().position(|(k, _)| k == kind) {
            let found = self.loaded.remove(at);
            let program = found.1.clone();
            self.loaded.push(found);
            return Ok(program);
        }
        let graph = build(checked, kind)?;
        let (program, plan) = engine.load(&graph, &name(kind))?;
        self.insert(kind.clone(), program.clone(), &plan);
        Ok(program)
    }

    /// Unloads the programs for panels that were not used for longest, down to [`KEPT`] of them. Nothing queued may refer to one.
    pub fn trim(&mut self, engine: &mut Engine) {
        let mut surplus = self.loaded.iter().filter(|(kind, _)| is_for_panels(kind)).count().saturating_sub(KEPT);
        self.loaded.retain(|(kind, program)| {
            let goes = surplus > 0 && is_for_panels(kind);
            if goes {
                surplus -= 1;
                engine.unload(program.id);
            }
            !goes
        });
    }

    /// Number of programs that are compiled.
    pub fn compiled(&self) -> usize {
        self.loaded.len()
    }
}

/// Makes room for the program that continues a text token by token, where there is one and what it keeps is not too much.
fn include_next(checked: &Checked, spec: &mut LayoutSpec) -> Result<(), UserError> {
    if checked.stepwise().is_err() {
        return Ok(());
    }
    let next = build(checked, &ProgramKind::Next)?;
    let kept = next.feeds().iter().filter(|feed| feed.name.starts_with(CACHE)).map(|feed| feed.ty.shape.numel());
    if kept.sum::<usize>() <= MOST_CACHED {
        spec.include(&next);
    }
    Ok(())
}

/// Whether panels come and go with it.
fn is_for_panels(kind: &ProgramKind) -> bool {
    !matches!(kind, ProgramKind::Train { .. } | ProgramKind::Eval { .. })
}

/// Name of a program in print.
pub(crate) fn name(kind: &ProgramKind) -> String {
    match kind {
        ProgramKind::Train { batch } => format!("train {batch}"),
        ProgramKind::Eval { rows, split } => format!("eval {} {rows}", split.name()),
        ProgramKind::Predict { rows } => format!("predict {rows}"),
        ProgramKind::Continue { keeps } => format!("continue{}", if *keeps { ", kept" } else { "" }),
        ProgramKind::Next => "next".to_string(),
        ProgramKind::Inspect { rows, tensors, .. } => format!("inspect {rows}: {}", tensors.join(" ")),
    }
}

/// Queues a data set for the resident feeds that hold it.
///
/// # Errors
/// When the device is lost.
pub(crate) fn place_data(engine: &mut Engine, data: &Dataset, checked: &Checked) -> Result<(), UserError> {
    let fields = checked.feeds();
    for (split, part) in [(Split::Train, &data.train), (Split::Validation, &data.validation)] {
        for field in &fields {
            let Some(column) = part.field(&field.name).map(|f| &f.column).filter(|column| !column.is_empty()) else { continue };
            let name = format!("{}.{}", split.name(), field.name);
            match (column, field.encoding) {
                (Column::F32(values), Encoding::Same) => engine.feed(&name, 0, bytemuck::cast_slice(values))?,
                (Column::U32(words), Encoding::Same) => engine.feed(&name, 0, words)?,
                _ => engine.feed(&name, 0, &field.table(column))?,
            }
        }
    }
    if let Labels::Class(labels) = data.labels(&data.train) {
        let weights = class_weights(labels, checked.signature.outputs);
        engine.feed(CLASS_WEIGHTS, 0, bytemuck::cast_slice(&weights))?;
    }
    place_positions(engine)
}

/// Fills the feeds that hold 0, 1, 2, … for layers that look at lengths.
fn place_positions(engine: &mut Engine) -> Result<(), UserError> {
    let feeds = &engine.layout().feeds;
    let wanted: Vec<String> =
        feeds.iter().map(|(feed, _)| feed.name.clone()).filter(|name| name.starts_with(POSITIONS)).collect();
    for name in wanted {
        let steps: u32 = name.trim_start_matches(POSITIONS).parse().unwrap_or(0);
        let words: Vec<u32> = (0..steps).map(|step| (step as f32).to_bits()).collect();
        engine.feed(&name, 0, &words)?;
    }
    Ok(())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_data::Bundled;
    use downhill_model::{Experiment, Signature, check, presets};

    use super::*;
    use crate::session::{Session, build_data};

    /// Elements that a program takes beside the state, and the most that one of its kernels needs there: what it reads and writes, and
    /// an input that a residual keeps meanwhile.
    fn scratch(checked: &Checked, kind: &ProgramKind) -> (u32, u32) {
        let (_, spec, _) = Programs::plan(checked).unwrap();
        let mut engine = Engine::new(&spec, None).unwrap();
        let graph = build(checked, kind).unwrap();
        let (_, plan) = engine.load(&graph, &name(kind)).unwrap();
        let state = engine.layout().state_len;
        let at_a_time = |step: &downhill_compile::Step| {
            let regions = step.reads.iter().chain(&step.writes).map(|arg| arg.region);
            let lens = regions.filter(|r| r.space == downhill_compile::Space::Arena && r.offset >= state).map(|r| r.len);
            let lens: Vec<u32> = lens.collect();
            lens.iter().sum::<u32>() + lens.iter().max().unwrap_or(&0)
        };
        (plan.arena_len - state, plan.steps.iter().map(at_a_time).max().unwrap_or(0))
    }

    /// An answer needs the input and the output of one layer at a time: half of what two layers of the same width keep. That few rows
    /// suffice for it does the rest.
    #[test]
    fn a_prediction_stores_no_activations() {
        let mut largest = (0, 0, "");
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let signature = Signature::from_dataset(&build_data(&experiment, &Bundled).unwrap());
            let checked = check(experiment, signature).unwrap();
            let paths = checked.summary.layers.iter().map(|layer| layer.path.clone()).chain(["output".to_string()]);
            let (every, _) = scratch(&checked, &ProgramKind::inspect(ROWS, paths));
            // Where one kernel needs most of it, as that of a recurrent layer does, it needs that.
            let (same_rows, at_a_time) = scratch(&checked, &ProgramKind::Predict { rows: ROWS });
            assert!(same_rows <= (every / 2).max(at_a_time), "{}: {same_rows} of {every}", preset.id);
            let (programs, ..) = Programs::plan(&checked).unwrap();
            let rows = programs.panel_rows(10_000, false, Backend::Cpu);
            let (answer, at_a_time) = scratch(&checked, &ProgramKind::Predict { rows });
            assert!(answer <= (every / 3).max(at_a_time), "{}: {answer} of {every}", preset.id);
            largest = largest.max((every, answer, preset.id));
        }
        let (every, answer, id) = largest;
        eprintln!("{id}: {} bytes of activations where every layer is watched, {} for the answer alone", 4 * every, 4 * answer);
    }

    #[test]
    fn panels_that_come_and_go_leave_no_programs_behind() {
        let preset = presets::find("spirals").unwrap();
        let mut session = Session::new(Experiment::parse(preset.json).unwrap().experiment, &Bundled).unwrap();
        for rows in 1..100 {
            let program = session.program(&ProgramKind::Predict { rows }).unwrap();
            assert!(session.machine.engine().plan(program.id).is_some());
            session.machine.trim();
            assert!(session.machine.engine().plan(session.machine.train().id).is_some());
        }
        assert_eq!(session.machine.engine().plans().count(), 1 + KEPT);
        // The one that was asked for last is still there, the first one is not.
        let compiled = session.compiled_programs();
        session.program(&ProgramKind::Predict { rows: 99 }).unwrap();
        assert_eq!(session.compiled_programs(), compiled);
        session.program(&ProgramKind::Predict { rows: 1 }).unwrap();
        assert_eq!(session.compiled_programs(), compiled + 1);
    }
}
