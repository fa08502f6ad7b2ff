//! The training runs that are measured: their sizes are those that every measured engine has.

use downhill_compile::Plan;
use downhill_data::Dataset;
use downhill_model::Experiment;
use downhill_tensor::UserError;
use serde_json::{Value as Json, json};

use super::samples::{TOKENS, circles, images, tokens};
use crate::session::Session;

/// All of them.
pub(super) const TRAINED: [&str; 8] = ["mlp-s-10", "mlp-s-128", "mlp-l", "cnn", "lstm", "gru", "rnn", "gpt-s"];

/// What a workload trains: rows of a step, learning rate, data and layers.
struct Workload {
    batch: usize,
    lr: f64,
    data: Dataset,
    model: Json,
    loss: &'static str,
}

/// One training run of a workload, ready to start.
///
/// # Errors
/// When there is no workload of this name.
pub fn session(workload: &str) -> Result<Session, UserError> {
    let Some(Workload { batch, lr, data, model, loss }) = named(workload) else {
        let known = TRAINED.join(", ");
        return Err(UserError::new(format!("There is no workload `{workload}`.")).hint(format!("There are {known}.")));
    };
    let experiment = json!({
        "version": 1, "seed": 1, "data": "circles", "model": model, "loss": loss, "optimizer": { "adam": { "lr": lr } },
        "training": { "batch_size": batch, "eval_every": 1_000_000 }, "view": { "pace": "max" },
    });
    Session::with_data(Experiment::from_value(&experiment)?.experiment, data)
}

/// The plan of a workload's training step.
///
/// # Errors
/// When there is no workload of this name.
pub fn plan(workload: &str) -> Result<Plan, UserError> {
    let machine = session(workload)?.machine;
    machine.engine().plan(machine.train().id).cloned().ok_or_else(|| UserError::new("The training program is not loaded."))
}

fn named(workload: &str) -> Option<Workload> {
    let linear = |out: usize, std: f64| json!({ "linear": { "out": out, "init": { "normal": { "std": std } } } });
    let small = |batch| Workload {
        batch,
        lr: 0.01,
        data: circles(batch),
        model: json!([linear(8, 0.7), "tanh", linear(8, 0.35), "tanh", linear(1, 0.35), "tanh"]),
        loss: "mse",
    };
    let conv = |channels: usize| json!({ "conv2d": { "out_channels": channels, "kernel_size": 3, "padding": "same" } });
    let halve = || json!({ "max_pool2d": { "kernel_size": 2 } });
    let recurrent = |cell: &str| Workload {
        batch: 32,
        lr: 0.002,
        data: tokens(32, 64),
        model: json!([{ "embedding": { "dim": 64 } }, { cell: { "hidden_size": 128, "output": "all" } }, { "linear": { "out": TOKENS } }]),
        loss: "cross_entropy",
    };
    Some(match workload {
        "mlp-s-10" => small(10),
        "mlp-s-128" => small(128),
        "mlp-l" => Workload {
            batch: 128,
            lr: 0.001,
            data: images(128),
            model: json!([linear(512, 0.05), "relu", linear(256, 0.06), "relu", linear(10, 0.08)]),
            loss: "cross_entropy",
        },
        "cnn" => Workload {
            batch: 64,
            lr: 0.001,
            data: images(64),
            model: json!([
                { "reshape": { "channels": 1, "height": 28, "width": 28 } },
                conv(16), "relu", halve(), conv(32), "relu", halve(), "flatten", { "linear": { "out": 10 } },
            ]),
            loss: "cross_entropy",
        },
        "lstm" | "gru" | "rnn" => recurrent(workload),
        "gpt-s" => Workload {
            batch: 16,
            lr: 0.001,
            data: tokens(16, 64),
            model: json!([
                { "embedding": { "dim": 128 } }, "positions",
                { "repeat": { "times": 4, "body": [{ "transformer_block": { "num_heads": 4, "causal": true } }] } },
                "layer_norm", { "linear": { "out": TOKENS, "bias": false } },
            ]),
            loss: "cross_entropy",
        },
        _ => return None,
    })
}
