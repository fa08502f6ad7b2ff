//! The layer `gru`: a recurrent layer whose gates decide how much of the state is new.

use downhill_graph::kernel::RecurrentCell;

use super::Init;
use super::recurrent::{Recurrent, States, recurrent_layer};
use crate::registry::fields;

fields! {
    /// Reads a sequence step by step; two gates decide how much of its state it keeps and how much of it the next one sees.
    #[schemars(title = "Gru")]
    Gru {
        /// Numbers in the state.
        #[schemars(title = "Units", range(min = 1, max = 1024))]
        hidden_size: usize = 32,
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

impl Gru {
    fn cells(&self) -> Recurrent {
        Recurrent {
            cell: RecurrentCell::Gru,
            name: "gru",
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

recurrent_layer!(Gru, "nn.GRU", |_| "");
