//! What an article may call a field of the experiment: `lr`, `optimizer.lr` and `optimizer.adam.lr` are the same one. No page here.

use serde_json::Value;

use crate::catalog;
use crate::document;

/// Groups in which a field is looked for by its name alone, in this order, and what is chosen in each where nothing is written.
const GROUPS: [(&str, &str); 5] =
    [("optimizer", "adam"), ("training", ""), ("data", "spirals"), ("schedule", "constant"), ("loss", "cross_entropy")];

/// A field, or the choice of a group's member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A field.
    Field {
        /// Place of its object in the document: `optimizer.adam`.
        base: String,
        /// The group whose schema it belongs to.
        group: &'static str,
        /// The member of the group.
        member: String,
        /// Its name.
        name: String,
    },
    /// Which optimizer, schedule or loss.
    Choice(&'static str),
}

impl Control {
    /// Its place in the document.
    pub fn path(&self) -> String {
        match self {
            Control::Field { base, name, .. } => [base, ".", name].concat(),
            Control::Choice(group) => (*group).to_string(),
        }
    }
}

/// What `name` means in this document.
pub fn control_of(doc: &Value, name: &str) -> Option<Control> {
    match name {
        "optimizer" => return Some(Control::Choice("optimizer")),
        "schedule" => return Some(Control::Choice("schedule")),
        "loss_function" => return Some(Control::Choice("loss")),
        _ => {}
    }
    let (head, field) = name.rsplit_once('.').map_or((None, name), |(head, field)| (Some(head), field));
    GROUPS.into_iter().find_map(|(group, fallback)| {
        let member = if fallback.is_empty() { String::new() } else { document::name_at(doc, group, fallback) };
        let base = if member.is_empty() { group.to_string() } else { [group, ".", &member].concat() };
        if head.is_some_and(|head| head != group && head != base) {
            return None;
        }
        let known = catalog::fields_of(group, &member)?["properties"].get(field).is_some();
        known.then(|| Control::Field { base, group, member, name: field.to_string() })
    })
}

/// Whether `name` is a control of any experiment.
pub fn is_known(name: &str) -> bool {
    let field = name.rsplit('.').next().unwrap_or(name);
    let has =
        |group: &str, member: &str| catalog::fields_of(group, member).is_some_and(|s| s["properties"].get(field).is_some());
    matches!(name, "optimizer" | "schedule" | "loss_function")
        || has("training", "")
        || GROUPS.iter().any(|(group, _)| catalog::names_of(group).iter().any(|member| has(group, member)))
}

/// The place that a script names, in full: a field as [`control_of`] knows it, or any other path as it is.
pub fn path_of(doc: &Value, name: &str) -> String {
    control_of(doc, name).map_or_else(|| name.to_string(), |control| control.path())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_found_by_its_name_by_its_group_and_by_its_whole_path() {
        let doc = json!({ "data": { "circles": {} }, "optimizer": { "sgd": { "lr": 0.1 } } });
        for name in ["lr", "optimizer.lr", "optimizer.sgd.lr"] {
            assert_eq!(path_of(&doc, name), "optimizer.sgd.lr", "{name}");
        }
        assert_eq!(path_of(&doc, "noise"), "data.circles.noise");
        assert_eq!(path_of(&doc, "batch_size"), "training.batch_size");
        assert_eq!(path_of(&doc, "loss_function"), "loss");
    }

    #[test]
    fn what_the_chosen_member_has_not_is_no_control() {
        let doc = json!({ "data": "spirals", "optimizer": "adam" });
        assert_eq!(control_of(&doc, "momentum"), None);
        assert_eq!(control_of(&doc, "optimizer.sgd.lr"), None);
        assert_eq!(control_of(&doc, "lr."), None);
        assert_eq!(["momentum", "lr", "optimizer", "training.steps", "speed"].map(is_known), [true, true, true, true, false]);
        assert_eq!(control_of(&json!(null), "lr").map(|c| c.path()).as_deref(), Some("optimizer.adam.lr"));
        assert_eq!(path_of(&doc, "model[0].linear.out"), "model[0].linear.out");
    }
}
