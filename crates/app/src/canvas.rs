//! Small help for painting: contexts, pixels, sizes.

use crate::plot::colour::{Palette, css};
use crate::reactive::{Memo, RwSignal, effect, memo};
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlDivElement, ImageData};

/// The drawing context of a canvas.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

/// Puts RGBA pixels, `width` a row, on a canvas of just that size; the style sheet scales it.
pub fn put_pixels(canvas: &HtmlCanvasElement, pixels: &mut [u8], width: u32) {
    let height = pixels.len() as u32 / 4 / width.max(1);
    if canvas.width() != width || canvas.height() != height {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    if let (Some(context), Ok(image)) = (context(canvas), ImageData::new_with_u8_clamped_array(Clamped(pixels), width)) {
        let _ = context.put_image_data(&image, 0.0, 0.0);
    }
}

/// Fits a canvas's pixels to its box on the screen; gives the context scaled to CSS pixels, and the box's width and height.
pub fn fitted(canvas: &HtmlCanvasElement) -> Option<(CanvasRenderingContext2d, f64, f64)> {
    let (width, height) = (f64::from(canvas.client_width()), f64::from(canvas.client_height()));
    let ratio = window().device_pixel_ratio().clamp(1.0, 3.0);
    let (pixels_x, pixels_y) = ((width * ratio).round() as u32, (height * ratio).round() as u32);
    if canvas.width() != pixels_x || canvas.height() != pixels_y {
        canvas.set_width(pixels_x);
        canvas.set_height(pixels_y);
    }
    let context = context(canvas)?;
    context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, height);
    Some((context, width, height))
}

/// Paints now and whenever what `paint` reads changes, once the canvas is there.
pub fn painted(canvas: NodeRef<Canvas>, paint: impl Fn(&HtmlCanvasElement) + 'static) {
    effect(move || {
        if let Some(canvas) = canvas.get() {
            paint(&canvas);
        }
    });
}

/// Position of a pointer inside an element: 0…1 on both axes.
pub fn position(target: &web_sys::Element, client_x: f64, client_y: f64) -> (f64, f64) {
    let area = target.get_bounding_client_rect();
    ((client_x - area.left()) / area.width().max(1.0), (client_y - area.top()) / area.height().max(1.0))
}

/// A signal that counts up when an element changes size.
pub fn size_of(element: &web_sys::Element) -> RwSignal<u32> {
    let changed = RwSignal::new(0);
    let closure = wasm_bindgen::closure::Closure::<dyn FnMut()>::new(move || {
        let _ = changed.try_update(|n| *n += 1);
    });
    if let Ok(observer) = web_sys::ResizeObserver::new(closure.as_ref().unchecked_ref()) {
        observer.observe(element);
        let kept = StoredValue::new_local(Some((observer, closure)));
        on_cleanup(move || {
            let _ = kept.try_update_value(|kept| kept.take().inspect(|k| k.0.disconnect()));
        });
    }
    changed
}

/// Width and height of the element with this reference in pixels, without bounds until it is there.
pub fn room_of() -> (NodeRef<Div>, Memo<(f64, f64)>) {
    let (element, size) = (NodeRef::<Div>::new(), RwSignal::new(None::<RwSignal<u32>>));
    element.on_load(move |element| size.set(Some(size_of(&element))));
    let room = memo(move || {
        size.get().map(|s| s.get());
        let room = |element: HtmlDivElement| (f64::from(element.client_width()), f64::from(element.client_height()));
        element.get().map_or((f64::INFINITY, f64::INFINITY), room)
    });
    (element, room)
}

/// Corners of the shapes of classes, on a circle of radius 1: none for the first class, which is round.
const SHAPES: [&[(f64, f64)]; 6] = [
    &[],
    &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    &[(0.0, -1.3), (1.15, 0.8), (-1.15, 0.8)],
    &[(0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)],
    &[(0.0, 1.3), (1.15, -0.8), (-1.15, -0.8)],
    &[(-1.5, -0.5), (1.5, -0.5), (1.5, 0.5), (-1.5, 0.5)],
];

/// A point of the data: filled for what it learns from, a ring for what was held out.
pub fn dot(context: &CanvasRenderingContext2d, palette: &Palette, (x, y): (f64, f64), class: f32, radius: f64, filled: bool) {
    let (ink, ground) = (css(palette.class(class as usize), 1.0), css(palette.panel, 1.0));
    context.begin_path();
    let corners = if palette.shapes { SHAPES[class as usize % SHAPES.len()] } else { &[] };
    if corners.is_empty() {
        let _ = context.arc(x, y, radius, 0.0, std::f64::consts::TAU);
    }
    for (across, down) in corners {
        context.line_to(x + across * radius, y + down * radius);
    }
    context.close_path();
    context.set_fill_style_str(if filled { &ink } else { &ground });
    context.set_stroke_style_str(if filled { &ground } else { &ink });
    context.set_line_width(if filled { 0.8 } else { 1.2 });
    context.fill();
    context.stroke();
}
