//! The source `images`: pictures of one's own, in a file of arrays. How such a file is read stands in the module `arrays`.

use downhill_tensor::UserError;

use super::Generate;
use super::pictures::samples;
use crate::arrays::load;
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;
use crate::split::Split;

fields! {
    /// Pictures of your own, each with a class.
    #[schemars(title = "Images")]
    Images {
        /// Name of the file that holds the pictures and their classes.
        #[schemars(title = "File", length(max = 1000))]
        file: String = String::new(),
        /// Height and width of a picture in pixels; it is cut to a square and made smaller or larger.
        #[schemars(title = "Size", range(min = 8, max = 128))]
        size: u32 = 28,
        /// Whether pictures keep their colours: three channels in place of one.
        #[schemars(title = "Colour")]
        colour: bool = false,
        /// Share of the pictures that is never learned from, where the set has no test part of its own.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

impl Generate for Images {
    const OWN: bool = true;
    const IMAGES: bool = true;

    fn needs(&self) -> Vec<&str> {
        (!self.file.is_empty()).then_some(self.file.as_str()).into_iter().collect()
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let [file] = self.needs()[..] else {
            let error = UserError::at("file", "There are no pictures yet.");
            return Err(error.hint("Drop images, a folder or a zip of them on the page, or name their file here."));
        };
        let bytes = assets.own(file).map_err(|e| e.under("file"))?;
        let set = load(file, bytes, self.size as usize, self.colour)?;
        let (size, all) = (self.size as usize, set.labels.len() as u32);
        let card = (
            "Pictures of your own; a sample is one picture, a pixel is its brightness from 0 to 1.",
            "Your own; they stay on this machine.",
        );
        let mut samples = samples([set.channels, size, size], set.pixels, (set.classes, set.labels), card);
        samples.notes = set.notes;
        samples.parts = (set.held_out > 0).then(|| {
            let held_out = all - set.held_out as u32;
            Split { train: (0..held_out).collect(), validation: (held_out..all).collect() }
        });
        samples.finish(self.validation, seed)
    }
}
