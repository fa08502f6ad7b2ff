//! What workloads are trained on: the same kinds of numbers that every measured engine makes for itself.

use downhill_data::{Column, DataCard, Dataset, Field, INPUT, Normalisation, Part, TARGET, Task};

/// Batches that are cycled through.
const BATCHES: usize = 8;
/// Tokens of the sequences.
pub(super) const TOKENS: usize = 64;

/// Uniform numbers in [0, 1), by mulberry32: the generator that all measured engines share.
fn uniform(seed: u32) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x6d2b_79f5);
        let mut t = (state ^ (state >> 15)).wrapping_mul(1 | state);
        t = t.wrapping_add((t ^ (t >> 7)).wrapping_mul(61 | t)) ^ t;
        f64::from(t ^ (t >> 14)) / 4_294_967_296.0
    }
}

fn normal_from(next: &mut impl FnMut() -> f64) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - next()));
    radius * libm::cos(std::f64::consts::TAU * next())
}

pub(super) fn normal(count: usize, std: f64, seed: u32) -> Vec<f32> {
    let mut next = uniform(seed);
    (0..count).map(|_| (std * normal_from(&mut next)) as f32).collect()
}

/// The circle of the 2-D playgrounds: the first class in the ring, the second inside.
pub(super) fn circles(batch: usize) -> Dataset {
    let mut next = uniform(1);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES * batch {
        let inner = next() < 0.5;
        let radius = if inner { next() * 0.5 } else { 0.7 + 0.3 * next() };
        let angle = next() * std::f64::consts::TAU;
        x.extend([(radius * libm::cos(angle)) as f32, (radius * libm::sin(angle)) as f32]);
        y.push(u32::from(inner));
    }
    rows(2, 2, x, y)
}

/// Ten classes of 28 × 28 images: a prototype and noise.
pub(super) fn images(batch: usize) -> Dataset {
    const PIXELS: usize = 784;
    let prototypes: Vec<Vec<f32>> = (0..10).map(|class| normal(PIXELS, 1.0, 100 + class)).collect();
    let mut next = uniform(2);
    let (mut x, mut y) = (Vec::with_capacity(BATCHES * batch * PIXELS), Vec::new());
    for _ in 0..BATCHES * batch {
        let class = (next() * 10.0) as usize;
        x.extend(prototypes[class].iter().map(|p| (0.3 * f64::from(*p) + 0.5 * normal_from(&mut next)) as f32));
        y.push(class as u32);
    }
    rows(PIXELS, 10, x, y)
}

/// Sequences of a chain in which four tokens may follow each, some more often; to be predicted is the next one.
pub(super) fn tokens(batch: usize, steps: usize) -> Dataset {
    let mut next = uniform(3);
    let mut draw = |below: usize| (next() * below as f64) as usize;
    let successors: Vec<[usize; 4]> = (0..TOKENS).map(|_| [(); 4].map(|()| draw(TOKENS))).collect();
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES * batch {
        let mut token = draw(TOKENS);
        for _ in 0..steps {
            x.push(token as u32);
            token = successors[token][draw(4).min(draw(4))];
            y.push(token as u32);
        }
    }
    let fields = vec![
        Field::new("tokens", [steps], Column::U32(x)).vocabulary(TOKENS),
        Field::new(TARGET, [steps], Column::U32(y)).vocabulary(TOKENS),
    ];
    dataset(fields, TOKENS, (1..=steps).map(|step| format!("token at {step}")).collect())
}

fn rows(features: usize, classes: usize, x: Vec<f32>, y: Vec<u32>) -> Dataset {
    let fields =
        vec![Field::new(INPUT, [features], Column::F32(x)), Field::new(TARGET, [], Column::U32(y)).vocabulary(classes)];
    dataset(fields, classes, (0..features).map(|f| f.to_string()).collect())
}

/// Samples of two fields, input and target, none of them held out.
fn dataset(fields: Vec<Field>, classes: usize, features: Vec<String>) -> Dataset {
    let samples = fields.first().map_or(0, |field| field.column.len() / field.width());
    let none = |field: &Field| match &field.column {
        Column::F32(_) => Field { column: Column::F32(Vec::new()), ..field.clone() },
        _ => Field { column: Column::U32(Vec::new()), ..field.clone() },
    };
    let held_out = Part::new(0, fields.iter().map(none).collect(), Vec::new());
    Dataset {
        task: Task::Classification { classes: (0..classes).map(|c| c.to_string()).collect() },
        inputs: fields.iter().take(1).map(|field| field.name.clone()).collect(),
        target: Some(TARGET.to_string()),
        train: Part::new(samples, fields, Vec::new()),
        validation: held_out,
        stream: None,
        read_on: None,
        plane: None,
        image: None,
        notes: Vec::new(),
        card: DataCard::default(),
        normalisation: Normalisation::identity(features.len(), 0),
        features,
        table: None,
        pen: None,
        sound: None,
        language: None,
        forecast: None,
        label_noise: 0.0,
        floor: None,
    }
}
