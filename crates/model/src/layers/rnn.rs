//! The layer `rnn`: the plainest recurrent layer, a function of the input and the state before.

use downhill_graph::kernel::RecurrentCell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Init;
use super::recurrent::{Recurrent, States, recurrent_layer};
use crate::registry::fields;

/// The function that makes the next state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// Between −1 and 1
    #[default]
    Tanh,
    /// Zero below zero; states may grow without bound
    Relu,
}

fields! {
    /// Reads a sequence step by step: its state is a function of the step's input and of the state before.
    #[schemars(title = "Rnn")]
    Rnn {
        /// Numbers in the state.
        #[schemars(title = "Units", range(min = 1, max = 1024))]
        hidden_size: usize = 32,
        /// The function that makes the next state.
        #[schemars(title = "Function")]
        nonlinearity: Nonlinearity = Nonlinearity::Tanh,
        /// Layers on top of each other; each reads the states of the one below.
        #[schemars(title = "Layers", range(min = 1, max = 8))]
        num_layers: usize = 1,
        /// Whether a second one reads from the end to the beginning, and both give their states.
        #[schemars(title = "Both directions")]
        bidirectional: bool = false,
        /// Share of what goes from one layer to the next that is set to zero while training.
        #[schemars(title = "Dropout", range(min = 0.0, max = 0.95))]
        dropout: f64 = 0.0,
        /// What it gives of the states of all steps; steps past the end of a sequence do not count.
        #[schemars(title = "Output")]
        output: States = States::Last,
        /// Whether what inputs and states give is normed at every step.
        #[schemars(title = "Layer norm")]
        layer_norm: bool = false,
        /// How the weights from a state to the next are drawn at the start; all other weights are drawn as by default.
        #[schemars(title = "Initial recurrent weights")]
        init: Init = Init::default(),
    }
}

impl Rnn {
    fn cells(&self) -> Recurrent {
        Recurrent {
            cell: match self.nonlinearity {
                Nonlinearity::Tanh => RecurrentCell::RnnTanh,
                Nonlinearity::Relu => RecurrentCell::RnnRelu,
            },
            name: "rnn",
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            output: self.output,
            layer_norm: self.layer_norm,
            init: self.init.clone(),
            forget_bias: None,
        }
    }
}

recurrent_layer!(Rnn, "nn.RNN", |layer| match layer.nonlinearity {
    Nonlinearity::Tanh => "",
    Nonlinearity::Relu => ", nonlinearity=\"relu\"",
});
