//! A run as files: a PyTorch program with its data, its weights alone, or its tokenizer. `downhill export` writes them, and the page's menu gives them. The
//! program's text comes from `downhill_model::export`.

use downhill_data::{Field, Sampler, Stream, TARGET};
use downhill_model::{Encoding, FieldFeed, export};
use downhill_protocol::Export;
use downhill_tensor::{Dtype, UserError};
use serde_json::json;

use crate::session::Session;
use crate::session::small::Small;
use crate::tensors::{Array, Values, write_arrays};

/// Steps whose order is written where neither the experiment nor the command says how many.
const STEPS: u64 = 1000;
/// Most numbers of an order: a gigabyte natively, 64 MB in a browser.
const MOST_WORDS: usize = if cfg!(target_arch = "wasm32") { 1 << 24 } else { 1 << 28 };

/// The files that the page asks for. A program begins as the experiment does, whatever the run has learned.
///
/// # Errors
/// When the device is lost, or the order of the steps would be too long.
#[inline(never)]
pub async fn files(session: &mut Session, what: Export) -> Result<Vec<(&'static str, Vec<u8>)>, UserError> {
    match what {
        Export::Pytorch => pytorch(session, None, session.initial_weights()?),
        Export::Weights => Ok(vec![("weights.safetensors", session.weights(true).await?)]),
        Export::Tokenizer => Ok(vec![(TOKENIZER, tokenizer(session)?)]),
        Export::Small => {
            let Small { bytes, bits, farthest, samples } = session.small_weights().await?;
            let moved = json!({ "bits": bits, "farthest": farthest, "samples": samples }).to_string();
            Ok(vec![("weights.bin", bytes), ("moved.json", moved.into_bytes())])
        }
    }
}

/// train.py, the weights it begins with, the data in the order of so many steps, and the tokenizer of a text.
///
/// # Errors
/// When the order of the steps would be too long.
pub fn pytorch(session: &Session, steps: Option<u64>, weights: Vec<u8>) -> Result<Vec<(&'static str, Vec<u8>)>, UserError> {
    let steps = steps.or(session.experiment().training.steps).unwrap_or(STEPS);
    let mut files = vec![
        ("train.py", export::train_py(session.checked(), session.data().language.as_ref()).into_bytes()),
        ("init.safetensors", weights),
        ("data.safetensors", data(session, steps)?),
    ];
    files.extend(written(session).map(|file| (TOKENIZER, file)));
    Ok(files)
}

/// The name that Hugging Face's tokenizers give to their file.
const TOKENIZER: &str = "tokenizer.json";

/// The tokenizer of the run's text, as a file.
///
/// # Errors
/// When the data is no text.
pub fn tokenizer(session: &Session) -> Result<Vec<u8>, UserError> {
    written(session).ok_or_else(|| {
        UserError::at(
            "data",
            "Only a text has a tokenizer that can be written; the tokens of this data are no pieces of a text.",
        )
        .hint("Choose a text of your own.")
    })
}

fn written(session: &Session) -> Option<Vec<u8>> {
    session.data().language.as_ref()?.tokenizer.to_json().map(String::into_bytes)
}

/// The samples, and the order in which training steps take them; of endless data the samples of all steps instead.
fn data(session: &Session, steps: u64) -> Result<Vec<u8>, UserError> {
    let (experiment, checked, data) = (session.experiment(), session.checked(), session.data());
    let (batch, micros) = (experiment.training.batch_size, experiment.training.accumulate);
    // A stream draws inputs with their answers, also where the program asks for none.
    let answers = data.train.field(TARGET).map_or(1, Field::width);
    let per_batch = if data.stream.is_some() { batch * (session.signature().features() + answers) } else { batch };
    let room = usize::try_from(steps).ok().and_then(|steps| steps.checked_mul(micros));
    let room = room.filter(|batches| batches.checked_mul(per_batch).is_some_and(|n| n <= MOST_WORDS));
    let batches = room.ok_or_else(|| {
        UserError::at("steps", format!("The order of {steps} steps would fill the memory.")).hint("Use fewer steps.")
    })?;
    let mut tensors = Vec::new();
    match &data.stream {
        Some(stream) => {
            let inputs = || checked.feeds().into_iter().filter(|field| !field.target);
            let width = inputs().map(|field| field.width()).sum::<usize>();
            let (mut x, mut y) = (vec![0; batches * batch * width], vec![0; batches * batch * answers]);
            let rows = x.chunks_exact_mut((batch * width).max(1)).zip(y.chunks_exact_mut((batch * answers).max(1)));
            for (number, (x, y)) in (0..).zip(rows) {
                stream.fill(number, x, y);
            }
            let mut start = 0;
            for field in inputs() {
                let words = Stream::input(&x, width, start, field.width()).flatten().copied().collect();
                tensors.push(Written::new("batch", &field, batches * batch, words));
                start += field.width();
            }
            if let Some(field) = checked.feeds().iter().find(|field| field.target) {
                tensors.push(Written::new("batch", field, batches * batch, y));
            }
        }
        None => {
            let mut indices = vec![0; batches * batch];
            Sampler::new(experiment.seed, data.train.len()).next_batch(&mut indices);
            tensors.push(Written { name: "indices".to_string(), shape: vec![batches, batch], values: Words::Whole(indices) });
        }
    }
    for (name, part) in [("train", &data.train), ("validation", &data.validation)] {
        for field in checked.feeds().iter().filter(|_| !part.is_empty()) {
            let words = part.field(&field.name).map(|f| f.column.words(0, usize::MAX)).unwrap_or_default();
            tensors.push(Written::new(name, field, part.len(), words));
        }
    }
    let arrays: Vec<Array<'_>> = tensors.iter().map(Written::array).collect();
    write_arrays(&arrays, None)
}

/// A tensor of the file.
struct Written {
    name: String,
    shape: Vec<usize>,
    values: Words,
}

enum Words {
    Numbers(Vec<f32>),
    Whole(Vec<u32>),
}

impl Written {
    /// A field of some samples as PyTorch wants it: lengths and tokens are whole numbers there.
    fn new(part: &str, field: &FieldFeed, samples: usize, mut words: Vec<u32>) -> Self {
        let name = format!("{part}.{}", field.name);
        if field.encoding == Encoding::Numbers {
            return Self { name, shape: vec![samples], values: Words::Whole(words) };
        }
        field.encoding.encode(&mut words);
        let ty = field.ty(samples);
        let values = match ty.dtype {
            Dtype::U32 => Words::Whole(words),
            Dtype::F32 => Words::Numbers(words.into_iter().map(f32::from_bits).collect()),
        };
        Self { name, shape: ty.shape.to_vec(), values }
    }

    fn array(&self) -> Array<'_> {
        let values = match &self.values {
            Words::Numbers(values) => Values::F32(values),
            Words::Whole(values) => Values::I32(values),
        };
        Array { name: self.name.clone(), shape: self.shape.clone(), values }
    }
}
