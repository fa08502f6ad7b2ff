//! What is asked about images: where the network looks.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::{Experiment, presets};
use downhill_protocol::{Event, Input, KeptWeights, Part, Query, Watch};
use downhill_train::{Edited, Session, ready};
use serde_json::json;

/// Shape and elements of a tensor.
type Found = (Vec<u32>, Vec<f32>);

fn trained(id: &str) -> Session {
    let experiment = Experiment::parse(presets::find(id).unwrap().json).unwrap().experiment;
    let mut session = Session::new(experiment, &Bundled).unwrap();
    session.step(100);
    ready(session.run_until_rest()).unwrap();
    session
}

fn answer(session: &mut Session, input: Input, names: &[&str]) -> Result<Vec<Found>, String> {
    let tensors = names.iter().map(|name| Query::all(*name)).collect();
    session.watch(Watch { key: 1, input, tensors, every_ms: 0.0 });
    let heard = loop {
        ready(session.run_until_rest()).unwrap();
        let events = session.take_events();
        let found = events.into_iter().find(|m| matches!(m.header, Event::Answer { .. } | Event::Unanswered { .. }));
        if let Some(found) = found {
            break found;
        }
    };
    match &heard.header {
        Event::Answer { tensors, .. } => Ok(tensors.iter().map(|t| (t.shape.clone(), heard.array(t.data).to_vec())).collect()),
        Event::Unanswered { error, .. } => Err(error.to_string()),
        _ => unreachable!("one of the two"),
    }
}

fn sample(row: u32) -> Input {
    Input::Samples { part: Part::Validation, rows: Some(vec![row]) }
}

fn given(image: &[f32]) -> Input {
    Input::Given(vec![image.to_vec()])
}

#[test]
fn saliency_is_the_slope_of_the_likeliest_class_by_each_pixel() {
    let mut session = trained("digits");
    let last = "model[2]";
    let found = answer(&mut session, sample(3), &["saliency", "input", "raw", last]).unwrap();
    let [(shape, slopes), (seen, input), (_, raw), (_, scores)] = &found[..] else { panic!("four tensors") };
    assert_eq!((shape, shape.iter().product::<u32>()), (seen, 64));
    let best = (0..scores.len()).reduce(|a, b| if scores[b] > scores[a] { b } else { a }).unwrap();
    for pixel in [10, 27, 36, 52] {
        let score = |session: &mut Session, by: f32| {
            let mut image = raw.clone();
            image[pixel] += by;
            let found = answer(session, given(&image), &[last, "input"]).unwrap();
            (found[0].1[best], found[1].1[pixel])
        };
        let ((low, from), (high, to)) = (score(&mut session, -0.05), score(&mut session, 0.05));
        let slope = (high - low) / (to - from);
        assert!(
            (slope - slopes[pixel]).abs() < 0.02 * slope.abs() + 0.01,
            "{pixel}: {slope} {} {}",
            slopes[pixel],
            input[pixel]
        );
    }
    let error = answer(&mut trained("majority"), sample(0), &["saliency"]).unwrap_err();
    assert!(error.contains("no gradient"), "{error}");
}

#[test]
fn each_row_of_an_occlusion_answers_for_the_image_without_its_square() {
    let mut session = trained("digits");
    let occluded = |image: Input| Input::Occluded { image: Box::new(image), side: 2, stride: 2 };
    let found = answer(&mut session, occluded(sample(5)), &["raw", "output"]).unwrap();
    let [(_, images), (shape, outputs)] = &found[..] else { panic!("two tensors") };
    assert_eq!(shape, &[17, 10]);
    for row in [0, 6] {
        let alone = answer(&mut session, given(&images[64 * row..][..64]), &["output"]).unwrap().remove(0).1;
        assert!(alone.iter().zip(&outputs[10 * row..]).all(|(a, b)| (a - b).abs() < 1e-5), "{row}");
    }
    let hidden: Vec<usize> = (0..64).filter(|&i| images[i] != images[64 * 6 + i]).collect();
    assert!(!hidden.is_empty() && hidden.iter().all(|i| [18, 19, 26, 27].contains(i)), "place 1 across and 1 down: {hidden:?}");
    let again = answer(&mut session, occluded(given(&images[..64])), &["output"]).unwrap();
    assert!(again[0].1.iter().zip(outputs).all(|(a, b)| (a - b).abs() < 1e-5), "a sample and the same drawn");
    let error = answer(&mut trained("spirals"), occluded(sample(0)), &["output"]).unwrap_err();
    assert!(error.contains("no images"), "{error}");
}

fn session(document: &serde_json::Value) -> Session {
    Session::new(Experiment::from_value(document).unwrap().experiment, &Bundled).unwrap()
}

fn metric(session: &Session, name: &str) -> Option<f64> {
    session.metrics().iter().find(|(n, _)| n == name).map(|(_, value)| *value)
}

#[test]
fn an_autoencoder_gives_its_input_again_and_another_loss_keeps_its_first_layers() {
    let decoder = json!([{ "linear": { "out": 16 } }, { "linear": { "out": "targets" } }, "sigmoid"]);
    let mut document = json!({
        "data": "digits", "model": decoder, "loss": "reconstruction",
        "optimizer": { "adam": { "lr": 0.01 } }, "training": { "batch_size": 32 },
    });
    let mut session = session(&document);
    session.step(300);
    ready(session.run_until_rest()).unwrap();
    let loss = metric(&session, "validation_loss").unwrap();
    assert!(loss < 0.035 && metric(&session, "validation_accuracy").is_none(), "{:?}", session.metrics());
    let answer = answer(&mut session, sample(3), &["raw", "output", "target"]).unwrap();
    assert_eq!(answer[0], answer[2], "what is right is what goes in");
    let squares: f32 = answer[0].1.iter().zip(&answer[1].1).map(|(a, b)| (a - b) * (a - b)).sum();
    assert!(answer[1].0 == [1, 64] && squares / 64.0 < 0.1, "{squares}");
    let Event::Loaded(info) = session.loaded().header else { panic!("it is loaded") };
    assert!(info.baseline_loss > 2.0 * loss && info.data.task == "regression", "{}", info.baseline_loss);
    document["model"] = json!([{ "linear": { "out": 16 } }, "relu", { "linear": { "out": "classes" } }]);
    document["loss"] = json!("cross_entropy");
    let classifier = Experiment::from_value(&document).unwrap().experiment;
    let edited = ready(session.edit(classifier, &Bundled, false)).unwrap();
    assert_eq!(edited, Edited::Rebuilt(KeptWeights { layers: 1, of: 2 }));
    session.step(200);
    ready(session.run_until_rest()).unwrap();
    assert!(metric(&session, "validation_accuracy").unwrap() > 0.8, "{:?}", session.metrics());
}

#[test]
fn every_pixel_has_a_class_also_in_data_without_end() {
    for endless in [false, true] {
        let mut session = session(&json!({
            "data": { "shapes": { "samples": 200, "size": 12, "answer": "mask", "endless": endless } },
            "model": [{ "conv2d": { "out_channels": 8, "padding": "same" } }, "relu", { "conv2d": { "out_channels": 5, "kernel_size": 1 } }],
            "optimizer": { "adam": { "lr": 0.02 } }, "training": { "batch_size": 16 },
        }));
        session.step(400);
        ready(session.run_until_rest()).unwrap();
        let Event::Loaded(info) = session.loaded().header else { panic!("it is loaded") };
        let (guess, learned) = (info.baseline_accuracy.unwrap(), metric(&session, "validation_accuracy").unwrap());
        assert!(info.data.of_pixels && learned > guess + 0.02, "{learned}, and {guess} is the background");
        let answer = answer(&mut session, sample(1), &["output", "target"]).unwrap();
        assert_eq!((answer[0].1.len(), answer[1].1.len()), (12 * 12 * 5, 12 * 12));
        assert!(answer[0].1.chunks(5).all(|p| (p.iter().sum::<f32>() - 1.0).abs() < 1e-4));
    }
}

#[test]
fn masks_learn_to_cover_the_right_ones_and_the_loss_of_guessing_is_that_of_constant_probabilities() {
    let mut session = session(&json!({
        "data": { "shapes": { "samples": 200, "size": 12, "answer": "mask" } },
        "model": [{ "conv2d": { "out_channels": 8, "padding": "same" } }, "relu", { "conv2d": { "out_channels": 5, "kernel_size": 1 } }],
        "loss": "dice", "optimizer": { "adam": { "lr": 0.02 } }, "training": { "batch_size": 16 },
    }));
    let Event::Loaded(info) = session.loaded().header else { panic!("it is loaded") };
    let weights = ready(session.weights(false)).unwrap();
    // A network whose last layer says the logarithms of the shares, whatever it sees.
    let labels = session.data().train.field("y").unwrap().column.words(0, usize::MAX);
    let share = |class: u32| labels.iter().filter(|label| **label == class).count() as f32 / labels.len() as f32;
    let bytes: Vec<u8> = (0..5).flat_map(|class| share(class).ln().to_le_bytes()).collect();
    let zeros = vec![0u8; 5 * 8 * 4];
    let file = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let tensors = file.iter().map(|(name, view)| {
        let data = match name {
            "2.weight" => &zeros,
            "2.bias" => &bytes,
            _ => view.data(),
        };
        (name, safetensors::tensor::TensorView::new(view.dtype(), view.shape().to_vec(), data).unwrap())
    });
    let blind = safetensors::serialize(tensors, None).unwrap();
    ready(session.load_weights(&blind)).unwrap();
    session.step(1);
    ready(session.run_until_rest()).unwrap();
    session.step(1);
    let first = session.curves().points("validation_loss").first().map(|point| point.last);
    assert!((f64::from(first.unwrap()) - info.baseline_loss).abs() < 0.02, "{first:?} {}", info.baseline_loss);
    session.step(300);
    ready(session.run_until_rest()).unwrap();
    let (learned, accuracy) = (metric(&session, "validation_loss").unwrap(), metric(&session, "validation_accuracy").unwrap());
    assert!(learned < info.baseline_loss - 0.1 && accuracy > 0.8, "{learned} {accuracy}, {} is guessed", info.baseline_loss);
}

#[test]
fn only_masks_are_compared_as_masks() {
    let document = json!({ "data": "spirals", "model": [{ "linear": { "out": "classes" } }], "loss": "dice" });
    let refused = Session::new(Experiment::from_value(&document).unwrap().experiment, &Bundled).map(|_| ()).unwrap_err();
    assert!(refused.to_string().starts_with("loss.dice: `dice` compares masks"), "{refused}");
}

#[test]
fn an_autoencoder_learns_from_images_without_end() {
    let mut session = session(&json!({
        "data": { "shapes": { "samples": 60, "size": 12, "endless": true } },
        "model": ["flatten", { "linear": { "out": 20 } }, { "linear": { "out": "targets" } }, "sigmoid"],
        "loss": "reconstruction", "optimizer": { "adam": { "lr": 0.01 } }, "training": { "batch_size": 16 },
    }));
    let before = session.loaded();
    let Event::Loaded(info) = before.header else { panic!("it is loaded") };
    session.step(300);
    ready(session.run_until_rest()).unwrap();
    assert!(metric(&session, "validation_loss").unwrap() < info.baseline_loss, "{:?}", session.metrics());
}
