//! Initial weights: the numbers that layers say how to draw, drawn.

use downhill_tensor::rng::{Rng, Stream};

use crate::check::Checked;
use crate::layers::Draw;
use crate::layers::def::{elements, flat};

/// A parameter before training.
#[derive(Clone, Debug, PartialEq)]
pub struct InitialParameter {
    /// Key in the `state_dict`.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Vec<f32>,
}

/// The initial weights of an experiment, in the order in which its programs declare them. A parameter's numbers depend on the
/// seed, its name and its shape alone, so that a layer added behind it leaves them as they are.
pub fn init_parameters(checked: &Checked) -> Vec<InitialParameter> {
    let parameters = flat(&checked.layers).into_iter().flat_map(|layer| layer.parameters.clone());
    parameters
        .map(|p| {
            let values = draw(checked.experiment.seed, &p.name, &p.shape, p.draw);
            InitialParameter { name: p.name, shape: p.shape, values }
        })
        .collect()
}

fn draw(seed: u32, name: &str, shape: &[usize], draw: Draw) -> Vec<f32> {
    let mut rng = Rng::new(seed, Stream::Init, hash(name));
    let len = elements(shape) as usize;
    if let Draw::Orthogonal(gain) = draw {
        let drawn = (0..len).map(|_| rng.normal()).collect();
        return orthogonal(drawn, shape.first().copied().unwrap_or(1), gain);
    }
    (0..len)
        .map(|i| match draw {
            Draw::Constant(value) => value as f32,
            Draw::Uniform(bound) => rng.range(-bound, bound) as f32,
            Draw::Orthogonal(_) => 0.0,
            Draw::Normal(std) => (std * rng.normal()) as f32,
            Draw::NormalAround { std, zeros: (from, to) } => {
                let drawn = (std * rng.normal()) as f32;
                if (from..to).contains(&i) { 0.0 } else { drawn }
            }
            Draw::UniformAround { bound, fixed: (from, to), value } => {
                let drawn = rng.range(-bound, bound) as f32;
                if (from..to).contains(&i) { value as f32 } else { drawn }
            }
        })
        .collect()
}

/// Turns a drawn matrix of so many rows into one whose rows (or columns, where there are fewer) are orthogonal and of length `gain`, as
/// `torch.nn.init.orthogonal_` does with the Q of a QR decomposition whose R has a positive diagonal: modified Gram–Schmidt, which gives
/// that Q, done twice so that rounding leaves nothing behind.
fn orthogonal(drawn: Vec<f64>, rows: usize, gain: f64) -> Vec<f32> {
    let columns = drawn.len() / rows.max(1);
    let (count, length) = (rows.min(columns), rows.max(columns));
    let at = |vector: usize, i: usize| if rows <= columns { vector * columns + i } else { i * columns + vector };
    let mut vectors: Vec<Vec<f64>> = (0..count).map(|v| (0..length).map(|i| drawn[at(v, i)]).collect()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for v in 0..count {
        let (before, rest) = vectors.split_at_mut(v);
        let vector = &mut rest[0];
        for _ in 0..2 {
            for other in before.iter() {
                let along = dot(other, vector);
                vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let size = libm::sqrt(dot(vector, vector)).max(f64::MIN_POSITIVE);
        vector.iter_mut().for_each(|x| *x /= size);
    }
    let mut values = vec![0.0; drawn.len()];
    for (v, vector) in vectors.iter().enumerate() {
        for (i, x) in vector.iter().enumerate() {
            values[at(v, i)] = (gain * x) as f32;
        }
    }
    values
}

/// FNV-1a, 32 bits.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |state: u32, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Experiment, Signature, check};

    fn parameters(model: Value) -> Vec<InitialParameter> {
        let document = json!({ "data": "spirals", "seed": 3, "model": model });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        init_parameters(&check(experiment, signature).unwrap())
    }

    fn moments(init: Value) -> (f64, f64) {
        let model =
            json!([{ "linear": { "out": 500 } }, { "linear": { "out": 300, "init": init } }, { "linear": { "out": 2 } }]);
        let values = &parameters(model)[2].values;
        let largest = values.iter().fold(0f32, |m, v| m.max(v.abs()));
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
        (f64::from(largest), variance.sqrt())
    }

    #[test]
    fn initialisers_draw_from_the_distributions_of_torch_nn_init() {
        let uniform = |bound: f64| (bound, bound / 3f64.sqrt());
        let close = |(a, b): (f64, f64), (c, d): (f64, f64)| (a / c - 1.0).abs() < 0.01 && (b / d - 1.0).abs() < 0.01;
        assert!(close(moments(json!("default")), uniform(1.0 / 500f64.sqrt())));
        assert!(close(moments(json!("xavier_uniform")), uniform((6f64 / 800.0).sqrt())));
        assert!(close(moments(json!("kaiming_uniform")), uniform((6f64 / 500.0).sqrt())));
        assert!(close(moments(json!({ "uniform": { "bound": 0.3 } })), uniform(0.3)));
        for (init, std) in [
            (json!("xavier_normal"), (2f64 / 800.0).sqrt()),
            (json!("kaiming_normal"), (2f64 / 500.0).sqrt()),
            (json!({ "normal": { "std": 0.5 } }), 0.5),
        ] {
            assert!((moments(init).1 / std - 1.0).abs() < 0.01);
        }
        assert_eq!(moments(json!("zeros")), (0.0, 0.0));
    }

    #[test]
    fn orthogonal_weights_keep_lengths() {
        for (inputs, outputs) in [(7, 3), (3, 7), (64, 64), (1, 1), (1, 5)] {
            let layer = json!({ "linear": { "out": outputs, "init": { "orthogonal": { "gain": 1.5 } } } });
            let all = parameters(json!([{ "linear": { "out": inputs } }, layer, { "linear": { "out": 2 } }]));
            let w = |i: usize, j: usize| f64::from(all[2].values[i * inputs + j]);
            let few = inputs.min(outputs);
            for a in 0..few {
                for b in 0..few {
                    let product: f64 = match outputs <= inputs {
                        true => (0..inputs).map(|k| w(a, k) * w(b, k)).sum(),
                        false => (0..outputs).map(|k| w(k, a) * w(k, b)).sum(),
                    };
                    let expected = if a == b { 2.25 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "{inputs} to {outputs}: {a} {b} {product}");
                }
            }
        }
    }

    #[test]
    fn a_recurrent_layer_draws_only_what_leads_from_state_to_state_as_it_is_told() {
        let drawn = |cell: &str, init: Value| {
            let layer = json!({ cell: { "hidden_size": 5, "bidirectional": true, "init": init } });
            let document =
                json!({ "data": "adding", "seed": 3, "loss": "mse", "model": [layer, { "linear": { "out": "targets" } }] });
            let experiment = Experiment::from_value(&document).unwrap().experiment;
            let signature = Signature::of(&experiment.data).unwrap();
            init_parameters(&check(experiment, signature).unwrap())
        };
        for cell in ["rnn", "lstm", "gru"] {
            let (plain, told) = (drawn(cell, json!("default")), drawn(cell, json!({ "orthogonal": { "gain": 1.5 } })));
            for (plain, told) in plain.iter().zip(&told) {
                let recurrent = plain.name.contains("weight_hh");
                assert_eq!(plain.values == told.values, !recurrent, "{cell} {}", plain.name);
                for (a, b) in (0..25).map(|i| (i / 5, i % 5)).filter(|_| recurrent) {
                    let product: f32 = told.values.chunks(5).map(|row| row[a] * row[b]).sum();
                    assert!((product - if a == b { 2.25 } else { 0.0 }).abs() < 1e-5, "{cell} {}: {a} {b}", told.name);
                }
            }
        }
    }

    #[test]
    fn a_layer_added_behind_leaves_the_weights_before_it_as_they_are() {
        let short = parameters(json!([{ "linear": { "out": 4 } }, "tanh", { "linear": { "out": 2 } }]));
        let long =
            parameters(json!([{ "linear": { "out": 4 } }, "tanh", { "linear": { "out": 9 } }, { "linear": { "out": 2 } }]));
        assert_eq!(short[..2], long[..2]);
        let names: Vec<&str> = short.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    }

    #[test]
    fn initial_weights_are_pinned_because_links_carry_only_a_seed() {
        let first = &parameters(json!([{ "linear": { "out": 2 } }]))[0];
        assert_eq!(first.shape, [2, 2]);
        assert_eq!(first.values, PINNED);
    }

    const PINNED: [f32; 4] = [0.48604125, -0.0280902, 0.45493242, -0.3960933];
}
