//! What a training step costs whatever the adapter: dispatches and pipelines, against a table.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use downhill_gpu::{Counts, counts};
use shared::networks::{large, small};

mod shared;

#[test]
fn a_training_step_takes_the_dispatches_and_pipelines_of_the_table() {
    let table = [
        ("mlp-s-10", small(10).plan().0, Counts { dispatches: 13, pipelines: 10 }),
        ("mlp-s-128", small(128).plan().0, Counts { dispatches: 13, pipelines: 10 }),
        ("mlp-l", large().plan().0, Counts { dispatches: 14, pipelines: 13 }),
    ];
    for (name, plan, expected) in table {
        let found = counts(&plan, false).unwrap();
        assert_eq!(found, expected, "{name}\n{plan}");
        // A kernel is one dispatch, but for the update of many parameters, which are checked first.
        let checked = usize::from(plan.state.parameter_len > 1 << 12);
        assert_eq!(found.dispatches, plan.steps.len() + checked, "{name}\n{plan}");
        assert!(found.pipelines <= found.dispatches, "{name}: {found:?}");
    }
}

#[test]
fn a_kernel_more_is_a_dispatch_more() {
    let plan = small(10).plan().0;
    let mut longer = plan.clone();
    longer.steps.extend(plan.steps.first().cloned());
    let (found, more) = (counts(&plan, false).unwrap(), counts(&longer, false).unwrap());
    assert_eq!((more.dispatches, more.pipelines), (found.dispatches + 1, found.pipelines));
}
