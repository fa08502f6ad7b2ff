//! Experiments to begin with: one JSON file each in `static/presets`, one line in the list below.

/// An experiment to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Name of its file and in links.
    pub id: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// What there is to see.
    pub description: &'static str,
    /// The document.
    pub json: &'static str,
}

macro_rules! presets {
    ($($id:literal: $title:literal, $description:literal;)*) => {
        const PRESETS: &[Preset] = &[$(Preset {
            id: $id,
            title: $title,
            description: $description,
            json: include_str!(concat!("../../../static/presets/", $id, ".json")),
        }),*];
    };
}

presets! {
    "spirals": "Two spirals", "A small network winds its decision boundary around two arms.";
}

/// All presets; the first is what the page opens with.
pub fn all() -> &'static [Preset] {
    PRESETS
}

/// The preset of this id.
pub fn find(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}
