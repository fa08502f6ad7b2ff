//! Times the compiler: all programs of a network, from the document to the plans. Nothing is loaded and nothing runs.

use std::time::Duration;

use downhill_model::{Checked, Experiment, ProgramKind, Signature, build, check};
use downhill_tensor::{UserError, sort_short_by_key};
use serde_json::{Value as Json, json};
use web_time::Instant;

use crate::machine::engine::Engine;
use crate::machine::programs::{Programs, name};

/// Rounds that count at least.
const ROUNDS: usize = 5;

/// What it takes to compile all programs of one network. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct CompileTimes {
    /// Layers, containers and what they contain counted alike.
    pub layers: usize,
    /// Kernels of all programs.
    pub kernels: usize,
    /// The sum of the parts.
    pub total: f64,
    /// The median round.
    pub median: f64,
    /// `layout` (checking the experiment, and what all programs share), then every program: the fastest of all rounds for each, which is
    /// what it takes when nothing else runs.
    pub parts: Vec<(String, f64)>,
}

/// Compiles networks of so many layers again and again, in turn, so that whatever else the machine does meets all of them.
///
/// # Errors
/// When a network is larger than an experiment can be.
pub fn compile_times(sizes: &[usize], time: Duration) -> Result<Vec<CompileTimes>, UserError> {
    let networks: Vec<Network> = sizes.iter().map(|&layers| Network::new(layers)).collect::<Result<_, _>>()?;
    let mut rounds: Vec<Vec<CompileTimes>> = vec![Vec::new(); sizes.len()];
    let until = Instant::now() + time;
    while Instant::now() < until || rounds.iter().any(|all| all.len() < ROUNDS) {
        for (network, rounds) in networks.iter().zip(&mut rounds) {
            rounds.push(network.compile()?);
        }
    }
    Ok(rounds.into_iter().filter_map(fastest).collect())
}

/// The layers of `compile-200`.
pub(crate) fn parse(workload: &str) -> Option<usize> {
    workload.strip_prefix("compile-")?.parse().ok()
}

fn fastest(mut rounds: Vec<CompileTimes>) -> Option<CompileTimes> {
    // Times are not negative, so their bits sort as they do.
    sort_short_by_key(&mut rounds, |round| round.total.to_bits());
    let median = rounds.get(rounds.len() / 2)?.total;
    let mut fastest = rounds.first()?.clone();
    for (i, (_, least)) in fastest.parts.iter_mut().enumerate() {
        *least = rounds.iter().filter_map(|round| round.parts.get(i)).fold(*least, |least, part| least.min(part.1));
    }
    let total = fastest.parts.iter().map(|(_, ms)| ms).sum();
    Some(CompileTimes { total, median, ..fastest })
}

struct Network {
    layers: usize,
    experiment: Experiment,
    signature: Signature,
}

impl Network {
    fn new(layers: usize) -> Result<Self, UserError> {
        let document = json!({
            "data": "spirals", "model": model(layers)?, "optimizer": "adam", "training": { "batch_size": 32, "clip_norm": 1 },
        });
        let experiment = Experiment::from_value(&document)?.experiment;
        let signature = Signature::of(&experiment.data)?;
        Ok(Self { layers, experiment, signature })
    }

    /// What a session does to take up an experiment, and everything that evaluation and panels may ask for later.
    fn compile(&self) -> Result<CompileTimes, UserError> {
        let start = Instant::now();
        let mut last = start;
        let mut lap = || {
            let now = Instant::now();
            now.duration_since(std::mem::replace(&mut last, now)).as_secs_f64() * 1e3
        };
        let checked = check(self.experiment.clone(), self.signature.clone())?;
        let (programs, spec, train) = Programs::plan(&checked)?;
        let engine = Engine::new(&spec, None)?;
        let mut parts = vec![("layout".to_string(), lap())];
        let kind = ProgramKind::Train { batch: checked.experiment.training.batch_size };
        let mut kernels = engine.compile(&train, &name(&kind))?.steps.len();
        parts.push((name(&kind), lap()));
        for kind in programs.others(&checked).into_iter().chain([everything(&checked)]) {
            let graph = build(&checked, &kind)?;
            kernels += engine.compile(&graph, &name(&kind))?.steps.len();
            let tensors = if let ProgramKind::Inspect { tensors, .. } = &kind { tensors.len() } else { 0 };
            parts.push((if tensors > 1 { format!("inspect {tensors} tensors") } else { name(&kind) }, lap()));
        }
        let total = start.elapsed().as_secs_f64() * 1e3;
        Ok(CompileTimes { layers: self.layers, kernels, total, median: total, parts })
    }
}

/// A training step with everything in it that a panel can ask for: what every layer gives, and the gradients of that and of all weights.
fn everything(checked: &Checked) -> ProgramKind {
    let layers = checked.summary.layers.iter();
    let inside = layers.flat_map(|layer| {
        let weights = layer.parameters.iter().map(|(name, _)| format!("grad:{name}"));
        [layer.path.clone(), format!("grad:{}", layer.path)].into_iter().chain(weights)
    });
    ProgramKind::inspect(checked.experiment.training.batch_size, inside)
}

/// What the networks repeat: layers, each with how many it counts for. Activations that keep and that lose their pre-activation, half of
/// the linear layers in residual blocks, a dropout.
const BLOCK: &str = include_str!("compile_bench.json");

/// A model of so many layers.
fn model(layers: usize) -> Result<Json, UserError> {
    let block: Vec<(usize, Json)> = serde_json::from_str(BLOCK).map_err(|e| UserError::new(e.to_string()))?;
    let linear = |out: Json| json!({ "linear": { "out": out } });
    let mut model = vec![linear(json!(8))];
    let mut left = layers.saturating_sub(2);
    for (size, layer) in block.iter().cycle() {
        if left == 0 {
            break;
        }
        if *size <= left {
            left -= size;
            model.push(layer.clone());
        }
    }
    model.push(linear(json!("classes")));
    Ok(Json::Array(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_as_many_layers_as_asked_for_and_all_its_programs_compile() {
        for layers in [12, 191] {
            let network = Network::new(layers).unwrap();
            let checked = check(network.experiment.clone(), network.signature.clone()).unwrap();
            assert_eq!(checked.summary.layers.len(), layers);
            let times = network.compile().unwrap();
            assert_eq!(times.parts.len(), 8, "the layout, training, two evaluations, an answer and three inspections");
            assert!(times.kernels > 3 * layers, "{}", times.kernels);
        }
    }
}
