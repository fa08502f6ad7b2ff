//! Samples that are images, writing or sounds as a sheet of tiles, with what they are and what they are taken for; a click shows one to the network.

use downhill_protocol::DataInfo;
use leptos::html::Canvas;
use leptos::prelude::*;

use super::samples::Row;
use crate::canvas::{painted, put_pixels};
use crate::plot::picture::{colours, full, rgba};
use crate::plot::spectrogram::upright;
use crate::plot::writing;
use crate::reactive::{Memo, clicked, memo};
use crate::state::{Chosen, Lab};

/// Tiles that are shown at most.
const SHOWN: usize = 12;

/// Paints an image of the data whose values go from 0 to `most`.
pub fn paint_image(lab: Lab, canvas: &web_sys::HtmlCanvasElement, values: &[f32], (height, width): (u32, u32), most: f32) {
    let colours = lab.palette.with(|palette| colours(values, (height * width) as usize, most, palette));
    put_pixels(canvas, &mut rgba(&colours), width);
}

/// Paints the way of a pen.
pub fn paint_writing(lab: Lab, canvas: &web_sys::HtmlCanvasElement, steps: &[f32]) {
    paint_image(lab, canvas, &writing::drawn(steps), (writing::SIDE as u32, writing::SIDE as u32), 1.0);
}

/// Paints a sound, `[frames, bands]`: time to the right, pitch upwards.
pub fn paint_sound(lab: Lab, canvas: &web_sys::HtmlCanvasElement, frames: &[f32]) {
    let shape = lab.info.with_untracked(|i| i.as_ref().and_then(|i| i.data.inputs.first()).map(|input| input.shape.clone()));
    if let Some(&[steps, bands]) = shape.as_deref() {
        paint_image(lab, canvas, &upright(frames, bands as usize), (bands, steps), 1.0);
    }
}

/// Height and width of the images of the data.
pub fn image_size(lab: Lab) -> Memo<(u32, u32)> {
    memo(move || lab.info.with(|i| i.as_ref().and_then(|i| i.data.image)).unwrap_or((1, 1)))
}

/// Names of classes that are longer want wider tiles.
const LETTERS: usize = 3;

/// Whether samples of the data can be shown as tiles.
pub fn has_tiles(data: &DataInfo) -> bool {
    data.image.is_some() || data.pen.is_some() || data.sound.is_some()
}

/// The sheet.
#[component]
pub fn Gallery(lab: Lab, rows: Memo<Vec<Row>>, label: &'static str) -> impl IntoView {
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let name = move |v: f32| labels.with(|l| l.get(v as usize).cloned().unwrap_or_default());
    let size = image_size(lab);
    let (written, heard) =
        lab.info.with_untracked(|i| i.as_ref().map_or((false, false), |i| (i.data.pen.is_some(), i.data.sound.is_some())));
    let most = memo(move || rows.with(|r| r.iter().flat_map(|row| &row.raw).map(|image| full(image)).fold(0.0, f32::max)));
    let tile = move |i: usize| {
        let canvas = NodeRef::<Canvas>::new();
        let row = memo(move || rows.with(|r| r.get(i).cloned().unwrap_or_default()));
        painted(canvas, move |canvas| {
            let (size, most) = (size.get(), most.get());
            row.with(|row| {
                row.raw.iter().for_each(|values| match (written, heard) {
                    (true, _) => paint_writing(lab, canvas, values),
                    (_, true) => paint_sound(lab, canvas, values),
                    _ => paint_image(lab, canvas, values, size, most),
                });
            });
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
    let wordy = move || labels.with(|l| l.iter().any(|name| name.len() > LETTERS));
    view! { <div class="tiles" class:wordy=wordy role="group" aria-label=label>{move || (0..count.get()).map(tile).collect_view()}</div> }
}
