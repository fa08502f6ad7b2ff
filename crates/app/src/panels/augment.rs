//! Augmentation: its fields, and pictures of the data above the same ones as a training step could be given them.

use downhill_protocol::{Input, Part, Query};
use leptos::html::Canvas;
use leptos::prelude::*;

use crate::canvas::painted;
use crate::catalog;
use crate::forms::Form;
use crate::plot::picture::full;
use crate::reactive::memo;
use crate::state::Lab;
use crate::views::gallery::{image_size, paint_image};
use crate::watches::{Ask, Source};

/// Pictures that are shown.
const SHOWN: usize = 6;

/// The fields and the pictures.
pub fn form() -> AnyView {
    let form = catalog::fields_of("augment", "")
        .map(|schema| view! { <Form schema=(*schema).clone() base="augment".to_string()/> }.into_any());
    view! { <Preview/>{form} }.into_any()
}

/// Pictures from all over the data, and below each the same one as a step could be given it.
#[component]
fn Preview() -> impl IntoView {
    let lab = Lab::here();
    let rows = memo(move || {
        let train = lab.data().map_or(0, |data| data.train);
        (0..SHOWN as u32)
            .filter(|&i| i < train)
            .map(|i| (u64::from(i) * u64::from(train) / SHOWN as u64) as u32)
            .collect::<Vec<u32>>()
    });
    let answers = lab.watch(move || {
        let input = Input::Samples { part: Part::Train, rows: Some(rows.get()) };
        Some(Ask { source: Source::Of(input), tensors: ["input", "augmented"].map(Query::all).to_vec(), every_ms: 500.0 })
    });
    let size = image_size(lab);
    let tile = move |tensor: &'static str, i: usize| {
        let canvas = NodeRef::<Canvas>::new();
        let values = memo(move || {
            answers.with(|answer| {
                let answer = answer.as_ref()?;
                // Where nothing is changed a step is given the picture itself.
                let of = |name: &str| answer.get(name).filter(|values| !values.data.is_empty());
                let (picture, original) = (of(tensor).or_else(|| of("input"))?, of("input")?);
                Some((picture.row(i).to_vec(), full(original.data)))
            })
        });
        painted(canvas, move |canvas| {
            let size = size.get();
            values.with(|values| values.iter().for_each(|(values, most)| paint_image(lab, canvas, values, size, *most)));
        });
        view! { <div class="tile"><canvas node_ref=canvas width="8" height="8" aria-hidden="true"></canvas></div> }.into_any()
    };
    let line = move |tensor: &'static str, label: &'static str| {
        let count = memo(move || rows.with(Vec::len));
        view! { <p class="hint">{label}</p><div class="tiles" role="img" aria-label=label data-testid=tensor>{move || (0..count.get()).map(|i| tile(tensor, i)).collect_view()}</div> }
    };
    view! { {line("input", "Pictures to learn from")}{line("augmented", "The same, as a step could be given them")} }
}
