//! The source `points`: points of the plane that a person has drawn, kept in the document.

use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Generate;
use super::planar::{class_name, finish};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::features::Feature;
use crate::fields;

fields! {
    /// Points drawn by hand.
    #[schemars(title = "Points")]
    Points {
        /// The points, each as [x, y, class].
        #[schemars(title = "Points", length(max = 10000))]
        points: Vec<Point> = Vec::new(),
        /// What the classes are called, in their order; left empty, they are numbered.
        #[schemars(title = "Class names", length(max = 6), inner(length(max = 200)))]
        labels: Vec<String> = Vec::new(),
        /// Share of the points that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
        /// What the network is told about a point.
        #[schemars(title = "Features", length(min = 1, max = 11))]
        features: Vec<Feature> = vec![Feature::X, Feature::Y],
    }
}

/// One point: x, y and class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point(
    /// x
    #[schemars(range(min = -10.0, max = 10.0))]
    pub f64,
    /// y
    #[schemars(range(min = -10.0, max = 10.0))]
    pub f64,
    /// Class
    #[schemars(range(min = 0, max = 5))]
    pub u32,
);

impl Generate for Points {
    const OWN: bool = true;
    const PLANAR: bool = true;
    const AT_ONCE: bool = true;

    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let classes: Vec<u32> = self.points.iter().map(|p| p.2).collect();
        let (Some(&low), Some(&high)) = (classes.iter().min(), classes.iter().max()) else {
            return Err(UserError::at("points", "There are no points yet.").hint("Draw points of at least two classes."));
        };
        let name = |class: u32| self.labels.get(class as usize).cloned().unwrap_or_else(|| class_name(class));
        if low == high {
            let message = format!("All points are of {}, so there is nothing to tell apart.", name(low));
            return Err(UserError::at("points", message).hint("Draw points of a second class."));
        }
        // A class with a name has its place, whether points of it are left or not.
        let count = (high + 1).max(self.labels.len() as u32);
        let raw = self.points.iter().flat_map(|p| [p.0 as f32, p.1 as f32]).collect();
        let card = ("Points drawn by hand; the class is the colour they were drawn in.", "Your own.");
        finish(raw, classes, (0..count).map(name).collect(), &self.features, card, (self.validation, seed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::NoAssets;
    use crate::dataset::Task;
    use crate::sources::Source;

    fn build(points: serde_json::Value) -> Result<Dataset, UserError> {
        Source::from_json("points", &json!({ "points": points }))?.build(1, &NoAssets)
    }

    #[test]
    fn drawn_points_are_all_there_and_a_class_without_points_keeps_its_place() {
        let set = build(json!([[0, 0, 0], [0.1, 0, 0], [1, 1, 2], [1, 0.9, 2]])).unwrap();
        assert_eq!(set.train.len() + set.validation.len(), 4);
        let Task::Classification { classes } = &set.task else { panic!("points have classes") };
        assert_eq!(classes.len(), 3);
    }

    #[test]
    fn classes_keep_the_names_that_they_have() {
        let of = |labels: serde_json::Value| {
            let fields = json!({ "points": [[0, 0, 0], [0.1, 0, 0], [1, 1, 1], [1, 0.9, 1]], "labels": labels });
            let set = Source::from_json("points", &fields).unwrap().build(1, &NoAssets).unwrap();
            let Task::Classification { classes } = set.task else { panic!("points have classes") };
            classes
        };
        assert_eq!(of(json!([])), ["class 0", "class 1"]);
        assert_eq!(of(json!(["elm"])), ["elm", "class 1"]);
        assert_eq!(of(json!(["elm", "oak", "yew"])), ["elm", "oak", "yew"]);
    }

    #[test]
    fn points_that_cannot_be_learned_from_are_refused_with_their_place() {
        let path = |points| build(points).unwrap_err().path.unwrap();
        assert_eq!(path(json!([])), "points");
        assert_eq!(path(json!([[0, 0, 1], [1, 1, 1]])), "points");
        assert_eq!(path(json!([[0, 0, 0], [1e9, 0, 1]])), "points[1][0]");
        assert_eq!(path(json!([[0, 0, 0], [0, 0, 7]])), "points[1][2]");
        assert_eq!(path(json!([[0, 0, 0], [0, 0]])), "points[1]");
    }
}
