use downhill_compile::{LayoutSpec, Plan};
use downhill_data::Dataset;
use downhill_graph::Graph;
use downhill_model::{Checked, ProgramKind, Split, build, encode_targets};
use downhill_protocol::Backend;
use downhill_tensor::UserError;

use crate::engine::{Engine, Program};

/// Rows of the metrics ring and of the rings of per-step feeds: steps that can be queued at a time.
pub(crate) const RING: u32 = 256;
/// Rows of an evaluation or map program: a run of a small network takes well under a millisecond.
const ROWS: usize = 256;
/// Rows of a map program on a device, where a run costs the same for many rows as for few, and features up to which that is worth its memory.
const DEVICE_ROWS: usize = 1 << 14;
const FEW_FEATURES: usize = 16;
/// Elements of a ring of per-step feeds; with large batches fewer steps are queued.
const RING_ELEMENTS: usize = 1 << 20;

/// The programs of a run, compiled when they are first needed.
#[derive(Default)]
pub(crate) struct Programs {
    loaded: Vec<(ProgramKind, Program)>,
    /// Rows of an evaluation.
    pub eval_rows: usize,
    /// Rows of a map over many points, at most: on the CPU, and on a device.
    map_rows: (usize, usize),
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
        let eval_rows = signature.train.max(signature.validation).clamp(1, ROWS);
        let device_rows = if signature.features <= FEW_FEATURES { DEVICE_ROWS } else { ROWS };
        let programs = Self { eval_rows, map_rows: (ROWS, device_rows), ..Self::default() };
        let mut spec = LayoutSpec {
            groups: experiment.groups(),
            slots: experiment.slots().len(),
            ring: RING.min((RING_ELEMENTS / batch.max(eval_rows)).max(2) as u32),
            metrics: experiment.metric_names().len() as u32,
            ..LayoutSpec::default()
        };
        let train = build(checked, ProgramKind::Train { batch })?;
        spec.include(&train);
        let mut others = vec![ProgramKind::Eval { rows: eval_rows, split: Split::Train }];
        if signature.validation > 0 {
            others.push(ProgramKind::Eval { rows: eval_rows, split: Split::Validation });
        }
        others.extend([ProgramKind::Map { rows: device_rows }, ProgramKind::Probe { rows: batch }]);
        for kind in others {
            spec.include(&build(checked, kind)?);
        }
        Ok((programs, spec, train))
    }

    /// Rows of the program that maps so many points on a backend, in one run or in several.
    pub fn map_rows(&self, points: usize, backend: Backend) -> usize {
        match (points, backend) {
            (1, _) => 1,
            (_, Backend::Cpu) => self.map_rows.0,
            (_, Backend::Gpu) => points.next_multiple_of(self.map_rows.0.max(1)).min(self.map_rows.1),
        }
    }

    /// Takes up a compiled program.
    pub fn insert(&mut self, kind: ProgramKind, program: Program, plan: &Plan) {
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
    pub fn get(&mut self, kind: ProgramKind, checked: &Checked, engine: &mut Engine) -> Result<Program, UserError> {
        if let Some((_, program)) = self.loaded.iter().find(|(k, _)| *k == kind) {
            return Ok(program.clone());
        }
        let graph = build(checked, kind)?;
        let (program, plan) = engine.load(&graph, &name(kind))?;
        self.insert(kind, program.clone(), &plan);
        Ok(program)
    }

    /// Number of programs compiled so far.
    pub fn compiled(&self) -> usize {
        self.loaded.len()
    }
}

/// Name of a program in print.
pub(crate) fn name(kind: ProgramKind) -> String {
    match kind {
        ProgramKind::Train { batch } => format!("train {batch}"),
        ProgramKind::Eval { rows, split } => format!("eval {} {rows}", split.name()),
        ProgramKind::Map { rows } => format!("map {rows}"),
        ProgramKind::Probe { rows } => format!("probe {rows}"),
    }
}

/// Queues a data set for the resident feeds that hold it.
///
/// # Errors
/// When the device is lost.
pub(crate) fn place_data(engine: &mut Engine, data: &Dataset, checked: &Checked) -> Result<(), UserError> {
    for (split, table) in [(Split::Train, &data.train), (Split::Validation, &data.validation)] {
        if !table.is_empty() {
            let targets = encode_targets(checked, &table.y);
            engine.feed(&format!("{}.x", split.name()), 0, bytemuck::cast_slice(&table.x))?;
            engine.feed(&format!("{}.y", split.name()), 0, &targets.words())?;
        }
    }
    Ok(())
}
