//! The same run on both backends, natively and in the browser: loss curves, moves between two steps, comparison.
//!
//! Natively these tests say that they are skipped and why where there is no adapter (Mesa's lavapipe is one), and fail there where
//! `DOWNHILL_REQUIRE_GPU` is set. In the browser WebGPU has to be there.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

mod shared;

use std::collections::BTreeSet;

use downhill_model::presets;
use downhill_protocol::{Backend, Event};
use shared::{SPIRALS, assert_curves_agree, device, losses, session};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Steps that every preset takes, and what may be computed for more, which is little: the adapter is a software one.
const FEWEST: u64 = 5;
const FLOPS: u64 = 500_000_000;

/// Every second of them from the first or the second on, for two at a time take half as long.
async fn presets_agree<const FIRST: usize>() {
    let Some(device) = device().await else { return };
    let mut seen = BTreeSet::new();
    // Shaders take their time to compile, so an example runs only if it has a layer or a loss that none before had.
    let chosen = presets::all().iter().filter_map(|preset| {
        let cpu = session(preset.json);
        let Event::Loaded(told) = cpu.loaded().header else { return None };
        // In a browser a test has its time: what is too large for it is tried natively alone.
        if cfg!(target_arch = "wasm32") && told.flops_per_step > FLOPS / FEWEST {
            return None;
        }
        let (experiment, layers) = (cpu.experiment(), &cpu.checked().summary.layers);
        let names: Vec<&str> = layers.iter().map(|layer| layer.name).chain([experiment.loss.name()]).collect();
        let is_normed = names.contains(&"batch_norm");
        let news = names.into_iter().filter(|name| seen.insert(*name)).count();
        (news > 0).then_some((preset, cpu, told.flops_per_step, is_normed))
    });
    for (preset, mut cpu, flops, is_normed) in chosen.skip(FIRST).step_by(2) {
        let mut gpu = session(preset.json);
        gpu.move_to(Some(&device)).await.unwrap();
        // A software adapter takes its time for the large ones; with a rate that is high on purpose, and where a norm divides by what is
        // small at first, rounding grows from step to step.
        let most = if preset.id == "too_fast" || is_normed { FEWEST } else { 50 };
        let steps = (FLOPS / flops.max(1)).clamp(FEWEST, most);
        assert_curves_agree(preset.id, &losses(&mut cpu, steps).await, &losses(&mut gpu, steps).await);
    }
}

async fn moves_lose_nothing() {
    let Some(device) = device().await else { return };
    let (mut straight, mut moved) = (session(SPIRALS), session(SPIRALS));
    let cpu = losses(&mut straight, 60).await;
    let mut mixed = losses(&mut moved, 20).await;
    moved.move_to(Some(&device)).await.unwrap();
    assert_eq!((moved.step_count(), moved.backend()), (20, Backend::Gpu));
    mixed.extend(losses(&mut moved, 20).await);
    moved.move_to(None).await.unwrap();
    assert_eq!((moved.step_count(), moved.backend()), (40, Backend::Cpu));
    mixed.extend(losses(&mut moved, 20).await);
    assert_curves_agree("moved", &cpu, &mixed);
}

async fn comparing_is_harmless() {
    let Some(device) = device().await else { return };
    let mut session = session(SPIRALS);
    losses(&mut session, 10).await;
    let before = session.snapshot().await.unwrap();
    let comparison = session.compare(&device, 20).await.unwrap();
    assert_eq!(session.snapshot().await.unwrap(), before);
    assert_eq!(comparison.steps, 20);
    // Four parameters with two slots each.
    assert_eq!(comparison.rows.len(), 12);
    assert!(comparison.rows[0].relative < 1e-3, "{:?}", comparison.rows[0]);
    assert!((comparison.loss.0 - comparison.loss.1).abs() < 1e-4 * comparison.loss.0, "{:?}", comparison.loss);
}

macro_rules! both {
    ($($name:ident => $test:expr),* $(,)?) => { $(
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            downhill_train::ready(($test)());
        }

        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            ($test)().await;
        }
    )* };
}

both! {
    presets_with_every_layer_and_loss_have_the_same_curve_on_both => presets_agree::<0>,
    the_other_half_of_them_has_too => presets_agree::<1>,
    a_run_moves_to_the_gpu_and_back_without_losing_a_step => moves_lose_nothing,
    comparing_leaves_the_run_as_it_is_and_finds_small_differences => comparing_is_harmless,
}
