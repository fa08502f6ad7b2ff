//! An experiment as a PyTorch program. Layers, losses, optimizers and schedules say themselves what they are there; this puts it together.

use std::collections::BTreeSet;

use downhill_data::{ByteLevel, Language, Rule, Tokenizer};

use crate::check::Checked;
use crate::layers::Layer;
use crate::layers::def::Resolved;
use crate::losses::Targets;
use crate::optimizers::matrices::matrices;
use crate::schedules::ReduceOnPlateau;
use crate::{Experiment, Task};

/// What is the same in every program.
const TEMPLATE: &str = include_str!("train.py.txt");

/// What carries the states of recurrent layers from batch to batch.
const CARRY: &str = include_str!("carry.py.txt");

/// Says of a batch whether it goes on from the one before it.
const GO_ON: &str = "            go_on(plain, not args.shuffle and (t * ACCUMULATE + micro) % STREAM > 0)\n";

/// What continues a text.
const GENERATE: &str = include_str!("generate.py.txt");

/// What cuts a text into tokens, by the tokenizer's rule.
const ENCODE_NAMES: &str = include_str!("encode_names.py.txt");
const ENCODE_CHARACTERS: &str = include_str!("encode_characters.py.txt");
const ENCODE_BYTES: &str = include_str!("encode_bytes.py.txt");

/// How a text is asked for.
const GENERATE_ARGUMENTS: &str = r#"    parser.add_argument("--generate", metavar="PROMPT", help="continue this text with the final weights")
    parser.add_argument("--tokens", type=int, default=100, help="how many tokens to add")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 always takes the likeliest")
    parser.add_argument("--top-k", type=int, default=0, help="pick from so many of the likeliest; 0 for all")
    parser.add_argument("--top-p", type=float, default=1.0, help="pick from the likeliest that together have this probability")
    parser.add_argument("--min-p", type=float, default=0.0, help="pick from what is at least so likely, measured by the likeliest")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, help="above 1, what is there already comes again less")
    parser.add_argument("--stop", action="append", default=[], metavar="WORD", help="end before this word; may be given several times")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed picks the same tokens")
"#;

/// What is done with it.
const GENERATED: &str = r#"    if rank == 0 and args.generate is not None:
        how = (args.temperature, args.top_k, args.top_p, args.min_p, args.repetition_penalty, args.stop, args.seed)
        tokens, text = generate(average or plain, encode(args.generate), args.tokens, *how)
        print(json.dumps({"text": text, "tokens": tokens}), flush=True)
"#;

/// How it is said what texts are about, where something stands beside them.
const SAMPLE_ARGUMENT: &str =
    "    parser.add_argument(\"--sample\", type=int, nargs=\"+\", default=[0], help=\"write about these @PART@ samples\")\n";

/// What is done with that: a text for each of them, which begins with what begins all.
const GENERATED_ABOUT: &str = r#"    if rank == 0 and args.generate is not None:
        how = (args.temperature, args.top_k, args.top_p, args.min_p, args.repetition_penalty, args.stop, args.seed)
        for sample in args.sample:
            about, _ = samples(data, "@PART@", slice(sample, sample + 1))
            begin = about["@WRITTEN@"][0, :@BEGIN@].tolist()
            tokens, text = generate(average or plain, begin + encode(args.generate), args.tokens, *how, about=about)
            print(json.dumps({"text": text, "tokens": tokens}), flush=True)
"#;

/// The text of `train.py`. It stands beside `init.safetensors` (the initial weights by their `state_dict` names) and
/// `data.safetensors` (`train.<field>`, `validation.<field>` where there is one, and `indices` `[batches, batch]`; for endless data
/// `batch.<field>` with the samples of all steps instead of `indices`), and takes the same steps as this engine. Where the data is a text, it
/// can continue one.
pub fn train_py(checked: &Checked, language: Option<&Language>) -> String {
    let experiment = &checked.experiment;
    let wired = is_wired(checked);
    let (order, part) = if checked.signature.streamed {
        ("torch.arange(len(data[f\"batch.{TARGET}\"])).split(BATCH)", "batch")
    } else {
        ("data[\"indices\"]", "train")
    };
    let [arguments, generated] = language.map(|language| asked(checked, language)).unwrap_or_default();
    let spells = language.is_some_and(|language| matches!(language.tokenizer.rule(), Rule::ByteLevel(_)));
    let if_spelled = |text: &str| if spells { text.to_string() } else { String::new() };
    let follows = experiment.schedule.plateau().is_some();
    let carries = checked.signature.read_on.is_some();
    let compares = experiment.loss.compares_samples();
    let if_carried = |text: &'static str, otherwise: &'static str| if carries { text } else { otherwise }.to_string();
    let ties = !checked.ties().is_empty();
    let if_tied = |text: &str, otherwise: &str| if ties { text } else { otherwise }.to_string();
    let values = [
        ("@NAME@", comment(&experiment.name)),
        ("@RE@", if_spelled("import re\n")),
        ("@UNICODEDATA@", if_spelled("import unicodedata\n")),
        ("@STREAMS@", streams(checked)),
        ("@TIED@", tied_names(checked)),
        ("@AND_TIED@", if_tied(" | {name: initial[of] for name, of in TIED.items()}", "")),
        (
            "@STATE@",
            if_tied("{name: t for name, t in model.state_dict().items() if name not in TIED}", "dict(model.state_dict())"),
        ),
        ("@HELPERS@", helpers(experiment, wired) + &groups(checked)),
        ("@CARRY@", if_carried(CARRY, "")),
        ("@OUTPUT@", if_carried("read_on(model, data)", "model(x)")),
        ("@MICRO@", if_carried("micro", "_")),
        ("@GO_ON@", if_carried(GO_ON, "")),
        ("@GENERATE@", language.map_or_else(String::new, |language| generate(checked, wired, language))),
        ("@GENERATE_ARGUMENTS@", arguments),
        ("@GENERATED@", generated),
        ("@MODEL@", model(checked, wired)),
        ("@INPUTS@", inputs(checked, wired)),
        ("@ORDER@", order.to_string()),
        ("@PART@", part.to_string()),
        ("@LOSS@", loss(checked)),
        ("@RIGHT@", right(checked)),
        ("@MEAN_LOSS@", if compares { MEAN_OF_BATCHES } else { "loss_of(output, y).item()" }.to_string()),
        ("@RECALL@", if compares { "    result |= recall(output, y)\n" } else { "" }.to_string()),
        ("@OPTIMIZER@", optimizer(experiment)),
        ("@AVERAGE@", average(experiment)),
        ("@TARGET@", target(checked).to_string()),
        ("@SEED@", experiment.seed.to_string()),
        ("@STEPS@", experiment.training.steps.map_or("None".to_string(), |steps| steps.to_string())),
        ("@BATCH@", experiment.training.batch_size.to_string()),
        ("@ACCUMULATE@", experiment.training.accumulate.to_string()),
        ("@LEARNING_RATE@", learning_rate(experiment)),
        ("@SET_RATE@", if follows { String::new() } else { SET_RATE.to_string() }),
        ("@SCHEDULER@", scheduler(experiment)),
        (
            "@FOLLOW@",
            if follows { FOLLOW.replace("@EVERY@", &experiment.training.eval_every.to_string()) } else { String::new() },
        ),
        ("@GRADIENTS@", gradients(experiment)),
    ];
    // The name comes first and is the only text of the user's own: what it contains is not replaced again.
    let (head, tail) = TEMPLATE.split_once(values[0].0).unwrap_or(("", TEMPLATE));
    let tail = values[1..].iter().fold(tail.to_string(), |text, (mark, value)| text.replace(mark, value));
    format!("{head}{}{tail}", values[0].1)
}

/// How texts are asked for, and what is done with that.
fn asked(checked: &Checked, language: &Language) -> [String; 2] {
    if language.input == 0 {
        return [GENERATE_ARGUMENTS, GENERATED].map(String::from);
    }
    let part = if checked.signature.validation > 0 { "validation" } else { "train" };
    let put = |text: &str| text.replace("@PART@", part).replace("@WRITTEN@", &checked.signature.written().name);
    let generated = put(GENERATED_ABOUT).replace("@BEGIN@", &language.prompt.to_string());
    [[GENERATE_ARGUMENTS, &put(SAMPLE_ARGUMENT)].concat(), generated]
}

/// How many batches, and how many windows of the validation data, follow each other.
fn streams(checked: &Checked) -> String {
    let Some(cut) = checked.signature.read_on else { return String::new() };
    let batches = cut.batches(checked.experiment.training.batch_size);
    format!(
        "# Every row of a batch goes on where it ended in the one before; after so many batches all begin anew.
STREAM = {batches}
# Windows of the validation data that follow each other.
FOLLOWING = {}
",
        cut.measured[1]
    )
}

/// The functions that continue a text.
fn generate(checked: &Checked, wired: bool, language: &Language) -> String {
    let written = checked.signature.written();
    let context = written.port.shape.iter().product::<usize>();
    let tokens: String = language.tokenizer.tokens().iter().map(|token| format!("    {},\n", bytes(token))).collect();
    let length = if language.goes_on { "True".to_string() } else { "len(tokens) <= CONTEXT".to_string() };
    let goes_on = language.end.map_or(length.clone(), |end| format!("{length} and tokens[-1] != {end}"));
    let given = match (wired, language.input) {
        (false, _) => "x".to_string(),
        (true, 0) => format!("{{\"{}\": x}}", written.name),
        (true, _) => format!("about | {{\"{}\": x}}", written.name),
    };
    let values = [
        ("@CONTEXT@", context.to_string()),
        ("@GOES_ON@", goes_on),
        ("@ANEW@", if checked.signature.read_on.is_some() { "    go_on(model, False)\n" } else { "" }.to_string()),
        // What reads on with its states alone needs no window but for a long prompt.
        ("@FIRST@", if checked.reads_on() { "max(0, given - CONTEXT) " } else { "-CONTEXT" }.to_string()),
        ("@GIVEN@", given),
        ("@ABOUT@", if language.input > 0 { ", about=None".to_string() } else { String::new() }),
        ("@BETWEEN@", if language.tokenizer.is_joined() { String::new() } else { " ".to_string() }),
        ("@TOKENS@", tokens),
    ];
    let program = GENERATE.replace("@ENCODE@", &encode(&language.tokenizer));
    values.into_iter().fold(program, |text, (mark, value)| text.replace(mark, &value))
}

/// The functions that cut a text into the tokenizer's tokens.
fn encode(tokenizer: &Tokenizer) -> String {
    match tokenizer.rule() {
        Rule::Names => ENCODE_NAMES.to_string(),
        Rule::Characters => ENCODE_CHARACTERS.to_string(),
        Rule::ByteLevel(level) => encode_bytes(level),
    }
}

fn encode_bytes(level: &ByteLevel) -> String {
    const OF_WORDS: &str = "    if piece in NUMBERS:\n        return [NUMBERS[piece]]\n";
    const BLANK: &str = "        part = part if part.startswith(\" \") or not part else \" \" + part\n";
    let pairs: Vec<String> = level.merges.pairs().iter().map(|(a, b)| format!("({a}, {b})")).collect();
    let lines: String = pairs.chunks(8).map(|pairs| format!("    {},\n", pairs.join(", "))).collect();
    let whole = if level.words {
        (OF_WORDS, "itself where it is one, or else those of its bytes")
    } else {
        ("", "those of its bytes, merged")
    };
    let values = [
        ("@ADDED@", format!("{:?}", level.added)),
        ("@MERGES@", if pairs.is_empty() { "[]".to_string() } else { format!("[\n{lines}]") }),
        ("@WHOLE@", whole.0.to_string()),
        ("@OF_PIECE@", whole.1.to_string()),
        ("@BLANK@", if level.blank_first { BLANK.to_string() } else { String::new() }),
    ];
    values.into_iter().fold(ENCODE_BYTES.to_string(), |text, (mark, value)| text.replace(mark, &value))
}

/// Bytes as Python writes them; an at sign stands in no program, for it marks what is put in.
fn bytes(token: &[u8]) -> String {
    let byte = |&byte: &u8| match byte {
        b' '..=b'~' if !matches!(byte, b'"' | b'\\' | b'@') => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    format!("b\"{}\"", token.iter().map(byte).collect::<String>())
}

fn lines(layers: &[Layer], at: &[Resolved]) -> String {
    layers.iter().zip(at).map(|(layer, at)| format!("        {},\n", layer.def().torch(at))).collect()
}

/// A name that cannot leave the comment or string it stands in.
fn comment(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    if plain.trim().is_empty() { "An experiment".to_string() } else { plain }
}

/// Whether a layer reads something else than what comes before it: its expression then says `wires`.
fn is_wired(checked: &Checked) -> bool {
    checked.signature.inputs.len() > 1 || lines(&checked.experiment.model, &checked.layers).contains("(wires")
}

/// The names that PyTorch has for such a weight beside the embedding's own.
fn tied_names(checked: &Checked) -> String {
    let names: Vec<String> = checked.ties().iter().map(|(name, weight)| format!("\"{name}\": \"{weight}\"")).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("# Weights that are those of an embedding, which files hold once.\nTIED = {{{}}}\n", names.join(", "))
}

/// The body of the function that makes the model.
fn model(checked: &Checked, wired: bool) -> String {
    let lines = lines(&checked.experiment.model, &checked.layers);
    let made = if wired {
        let first = &checked.signature.first().name;
        format!("    wires = {{}}\n    return Wired(\n        wires,\n        \"{first}\",\n{lines}    )")
    } else {
        format!("    return nn.Sequential(\n{lines}    )")
    };
    let module = |weight: &str| format!("model.get_submodule(\"{}\").weight", weight.strip_suffix(".weight").unwrap_or(weight));
    let shared = |(name, weight): &(String, &str)| format!("    {} = {}\n", module(name), module(weight));
    let mut then: String = checked.ties().iter().map(shared).collect();
    let frozen = checked.experiment.training.frozen;
    if frozen > 0 {
        then += &format!("    for layer in list(model)[:{frozen}]:\n        layer.requires_grad_(False)\n");
    }
    if then.is_empty() { made } else { format!("{}\n{then}    return model", made.replace("    return ", "    model = ")) }
}

/// What the model is given: one tensor, or several by name.
fn inputs(checked: &Checked, wired: bool) -> String {
    let field = |name: &str| format!("data[f\"{{part}}.{name}\"][rows]");
    if !wired {
        return field(&checked.signature.first().name);
    }
    let feeds = checked.feeds();
    let names = feeds.iter().filter(|feed| !feed.target).map(|feed| format!("\"{}\": {}", feed.name, field(&feed.name)));
    format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
}

const WIRED: &str = "\
class Wired(nn.Sequential):
    def __init__(self, wires, first, *layers):
        super().__init__(*layers)
        self.wires, self.first = wires, first

    def forward(self, inputs):
        self.wires.clear()
        self.wires.update(inputs)
        return super().forward(inputs[self.first])
";

/// Classes for what PyTorch has none for, each once.
fn helpers(experiment: &Experiment, wired: bool) -> String {
    let mut classes = BTreeSet::new();
    classes.extend(wired.then_some(WIRED));
    classes.extend(experiment.optimizer.def().torch_helper());
    classes.extend(experiment.loss.def().torch_helper());
    collect_helpers(&experiment.model, &mut classes);
    classes.into_iter().map(|class| format!("\n\n{class}")).collect()
}

fn collect_helpers(model: &[Layer], classes: &mut BTreeSet<&'static str>) {
    for layer in model {
        classes.extend(layer.def().torch_helper());
        classes.extend(layer.def().torch_parts());
        layer.branches().into_iter().for_each(|branch| collect_helpers(branch, classes));
    }
}

/// The field that outputs are compared with.
fn target(checked: &Checked) -> &str {
    if checked.targets == Targets::Input { &checked.signature.first().name } else { downhill_data::TARGET }
}

/// What compares outputs with targets; with an answer at every position, all positions of a batch alike. PyTorch takes pixels as they are.
fn loss(checked: &Checked) -> String {
    let loss = checked.experiment.loss.def().torch();
    if checked.signature.positions.is_empty() || checked.signature.of_pixels() {
        return loss;
    }
    format!("lambda output, y: {loss}(output.flatten(0, -2), y.flatten())")
}

/// The mean loss where the samples of a batch are compared with each other.
const MEAN_OF_BATCHES: &str =
    "sum(loss_of(*batch).item() * len(batch[1]) for batch in zip(output.split(BATCH), y.split(BATCH))) / len(y)";

/// The rows predicted right, as the accuracy counts them; nothing where there are no classes.
fn right(checked: &Checked) -> String {
    match (checked.signature.task, checked.targets) {
        (Task::Regression | Task::Retrieval, _) => "None".to_string(),
        (Task::Classification, Targets::Classes) if checked.signature.of_pixels() => {
            "(output.argmax(dim=1) == y)[y >= 0]".to_string()
        }
        (Task::Classification, Targets::Classes) if !checked.signature.positions.is_empty() => {
            "(output.argmax(dim=-1) == y)[y >= 0]".to_string()
        }
        (Task::Classification, Targets::Classes) => "output.argmax(dim=-1) == y".to_string(),
        (Task::Classification, _) => "(output > 0) == (y > 0.5)".to_string(),
    }
}

/// Biases and the factors of norms do not decay.
const PARAMETER_GROUPS: &str = "[\
    {\"params\": [p for p in model.parameters() if p.ndim > 1]}, \
    {\"params\": [p for p in model.parameters() if p.ndim < 2], \"weight_decay\": 0}]";

/// The parameter groups of an optimizer that treats matrices otherwise; empty for the others.
fn groups(checked: &Checked) -> String {
    let Experiment { optimizer, training, .. } = &checked.experiment;
    let Some([of_matrices, of_others]) = optimizer.def().torch_matrices() else { return String::new() };
    let names: String = matrices(&checked.layers).iter().map(|p| format!("    \"{}\",\n", p.name)).collect();
    let others = if training.decay_all {
        format!("{{\"params\": others, {of_others}}}")
    } else {
        format!(
            "{{\"params\": [p for p in others if p.ndim > 1], {of_others}}},
        {{\"params\": [p for p in others if p.ndim < 2], {of_others}, \"weight_decay\": 0}}"
        )
    };
    format!(
        "

# The matrices of hidden layers.
MATRICES = [
{names}]


def parameter_groups(model):
    named = [(name.removeprefix(\"module.\"), p) for name, p in model.named_parameters()]
    matrices, others = ([p for name, p in named if (name in MATRICES) == which] for which in (True, False))
    return [
        {{\"params\": matrices, {of_matrices}}},
        {others},
    ]
"
    )
}

fn optimizer(experiment: &Experiment) -> String {
    let def = experiment.optimizer.def();
    let coupled = if def.coupled_decay() { experiment.training.l2 } else { 0.0 };
    let call = format!("{}, lr={})", def.torch(coupled), def.lr());
    if def.torch_matrices().is_some() {
        return call.replace("model.parameters()", "parameter_groups(model)");
    }
    if experiment.training.decay_all { call } else { call.replace("model.parameters()", PARAMETER_GROUPS) }
}

/// The model whose weights are averages of the trained ones.
fn average(experiment: &Experiment) -> String {
    experiment.training.ema.map_or("None".to_string(), |decay| {
        let averaging = "torch.optim.swa_utils.get_ema_multi_avg_fn";
        format!("torch.optim.swa_utils.AveragedModel(model, multi_avg_fn={averaging}({decay}))")
    })
}

/// Gives a step its rate.
const SET_RATE: &str = "        for group in optimizer.param_groups:\n            group[\"lr\"] = learning_rate(t)\n";

/// Lets the rate follow the validation loss, the same in all processes.
const FOLLOW: &str = r#"        if (t + 1) % @EVERY@ == 0:
            validation = torch.tensor(evaluate(average or plain, loss_of, data)["validation_loss"], device=args.device)
            plain.train()
            if world > 1:
                torch.distributed.broadcast(validation, 0)
            scheduler.step(validation.item())
"#;

/// What follows the validation loss.
fn scheduler(experiment: &Experiment) -> String {
    experiment.schedule.plateau().map_or_else(String::new, |rule| {
        let ReduceOnPlateau { factor, patience, threshold, cooldown, min_lr } = rule;
        let fields =
            format!("factor={factor}, patience={patience}, threshold={threshold}, cooldown={cooldown}, min_lr={min_lr}");
        format!("    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, {fields})\n")
    })
}

/// The function that gives a step's rate; nothing where the optimizer's own rate follows the validation loss.
fn learning_rate(experiment: &Experiment) -> String {
    if experiment.schedule.plateau().is_some() {
        return String::new();
    }
    let (rate, form) = (rate(experiment), experiment.schedule.def().python());
    format!(
        "def learning_rate(t):
    \"\"\"The rate of step t; 0 is the first.\"\"\"
    lr, warmup, total = {rate}
    if t < warmup:
        return lr * (t + 1) / (warmup + 1)
    s = t - warmup
    return {form}


"
    )
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
        text += "        with torch.no_grad():\n            for p in filter(lambda p: p.requires_grad, model.parameters()):\n";
        text += &format!("                p.grad.add_({what}, alpha={factor})\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use downhill_data::Tokens;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Loss, Optimizer, Schedule, Signature, check, presets};

    fn exported(json: &str) -> String {
        let experiment = Experiment::parse(json).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        // Sources with an outline are no text, and take a while to make.
        let made = experiment.data.outline().is_none().then(|| experiment.data.build(1, &downhill_data::Bundled).unwrap());
        let language = made.and_then(|set| set.language);
        train_py(&check(experiment, signature).unwrap(), language.as_ref())
    }

    /// A program for each layer, loss, optimizer and schedule there is, with what it is.
    fn programs_of_everything() -> Vec<(String, String)> {
        let whole = |(model, data): (Value, &str)| json!({ "data": data, "model": model, "training": { "steps": 9 } });
        let mut documents: Vec<(String, Value)> =
            Layer::NAMES.iter().map(|name| (format!("layer {name}"), whole(crate::layers::example(name)))).collect();
        let endless = json!({ "data": { "xor": { "endless": true } }, "model": [{ "linear": { "out": "classes" } }] });
        documents.push(("endless data".to_string(), endless));
        for (group, names) in [("loss", Loss::NAMES), ("optimizer", Optimizer::NAMES), ("schedule", Schedule::NAMES)] {
            for name in names {
                let mut document = whole(crate::layers::example("tanh"));
                document[group] = json!(name);
                if group == "loss" && *name == "dice" {
                    document["data"] = json!({ "shapes": { "answer": "mask" } });
                    document["model"] = json!([{ "conv2d": { "out_channels": 5, "kernel_size": 1 } }]);
                } else if group == "loss" && *name == "reconstruction" {
                    document["model"] = json!([{ "linear": { "out": "targets" } }]);
                } else if group == "loss" && *name == "info_nce" {
                    document = serde_json::from_str(presets::TWO_TOWERS).unwrap();
                } else if group == "loss" && !["cross_entropy", "negative_sampling"].contains(name) {
                    document["model"] = json!([{ "linear": { "out": 1 } }]);
                }
                documents.push((format!("{group} {name}"), document));
            }
        }
        documents.into_iter().map(|(what, document)| (what, exported(&document.to_string()))).collect()
    }

    /// The classes that a program makes objects of without a module before them: `Residual(…)` in `[Residual(nn.Linear(2, 2))]`.
    fn classes_used(text: &str) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (at, _) in text.match_indices('(') {
            let start = text[..at].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
            let name = &text[start..at];
            let bare = !text[..start].ends_with(['.', '"']) && !text[..start].ends_with("class ");
            if bare && name.starts_with(|c: char| c.is_uppercase()) {
                used.insert(name.to_string());
            }
        }
        used
    }

    #[test]
    fn every_class_that_a_program_uses_stands_in_it_whatever_the_layers() {
        for (what, text) in programs_of_everything() {
            let imported = ["Path"];
            for class in classes_used(&text).iter().filter(|class| !imported.contains(&class.as_str())) {
                assert!(text.contains(&format!("class {class}(")), "{what}: there is no class {class} in\n{text}");
            }
            assert!(!text.contains('@'), "{what}");
        }
        assert_eq!(classes_used("x = Residual(nn.Linear(2, Sin()))"), ["Residual", "Sin"].map(String::from).into());
    }

    #[test]
    fn python_compiles_every_program() {
        const COMPILE: &str = "import sys\nfor text in sys.stdin.read().split(chr(0)): compile(text, 'train.py', 'exec')";
        let mut python = Command::new("python3");
        python.args(["-c", COMPILE]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let Ok(mut child) = python.spawn() else {
            eprintln!("skipped: there is no python3 here");
            return;
        };
        let programs: Vec<String> = programs_of_everything().into_iter().map(|(_, text)| text).collect();
        assert!(programs.len() > 20);
        child.stdin.take().unwrap().write_all(programs.join("\0").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Texts of letters, signs and white space of many kinds, the same every time.
    fn texts() -> Vec<String> {
        const PARTS: [&str; 24] = [
            "the ",
            "then",
            " sea",
            "it's",
            "'ll",
            " 12",
            "½Ⅷ",
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            "\u{a0}",
            "\u{1c}",
            "—",
            "?!",
            "שלום ",
            "مَرْحَبًا",
            "नमस्ते",
            "🚢",
            "👩‍🚀",
            "größe",
            "<|end|>",
            "中文",
        ];
        let mut state = 7u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        (0..300).map(|_| (0..next(12)).map(|_| PARTS[next(PARTS.len())]).collect()).collect()
    }

    /// The tokenizers that a program may have to cut a text as.
    fn tokenizers(texts: &[String]) -> Vec<Tokenizer> {
        let all = texts.concat();
        let kinds = [Tokens::Characters, Tokens::Bytes, Tokens::Words, Tokens::Bpe];
        let mut all: Vec<Tokenizer> = kinds.into_iter().map(|kind| Tokenizer::learn(kind, 400, &all).unwrap()).collect();
        // One from elsewhere, with added tokens, a blank before the text, and numbers of its own.
        let mut file: Value = serde_json::from_str(&all[3].to_json().unwrap()).unwrap();
        let added = |(id, content): (usize, &str)| json!({ "id": all[3].len() + id, "content": content, "special": true });
        file["added_tokens"] = ["<|end|>", "<|end|> "].into_iter().enumerate().map(added).collect();
        file["pre_tokenizer"]["add_prefix_space"] = json!(true);
        all.push(Tokenizer::from_json(&file.to_string()).unwrap());
        all.push(Tokenizer::of_names(&["1", "2", "12", "+", "="].map(String::from)));
        all
    }

    #[test]
    fn a_program_cuts_every_text_into_the_tokens_that_it_is_cut_into_here() {
        const RUN: &str = "import json, re, sys, unicodedata
for job in json.load(sys.stdin):
    scope = {'re': re, 'sys': sys, 'unicodedata': unicodedata}
    exec(job['program'], scope)
    print(json.dumps([scope['encode'](text) for text in job['texts']]))";
        let mut python = Command::new("python3");
        python.args(["-c", RUN]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let Ok(mut child) = python.spawn() else {
            eprintln!("skipped: there is no python3 here");
            return;
        };
        let texts = texts();
        let sums = ["12+1=", "1 2 =", "", "121"].map(String::from);
        let (mut jobs, mut wanted) = (Vec::new(), Vec::new());
        for tokenizer in tokenizers(&texts) {
            let texts = if *tokenizer.rule() == Rule::Names { &sums[..] } else { &texts };
            let tokens: String = tokenizer.tokens().iter().map(|token| format!("{}, ", bytes(token))).collect();
            jobs.push(json!({ "program": format!("TOKENS = [{tokens}]\n{}", encode(&tokenizer)), "texts": texts }));
            wanted.push(texts.iter().map(|text| tokenizer.encode(text).unwrap()).collect::<Vec<_>>());
        }
        child.stdin.take().unwrap().write_all(json!(jobs).to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let said: Vec<Vec<Vec<u32>>> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(said.len(), 6);
        assert!(wanted[3].iter().flatten().any(|token| *token >= 256), "pairs are merged");
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_program_shares_the_weight_of_an_embedding_and_its_files_hold_it_once() {
        let program = |tied: bool| {
            let model = json!([{ "embedding": { "dim": 4 } }, { "linear": { "out": "classes", "tied": tied } }]);
            exported(&json!({ "data": "reverse", "model": model }).to_string())
        };
        let lines = [
            "TIED = {\"1.weight\": \"0.weight\"}\n",
            "    model.get_submodule(\"1\").weight = model.get_submodule(\"0\").weight\n    return model\n",
            "load_state_dict(initial | {name: initial[of] for name, of in TIED.items()})",
            "if name not in TIED}",
        ];
        assert!(lines.iter().all(|line| program(true).contains(line)), "{}", program(true));
        assert!(!program(false).contains("TIED") && program(false).contains("load_state_dict(initial)"));
    }

    #[test]
    fn only_a_program_of_text_continues_one() {
        let model = json!([{ "embedding": { "dim": 4 } }, { "linear": { "out": "classes" } }]);
        let program = |data: &str| exported(&json!({ "data": data, "model": model }).to_string());
        let text = program("text");
        for line in [
            "def generate(model, tokens,",
            "    b\"\\x0a\",\n    b\" \",",
            "CONTEXT = 64",
            "count > 0 and True:",
            "\"--generate\"",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(program("tinytales").contains("len(tokens) <= CONTEXT and tokens[-1] != 10:"));
        assert!(!exported(r#"{ "data": "xor", "model": [{ "linear": { "out": "classes" } }] }"#).contains("generate"));
        assert_eq!(bytes(b"a\"@\\\xff"), "b\"a\\x22\\x40\\x5c\\xff\"");
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
                 "training": { "steps": 50, "clip_norm": 1, "l1": 0.1, "l2": 0.2, "ema": 0.99 } }"#,
        );
        for line in [
            "        Residual(nn.Linear(2, 2), Sin()),\n        nn.Linear(2, 2, bias=False),\n",
            "torch.optim.AdamW(model.parameters(), betas=(0.9, 0.999), eps=0.00000001, weight_decay=0.01, lr=0.02)",
            "lr, warmup, total = 0.02, 3, 47",
            "clip_grad_norm_(model.parameters(), 1)",
            "p.grad.add_(p.sign(), alpha=0.1)",
            "p.grad.add_(p, alpha=0.2)",
            "AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))",
            "class Residual(nn.Sequential):",
            " @LOSS@",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
