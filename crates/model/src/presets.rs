//! Experiments to begin with: one JSON file each in `static/presets`, one line in the list below.

use serde_json::Value;

/// An experiment to begin with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// Name of its file and in links.
    pub id: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// What there is to see.
    pub description: &'static str,
    /// What it comes to when all its steps are done; `cargo xtask presets` looks whether it does.
    pub reaches: Reaches,
    /// The document.
    pub json: &'static str,
}

/// What an example comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reaches {
    /// A metric of the last evaluation that is at least so large.
    AtLeast(&'static str, f64),
    /// A metric of the last evaluation that is at most so large.
    AtMost(&'static str, f64),
    /// What the verdict says, by the name of its rule: what is to be seen went wrong on purpose.
    Verdict(&'static str),
}

use Reaches::{AtLeast, AtMost, Verdict};

impl Preset {
    /// The name of its data source.
    pub fn source(&self) -> String {
        let document: Value = serde_json::from_str(self.json).unwrap_or_default();
        let data = &document["data"];
        data.as_str().or_else(|| Some(data.as_object()?.keys().next()?.as_str())).unwrap_or_default().to_string()
    }
}

macro_rules! presets {
    ($($id:literal: $title:literal, $description:literal, $reaches:expr;)*) => {
        /// Apart from the rest, for the page wants them before the examples themselves.
        const TITLES: &[&str] = &[$($title),*];

        const PRESETS: &[Preset] = &[$(Preset {
            id: $id,
            title: $title,
            description: $description,
            reaches: $reaches,
            json: include_str!(concat!("../../../static/presets/", $id, ".json")),
        }),*];
    };
}

presets! {
    "spirals": "Two spirals", "A small network bends a straight line until it winds between two arms.", AtLeast("validation_accuracy", 0.98);
    "circles": "Circles", "Six units are enough to put a fence around the inner class.", AtLeast("validation_accuracy", 0.97);
    "xor": "Exclusive or", "No straight line separates these four corners; four hidden units do.", AtLeast("validation_accuracy", 0.99);
    "gaussians": "Six clouds", "Without a hidden layer every class gets one straight side: enough here, and only here.", AtLeast("validation_accuracy", 0.97);
    "moons": "Two moons", "Two interlocking crescents: compare activations by how smooth the boundary becomes.", AtLeast("validation_accuracy", 0.97);
    "checkerboard": "Checkerboard", "Many small squares need many corners; a residual layer and a warm-up help to fold them.", AtLeast("validation_accuracy", 0.95);
    "sine": "Sine wave", "A curve is fitted to noisy points: watch it bend from a straight line.", AtMost("validation_mae", 0.05);
    "steps": "Staircase", "A smooth network learns jumps, with a loss that forgives outliers.", AtMost("validation_mae", 0.06);
    "digits": "Handwritten digits", "Reads real digits of 8 × 8 pixels; draw one yourself and see what it takes it for.", AtLeast("validation_accuracy", 0.97);
    "drawn_digits": "Drawn digits", "Larger digits of 28 × 28, drawn with strokes: raise the variation, or make them endless so that none is seen twice.", AtLeast("validation_accuracy", 0.95);
    "shapes": "Shapes anywhere", "A network that knows every pixel by its place alone has to learn each shape at each place; put them in the middle and compare.", Verdict("overfitting");
    "wrong_labels": "Wrong labels by heart", "Four of ten digits to learn from have a wrong label: the network learns them by heart, and validation shows when.", Verdict("memorised_labels");
    "batch_norm": "A high rate with batch norm", "Four layers learn with a learning rate of 1, for a norm behind each keeps its numbers in bounds. Take the batch norms out and begin anew: the same network hardly learns. Then see how low its rate has to be.", AtLeast("validation_accuracy", 0.97);
    "lenet": "Digits with a LeNet", "Two layers of small kernels find strokes, and pooling forgets where they were. Change a kernel's size while it trains; only that layer begins anew. Then take the pooling away and shift what you draw.", AtLeast("validation_accuracy", 0.97);
    "resnet": "Small ResNet", "Residual blocks with batch norm tell shapes apart wherever they lie; two of them halve the picture and go around it by a projection. Take the batch norms out and compare the first hundred steps. Then take the ways around away: write the layers of a block without a residual.", AtLeast("validation_accuracy", 0.9);
    "depthwise": "Depthwise-separable kernels", "Every channel has a kernel of its own, and kernels of one pixel mix the channels: a fraction of the weights reads drawn digits. Set the groups to 1 and see how many weights that adds, and how little it gains. Raise the variation of the digits until it is worth it.", AtLeast("validation_accuracy", 0.94);
    "mixer": "Patches, mixed", "Digits are cut into patches of four pixels, and two small networks take turns: one mixes the patches, the other the numbers of each. Larger patches are fewer: try 4. Swap a mixing block for attention and it is a small vision transformer.", AtLeast("validation_accuracy", 0.96);
    "vit": "Small vision transformer", "Pictures are cut into patches of 4 × 4 pixels, every patch looks at every other, and a class token before them gathers what there is to say: see what each head looks at. Four in five are right where the small ResNet gets nine in ten of the same shapes, for nothing tells it that a shape is the same wherever it lies. Put shapes in the middle, or draw more of them, and see which helps. Then take the mean of all patches in place of the token.", AtLeast("validation_accuracy", 0.8);
    "autoencoder": "Autoencoder", "Without a single label a network learns to draw digits again from two numbers. Widen the bottleneck from 2 to 8 and watch the pictures get sharp. Then change the loss to cross-entropy and the end to classes: the first layers keep what they know.", AtMost("validation_loss", 0.055);
    "unet": "U-Net", "Every pixel is told which shape it belongs to: down to where the whole shape is seen, and up again beside what was fine. Take a cat layer away and the edges blur. Make shapes outlines instead of filled and see whether it knows their inside.", AtLeast("validation_accuracy", 0.98);
    "own_images": "Images of your own", "Until you bring pictures of your own, a small network learns shapes. Then set the frozen layers to 10 and take pictures of three things with the camera: what it knows of edges and corners stays, and only the last layer learns yours. Set them to 0, begin anew, and see how many more pictures it takes.", AtLeast("validation_accuracy", 0.9);
    "iris": "Iris", "Three species of flowers by four measurements, 150 samples: the oldest exercise of all.", AtLeast("validation_accuracy", 0.93);
    "wine": "Wine", "Thirteen chemical values tell three growers apart, even without a hidden layer.", AtLeast("validation_accuracy", 0.96);
    "breast_cancer": "Breast cancer", "Benign or malignant by thirty measurements of a cell image, with dropout and weight decay.", AtLeast("validation_accuracy", 0.94);
    "too_fast": "Too large a step", "Circles with a rate thirty times too large: lower it and reset, for a ruined network stays ruined.", Verdict("oscillating");
    "overfitting": "Learning by heart", "A large network, few noisy samples: the training loss falls, the validation loss rises.", Verdict("overfitting");
    "regularised": "Kept from learning by heart", "The same with dropout and an L2 penalty: the two losses stay closer together.", AtMost("validation_loss", 0.9);
    "majority": "Majority of two tokens", "Which of two tokens comes more often in a sequence of varying length: a mean of learned vectors is enough.", AtLeast("validation_accuracy", 0.99);
    "parity": "Parity of bits", "Is the number of ones odd? A recurrent network needs one bit of memory, and every step counts.", AtLeast("validation_accuracy", 0.99);
    "adding": "Adding problem, LSTM", "The sum of two marked numbers far apart: gates learn to keep what matters until the end.", AtMost("validation_mae", 0.03);
    "adding_rnn": "Adding problem, RNN", "The same sum without gates: the gradient fades on its way back over fifty steps, so the network never learns what was marked. Compare its loss with that of the LSTM. Then make the sequences ten steps long.", Verdict("fading_over_time");
    "exploding_rnn": "Exploding RNN", "On its way back through thirty steps the gradient grows at every one: within five steps of training the weights are thrown so far that the numbers have no end. Set the clip norm to 1 and begin anew: the same network learns the sum. Or lower the gain of its initial recurrent weights to 1.1: nothing explodes, and it hardly learns.", Verdict("diverged");
    "temporal_order": "Temporal order, GRU", "Two symbols among many that mean nothing: which were they, in which order? The first one has to be kept until the second comes. Make the sequences longer, or put an RNN in its place.", AtLeast("validation_accuracy", 0.99);
    "pen_strokes": "Pen strokes, LSTM", "Digits as the pen goes, step by step: one half of the LSTM reads from the first stroke to the last, the other backwards. Write one yourself, then the same from its other end: the picture is alike, the sequence is not. Raise the variation of the hands until it makes mistakes.", AtLeast("validation_accuracy", 0.98);
    "chirps": "Chirps, CNN and GRU", "Six kinds of bird calls by their spectrogram: small kernels find how the pitch moves, a GRU hears in which order. Listen to those that it mistakes. Make the noise louder until you cannot tell them apart yourself, and see whether the network still can.", AtLeast("validation_accuracy", 0.95);
    "chirps_transformer": "Chirps by transformer", "The same bird calls without kernels and without a state: every frame looks at every other, and positions alone say which came first. Take the positions out and begin anew: see what becomes of calls that only differ in the order of their notes. Then listen to those that it mistakes, and compare with the CNN and GRU.", AtLeast("validation_accuracy", 0.95);
    "memory": "Copying from memory, GRU", "Three symbols, then nothing for a long time, then they are to be said again. The state has to hold them while it waits: look at the units over time. Make the wait longer, or put an RNN in its place.", AtLeast("validation_sequence_accuracy", 0.99);
    "brackets": "Brackets, LSTM", "Which bracket has to close next, if any? One unit of the state counts up and down with the brackets. Add a second kind, and counting is not enough any more.", AtLeast("validation_sequence_accuracy", 0.99);
    "sine_forecast": "Sine wave, GRU", "A window of a noisy wave, and how it goes on. The dashed line is what it says to its own answers: watch the wave go on by itself, then raise the noise or shorten the window until it cannot.", AtMost("validation_mae", 0.08);
    "lorenz": "Lorenz forecast", "Three numbers that never repeat themselves. The dashed line is what the network says to its own answers: see how long it stays with the truth. Raise the horizon and see what chaos costs.", AtMost("validation_mae", 0.015);
    "own_series": "A series of your own", "Passengers of airlines, month by month from 1949 to 1960: two years are given, half a year is asked for. They became more all the time, which a weighted sum can follow; put a GRU in its place, whose state has bounds, and compare. Then paste a table of your own and say which column is asked for.", AtMost("validation_mae", 25.0);
    "pairs": "Two points, one question", "Two inputs, a tower for each, and one answer: whether both points are of the same class.", AtLeast("validation_accuracy", 0.99);
    "sort": "Sorting letters", "A transformer puts letters in order, one after the other: see where its heads look.", AtLeast("validation_sequence_accuracy", 0.97);
    "encoder_decoder": "Reversing with encoder and decoder", "One half of the network reads letters, the other writes them backwards, looking at what was read. Open the decoder block: its cross heads walk from the last letter to the first. Then type letters under “By itself” and read what it writes when nobody tells it what is right.", AtLeast("validation_sequence_accuracy", 0.97);
    "captions": "Captions of pictures", "Small kernels read a picture of one or two digits, and a decoder says in words what it sees, from left to right. Open the decoder block and see at which part of the picture its cross heads look for each word. Allow three digits in a picture, or take the positions of what is read out, and see which captions go wrong.", AtLeast("validation_sequence_accuracy", 0.97);
    "addition": "Addition by digits", "Sums worked out as on paper, the last digit first; switch that off and it takes far longer.", AtLeast("validation_sequence_accuracy", 0.99);
    "grokking": "Modular addition", "The sum of two numbers, counted around a clock of 31: the training set is soon known by heart, and much later the rest is right too. Weight decay brings the jump about: set it to 0 and wait in vain. Hold fewer sums out and it comes sooner.", AtLeast("validation_accuracy", 0.95);
    "induction": "Induction heads", "Two layers of attention and nothing else find out what followed the last time.", AtLeast("validation_accuracy", 0.9);
    "recall": "Associative recall", "Letters with a number each, then one of the letters: a transformer looks up the number that stood behind it. See which head finds the letter again, and which takes what follows. Raise the pairs until two layers are not enough.", AtLeast("validation_sequence_accuracy", 0.98);
    "short_sight": "Short sight", "The same letters and numbers, but every head sees three tokens and no more, so that two layers reach back to the last two pairs only. The other answers it cannot know, and learns them by heart: compare training with validation. Then set the window to 13, or add layers.", Verdict("overfitting");
    "tinytales": "TinyTales", "A small transformer learns to tell stories, down to what they cost whoever knows their grammar.", Verdict("at_floor");
    "eight_back": "Eight tokens back", "The same stories, but no head sees more than eight tokens, so that two layers reach back to the last fifteen. What stood before those is out of sight: see how far the loss stays above that of whoever knows the grammar. Take the window away and begin anew, and it comes down.", AtMost("validation_loss", 0.6);
    "char_rnn": "Char-RNN", "An LSTM writes little stories letter by letter: first words, then names, then who did what. Lower the temperature and it repeats itself. Put a GRU in its place and compare how long they take.", AtMost("validation_loss", 0.2);
    "read_on": "A tale read on", "A GRU learns a short tale, sixteen letters at a time: no gradient goes back further, yet its state goes on from batch to batch, so it remembers more than it is shown. Turn Carry state off and compare. Then make the context longer and see what that gains.", AtLeast("train_accuracy", 0.9);
    "own_text": "A text of your own", "A small transformer learns a short tale letter by letter: read what it writes get better, then paste a text of your own in its place.", AtLeast("train_accuracy", 0.9);
    "masked_words": "Masked words", "Two sentences with some of their words hidden: a transformer that sees both to their ends guesses them, and whether they are of one story, which is BERT in small. Hide a word yourself by typing [MASK] in its place. Then hide half of the words, and see which can still be guessed.", AtLeast("validation_accuracy", 0.76);
    "word_vectors": "Word vectors", "Which word stood near another? That alone gives every word a vector, and words of one kind come to lie together: watch them part. Ask which word is to woman as king is to man, then kitten to puppy; take the weight decay away, and what the weights began with stays in the answers.", AtLeast("validation_accuracy", 0.43);
    "two_towers": "Two towers", "One network reads queries, another documents, and what belongs together comes to lie together. Type a query into the search box and watch its document rise to the first place, though it was never learned from. Then make batches of 4 instead of 100: with three wrong documents at a time to be told apart, fewer queries find their own.", AtLeast("validation_recall_at_1", 0.97);
    "symmetry": "All alike", "All weights start at zero, so all units stay alike; give them random weights and it learns.", Verdict("alike");
}

/// The document of the first preset, which the page opens with.
pub const FIRST: &str = include_str!("../../../static/presets/spirals.json");

/// The document of the preset for texts, whose network other experiments take over that are given one.
pub const OWN_TEXT: &str = include_str!("../../../static/presets/own_text.json");

/// The document of the preset for queries and documents, whose network other experiments take over that are given these.
pub const TWO_TOWERS: &str = include_str!("../../../static/presets/two_towers.json");

/// The document of the preset for sounds, whose network other experiments take over that are given some.
pub const SOUNDS: &str = include_str!("../../../static/presets/chirps.json");

/// Whether a preset is called so.
pub fn is_title(name: &str) -> bool {
    TITLES.contains(&name)
}

/// All presets.
pub fn all() -> &'static [Preset] {
    PRESETS
}

/// The preset of this id.
pub fn find(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Experiment, Signature, check};

    #[test]
    fn every_preset_is_called_what_its_document_says_and_can_be_trained() {
        assert!(all().len() >= 8 && all()[0].id == "spirals" && all()[0].json == FIRST);
        for preset in all() {
            let parsed = Experiment::parse(preset.json).unwrap_or_else(|e| panic!("{}: {e}", preset.id));
            assert!(parsed.notes.is_empty());
            assert_eq!(parsed.experiment.name, preset.title);
            assert_eq!(preset.source(), parsed.experiment.data.name());
            let signature = Signature::of(&parsed.experiment.data).unwrap();
            check(parsed.experiment, signature).unwrap_or_else(|e| panic!("{}: {e}", preset.id));
            assert!(find(preset.id) == Some(preset) && preset.description.ends_with('.'));
        }
    }
}
