//! Sums modulo a number, every pair once: what is learned by heart first and understood long after (Power et al. 2022).

use downhill_tensor::UserError;

use super::Generate;
use super::answer::Answers;
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Sums modulo a number, such as 5 + 4 = 2 modulo 7: every pair once, some to learn from, the others to be found out.
    #[schemars(title = "Modular addition")]
    ModularAddition {
        /// The number modulo which is counted; there are its square of samples.
        #[schemars(title = "Modulus", range(min = 4, max = 200))]
        modulus: u32 = 31,
        /// Share of the pairs that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.4,
    }
}

impl Generate for ModularAddition {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let n = self.modulus;
        let sequences = (0..n * n).map(|i| vec![i / n, i % n, n, (i / n + i % n) % n]).collect();
        let tokens = (0..n).map(|number| number.to_string()).chain(["=".to_string()]).collect();
        let description = "A sample is two numbers and an equals sign; to be predicted is their sum modulo a third. Every pair comes once.";
        let (padding, notes) = (None, Vec::new());
        Answers { tokens, sequences, prompt: 3, padding, description, notes }.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn every_pair_comes_once_with_its_sum() {
        let set = Source::from_json("modular_addition", &json!({ "modulus": 9 })).unwrap().build(3, &NoAssets).unwrap();
        let mut pairs = std::collections::BTreeSet::new();
        for part in [&set.train, &set.validation] {
            for i in 0..part.len() {
                let (row, asked) = (part.field("tokens").unwrap().row(i), part.field("y").unwrap().row(i));
                assert_eq!((row[2], asked[..2].to_vec(), asked[2]), (9, vec![IGNORED; 2], (row[0] + row[1]) % 9));
                pairs.insert((row[0], row[1]));
            }
        }
        assert_eq!(pairs.len(), 81);
    }
}
