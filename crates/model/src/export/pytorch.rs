//! An experiment as a PyTorch program.

use downhill_tensor::UserError;

use crate::check::resolved;
use crate::layers::Layer;
use crate::losses::Targets;
use crate::resolve::{Resolved, flat};
use crate::{Experiment, Signature, Task};

/// What is the same in every program.
const TEMPLATE: &str = include_str!("train.py.txt");

const SIN: &str = "\
class Sin(nn.Module):
    def forward(self, x):
        return torch.sin(x)
";
const RESIDUAL: &str = "\
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)
";
const CONCAT: &str = "\
class Concat(nn.ModuleList):
    def __init__(self, *branches):
        super().__init__(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=-1)
";

/// The text of `train.py`. It stands beside `init.safetensors` (the initial weights by their `state_dict` names) and
/// `data.safetensors` (`train.x`, `train.y`, `validation.x`, `validation.y` where there is one, and `indices` `[steps,
/// batch]`), and takes the same steps as this engine.
///
/// # Errors
/// As [`crate::check`].
pub fn train_py(experiment: &Experiment, signature: &Signature) -> Result<String, UserError> {
    let model = resolved(experiment, signature)?;
    let values = [
        ("@NAME@", comment(&experiment.name)),
        ("@HELPERS@", helpers(&model)),
        ("@MODEL@", lines(&experiment.model, &model)),
        ("@LOSS@", experiment.loss.def().torch()),
        ("@RIGHT@", right(experiment, signature)?),
        ("@OPTIMIZER@", optimizer(experiment)),
        ("@SEED@", experiment.seed.to_string()),
        ("@STEPS@", experiment.training.steps.map_or("None".to_string(), |steps| steps.to_string())),
        ("@BATCH@", experiment.training.batch_size.to_string()),
        ("@RATE@", rate(experiment)),
        ("@FORM@", experiment.schedule.def().python()),
        ("@GRADIENTS@", gradients(experiment)),
    ];
    // The name comes first and is the only text of the user's own: what it contains is not replaced again.
    let (head, tail) = TEMPLATE.split_once(values[0].0).unwrap_or(("", TEMPLATE));
    let tail = values[1..].iter().fold(tail.to_string(), |text, (mark, value)| text.replace(mark, value));
    Ok(format!("{head}{}{tail}", values[0].1))
}

/// The modules of a list of layers, separated by commas.
pub(crate) fn modules(layers: &[Layer], at: &[Resolved]) -> String {
    layers.iter().zip(at).map(|(layer, at)| layer.def().torch(at)).collect::<Vec<_>>().join(", ")
}

fn lines(layers: &[Layer], at: &[Resolved]) -> String {
    layers.iter().zip(at).map(|(layer, at)| format!("        {},\n", layer.def().torch(at))).collect()
}

/// A name that cannot leave the comment or string it stands in.
fn comment(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    if plain.trim().is_empty() { "An experiment".to_string() } else { plain }
}

/// Classes for what `torch.nn` has no module for.
fn helpers(model: &[Resolved]) -> String {
    let used = |name: &str| flat(model).iter().any(|layer| layer.name == name);
    let all = [("sin", SIN), ("residual", RESIDUAL), ("concat", CONCAT)];
    all.into_iter().filter(|(name, _)| used(name)).map(|(_, class)| format!("\n\n{class}")).collect()
}

/// The rows predicted right, as the accuracy counts them; nothing for numbers.
fn right(experiment: &Experiment, signature: &Signature) -> Result<String, UserError> {
    Ok(match (signature.task, experiment.loss.targets(signature)?) {
        (Task::Regression, _) => "None".to_string(),
        (Task::Classification, Targets::Classes) => "output.argmax(dim=-1) == y".to_string(),
        (Task::Classification, _) => "(output > 0) == (y > 0.5)".to_string(),
    })
}

fn optimizer(experiment: &Experiment) -> String {
    let def = experiment.optimizer.def();
    let coupled = if def.coupled_decay() { experiment.training.l2 } else { 0.0 };
    format!("{}, lr={})", def.torch(coupled), def.lr())
}

/// Base rate, warm-up and length of the schedule after it.
fn rate(experiment: &Experiment) -> String {
    let warmup = experiment.schedule.def().warmup();
    let total = match experiment.training.steps {
        Some(steps) => steps.saturating_sub(warmup).max(1).to_string(),
        None => "math.inf".to_string(),
    };
    format!("{}, {warmup}, {total}", experiment.optimizer.lr())
}

/// What happens to gradients before the optimizer sees them: clipping by norm, clipping by value, penalties.
fn gradients(experiment: &Experiment) -> String {
    let training = &experiment.training;
    let mut text = String::new();
    if let Some(limit) = training.clip_norm {
        text += &format!("        nn.utils.clip_grad_norm_(model.parameters(), {limit})\n");
    }
    if let Some(limit) = training.clip_value {
        text += &format!("        nn.utils.clip_grad_value_(model.parameters(), {limit})\n");
    }
    let coupled = experiment.optimizer.def().coupled_decay();
    let penalties = [("p.sign()", training.l1), ("p", if coupled { 0.0 } else { training.l2 })];
    for (what, factor) in penalties.into_iter().filter(|(_, factor)| *factor > 0.0) {
        text += "        with torch.no_grad():\n            for p in model.parameters():\n";
        text += &format!("                p.grad.add_({what}, alpha={factor})\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    fn exported(json: &str) -> String {
        let experiment = Experiment::parse(json).unwrap().experiment;
        train_py(&experiment, &Signature::of(&experiment.data).unwrap()).unwrap()
    }

    #[test]
    fn every_preset_becomes_a_program_without_gaps() {
        for preset in presets::all() {
            let text = exported(preset.json);
            assert!(text.contains(preset.title) && !text.contains('@'), "{}:\n{text}", preset.id);
        }
    }

    #[test]
    fn a_program_says_what_the_experiment_says() {
        let text = exported(
            r#"{ "name": "\"\"\" @LOSS@", "seed": 5, "data": "xor",
                 "model": [{ "residual": [{ "linear": { "out": 2 } }, "sin"] }, { "linear": { "out": "classes", "bias": false } }],
                 "optimizer": { "adamw": { "lr": 0.02 } }, "schedule": { "cosine": { "warmup": 3 } },
                 "training": { "steps": 50, "clip_norm": 1, "l1": 0.1, "l2": 0.2 } }"#,
        );
        for line in [
            "        Residual(nn.Linear(2, 2), Sin()),\n        nn.Linear(2, 2, bias=False),\n",
            "torch.optim.AdamW(model.parameters(), betas=(0.9, 0.999), eps=0.00000001, weight_decay=0.01, lr=0.02)",
            "lr, warmup, total = 0.02, 3, 47",
            "clip_grad_norm_(model.parameters(), 1)",
            "p.grad.add_(p.sign(), alpha=0.1)",
            "p.grad.add_(p, alpha=0.2)",
            "class Residual(nn.Sequential):",
            " @LOSS@",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
