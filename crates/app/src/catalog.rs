//! What there is to choose from, as the model's crate lists it.

use downhill_model::forms;
use serde_json::Value;

pub use downhill_model::forms::{activations, fields_of, names_of};

/// What a person calls a member.
pub fn title_of(group: &str, name: &str) -> String {
    let title = fields_of(group, name).and_then(|s| s["title"].as_str().map(str::to_string));
    title.unwrap_or_else(|| name.replace('_', " "))
}

/// A sentence about a member, as a page shows it: without the marks that set formulas apart in documentation.
pub fn help_of(group: &str, name: &str) -> String {
    forms::help_of(group, name).replace('`', "")
}

/// The place that a path names, as the page calls it: `optimizer.adam.lr` is the field "Learning rate", `model[2].linear.out` is
/// "linear #2, Outputs". A path that the page has no word for stays as it is.
pub fn place_of(path: &str) -> String {
    let title = |group: &str, name: &str, field: &str| {
        let schema = fields_of(group, name)?;
        let field = field.split('[').next().unwrap_or_default();
        schema["properties"].get(field)?.get("title").and_then(Value::as_str).map(str::to_string)
    };
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, field) = rest.split_once('.').unwrap_or((rest, ""));
    if let Some(index) = head.strip_prefix("model[").and_then(|at| at.strip_suffix(']')) {
        let layer = [if name.is_empty() { "Layer" } else { name }, " #", index].concat();
        return title("model", name, field).map_or(layer.clone(), |field| [&layer, ", ", &field].concat());
    }
    let word = match head {
        "augment" | "training" => title(head, "", name),
        "seed" => Some("Seed".to_string()),
        "data" | "optimizer" | "schedule" | "loss" => {
            title(head, name, field).or_else(|| (!name.is_empty()).then(|| title_of(head, name)))
        }
        _ => None,
    };
    word.unwrap_or_else(|| path.to_string())
}

/// A sentence in the page's words: what it sets apart as an experiment writes it is called as the page's lists call it, `bce_with_logits`
/// "Binary cross-entropy".
pub fn in_words(sentence: &str) -> String {
    const GROUPS: [&str; 3] = ["loss", "optimizer", "schedule"];
    let word = |(at, part): (usize, &str)| match GROUPS.iter().find(|group| names_of(group).contains(&part)) {
        Some(group) if at % 2 == 1 => title_of(group, part),
        _ => part.to_string(),
    };
    sentence.split('`').enumerate().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_called_as_its_control_on_the_page_is() {
        let places = [
            "optimizer.adam.lr",
            "training.batch_size",
            "data.spirals.noise",
            "data.csv",
            "seed",
            "model[2].linear.out",
            "model[1]",
            "data.spirals.features[1]",
        ];
        let words = ["Learning rate", "Batch size", "Noise", "Table", "Seed", "linear #2, Outputs", "Layer #1", "Features"];
        assert_eq!(places.map(place_of), words);
        assert_eq!(place_of("nonsense.x"), "nonsense.x");
    }

    #[test]
    fn a_sentence_calls_things_as_the_page_does() {
        let said = "`bce_with_logits` tells two classes apart, but the data has 3. Use `cross_entropy`.";
        assert_eq!(in_words(said), "Binary cross-entropy tells two classes apart, but the data has 3. Use Cross-entropy.");
        assert_eq!(in_words("There is no choice `clases` here; mse is fine."), "There is no choice clases here; mse is fine.");
    }
}
