//! Samples that are images as a sheet of tiles, with what they are and what they are taken for; a click shows one to the network.

use leptos::html::Canvas;
use leptos::prelude::*;

use super::samples::Row;
use crate::canvas::{painted, put_pixels};
use crate::plot::picture::{colours, full, rgba};
use crate::reactive::{Memo, clicked, memo};
use crate::state::{Chosen, Lab};

/// Tiles that are shown at most.
const SHOWN: usize = 12;

/// Paints an image of the data whose values go from 0 to `most`.
pub fn paint_image(lab: Lab, canvas: &web_sys::HtmlCanvasElement, values: &[f32], (height, width): (u32, u32), most: f32) {
    let colours = lab.palette.with(|palette| colours(values, (height * width) as usize, most, palette));
    put_pixels(canvas, &mut rgba(&colours), width);
}

/// Height and width of the images of the data.
pub fn image_size(lab: Lab) -> Memo<(u32, u32)> {
    memo(move || lab.info.with(|i| i.as_ref().and_then(|i| i.data.image)).unwrap_or((1, 1)))
}

/// The sheet.
#[component]
pub fn Gallery(lab: Lab, rows: Memo<Vec<Row>>, label: &'static str) -> impl IntoView {
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let name = move |v: f32| labels.with(|l| l.get(v as usize).cloned().unwrap_or_default());
    let size = image_size(lab);
    let most = memo(move || rows.with(|r| r.iter().flat_map(|row| &row.raw).map(|image| full(image)).fold(0.0, f32::max)));
    let tile = move |i: usize| {
        let canvas = NodeRef::<Canvas>::new();
        let row = memo(move || rows.with(|r| r.get(i).cloned().unwrap_or_default()));
        painted(canvas, move |canvas| {
            let (size, most) = (size.get(), most.get());
            row.with(|row| row.raw.iter().for_each(|image| paint_image(lab, canvas, image, size, most)));
        });
        let wrong = move || row.with(|r| r.target != r.guess);
        let text = move || {
            row.with(|r| if r.target == r.guess { name(r.target) } else { format!("{} → {}", name(r.target), name(r.guess)) })
        };
        let label = move || row.with(|r| format!("A {} taken for a {}", name(r.target), name(r.guess)));
        let choose = move |_| lab.chosen.set(Some(Chosen::HeldOut(row.with_untracked(|r| r.row))));
        let here = move || (lab.chosen.get() == Some(Chosen::HeldOut(row.with(|r| r.row)))).to_string();
        view! {
            <button type="button" class="tile" class:wrong=wrong aria-label=label aria-current=here on:click=clicked(choose)>
                <canvas node_ref=canvas width="8" height="8" aria-hidden="true"></canvas><span class="num" translate="no">{text}</span>
            </button>
        }
    };
    let count = memo(move || rows.with(|r| r.len().min(SHOWN)));
    view! { <div class="tiles" role="group" aria-label=label>{move || (0..count.get()).map(tile).collect_view()}</div> }
}
