//! The networks of the benchmark, as a session would compile them.

use downhill_compile::{Executor, LayoutSpec, Options, Plan, ProgramId, Region, Space, StateLayout, compile};
use downhill_gpu::{GpuDevice, GpuExecutor};
use downhill_graph::{FeedKind, StepScalars};
use downhill_model::{Experiment, Input, Port, ProgramKind, Signature, Task, build, check};
use downhill_tensor::Dtype;
use downhill_tensor::rng::{Rng, Stream};
use serde_json::{Value, json};

/// Rows of the metrics ring.
const RING: u32 = 16;

/// An experiment with its training program.
pub struct Network {
    pub experiment: Experiment,
    pub layout: StateLayout,
    pub plan: Plan,
    classes: usize,
}

impl Network {
    fn new(model: Value, loss: &str, batch: usize, features: usize, task: Task, outputs: usize) -> Self {
        let experiment = json!({
            "version": 1, "seed": 1, "data": "circles", "model": model, "loss": loss, "optimizer": { "adam": { "lr": 0.01 } },
            "training": { "batch_size": batch },
        });
        let experiment = Experiment::from_value(&experiment).expect("it is valid").experiment;
        let inputs = vec![Input { name: "x".to_string(), port: Port::numbers([features]), bytes: None }];
        let signature = Signature { inputs, task, outputs, train: 8 * batch, validation: 0, streamed: false };
        let checked = check(experiment, signature).expect("shapes fit");
        let graph = build(&checked, &ProgramKind::Train { batch }).expect("shapes fit");
        let experiment = checked.experiment;
        let metrics = experiment.metric_names().len() as u32;
        let (groups, slots) = (experiment.groups(), experiment.slots().len());
        let mut spec = LayoutSpec { groups, slots, ring: RING, metrics, ..LayoutSpec::default() };
        spec.include(&graph);
        let layout = StateLayout::new(&spec).expect("it fits");
        let plan = compile(&graph, "train", &layout, &Options::default()).expect("it compiles");
        Self { experiment, layout, plan, classes: outputs }
    }

    /// 2 → 8 → 8 → 1 with tanh.
    pub fn small(batch: usize) -> Self {
        let linear = |out: usize| json!({ "linear": { "out": out } });
        let model = json!([linear(8), "tanh", linear(8), "tanh", linear(1), "tanh"]);
        Self::new(model, "mse", batch, 2, Task::Regression, 1)
    }

    /// 784 → 512 → 256 → 10 with relu, 128 examples a step.
    pub fn large() -> Self {
        let linear = |out: usize| json!({ "linear": { "out": out } });
        let model = json!([linear(512), "relu", linear(256), "relu", linear(10)]);
        Self::new(model, "cross_entropy", 128, 784, Task::Classification, 10)
    }

    /// The program on a device, with random data and weights.
    pub fn load(&self, device: &GpuDevice) -> (GpuExecutor, ProgramId) {
        let mut executor = GpuExecutor::new(device);
        let program = executor.load(&self.plan).expect("it is supported");
        let mut rng = Rng::new(1, Stream::Data, 0);
        let rows = self.plan.data_len;
        for (feed, at) in &self.layout.feeds {
            let numel = feed.ty.shape.numel() as u32;
            let most = if feed.kind == FeedKind::Resident && feed.ty.dtype == Dtype::U32 { 8 } else { self.classes };
            let words: Vec<u32> = (0..numel.min(rows))
                .map(|_| match feed.ty.dtype {
                    Dtype::U32 => rng.below(most) as u32,
                    Dtype::F32 => (rng.normal() as f32).to_bits(),
                })
                .collect();
            executor.upload(Space::Data, *at, &words).expect("it fits");
        }
        for entry in &self.layout.entries {
            let words: Vec<u32> = (0..entry.len).map(|_| (0.05 * rng.normal() as f32).to_bits()).collect();
            executor.upload(Space::Arena, self.layout.offsets.parameters + entry.offset, &words).expect("it fits");
        }
        (executor, program)
    }

    /// Scalars of so many steps from the first on.
    pub fn steps(&self, first: u64, count: u64) -> Vec<StepScalars> {
        let step = |t| StepScalars { record: (t % u64::from(RING)) as u32, ..self.experiment.step_scalars(t) };
        (first..first + count).map(step).collect()
    }

    /// The flag and the metrics ring.
    pub fn ring(&self) -> Region {
        let o = self.layout.offsets;
        Region { space: Space::Arena, offset: o.flag, len: self.plan.state_len - o.flag }
    }
}
