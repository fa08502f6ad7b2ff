//! Random graphs and their gradients against the interpreter.

use downhill_graph::arbitrary::{programs, training_programs};
use proptest::prelude::{ProptestConfig, proptest};

use super::check;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_program_gives_what_the_interpreter_gives(program in programs()) {
        check("random program", &program.graph, &program.env);
    }

    #[test]
    fn a_random_loss_has_the_gradients_that_the_interpreter_gives(program in training_programs()) {
        check("random loss", &program.graph, &program.env);
    }
}
