//! Camera and microphone: what is before them goes into a class for as long as its button is held. They are open only while somebody sees that they
//! are; what was taken stays until the page is left, so that more can be added to it. How a device is opened says `media`.

use js_sys::Array;
use leptos::html::{Meter, Video};
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use crate::files;
use crate::icons::Icon;
use crate::media::Device;
use crate::reactive::{RwSignal, clicked, effect, entered, memo};
use crate::state::{Lab, Taking};

/// The names that classes begin with; a person gives better ones.
const NAMES: [&str; 3] = ["first", "second", "third"];

/// What is said of a device.
#[derive(Clone, Copy)]
struct Words {
    open: &'static str,
    close: &'static str,
    /// One piece, and several.
    piece: [&'static str; 2],
    id: &'static str,
}

const CAMERA: Words =
    Words { open: "Take pictures with the camera", close: "Close the camera", piece: ["picture", "pictures"], id: "camera" };
const MICROPHONE: Words = Words {
    open: "Record sounds with the microphone",
    close: "Close the microphone",
    piece: ["sound", "sounds"],
    id: "microphone",
};

/// The button that opens a device, and what was taken with it.
#[component]
pub fn Capture(
    /// The page.
    lab: Lab,
    /// Whether it is the microphone.
    sounds: bool,
) -> impl IntoView {
    let words = if sounds { MICROPHONE } else { CAMERA };
    let open = RwSignal::new(false);
    let trouble = RwSignal::new(None::<String>);
    let toggle = move |_| {
        trouble.set(None);
        open.update(|open| *open = !*open);
        let classes = lab.taking[usize::from(sounds)];
        if classes.with_untracked(Vec::is_empty) {
            classes.set(NAMES.map(|name| Taking { name: name.to_string(), count: 0 }).to_vec());
        }
    };
    view! {
        <div class="capture" data-testid=words.id>
            <button type="button" class="link" data-testid=format!("{}-open", words.id) aria-expanded=move || open.get().to_string() on:click=clicked(toggle)>{move || if open.get() { words.close } else { words.open }}</button>
            <Show when=move || open.get()><Opened lab sounds trouble/></Show>
            {move || trouble.get().map(|text| view! { <p class="trouble" role="alert" data-testid=format!("{}-error", words.id)>{text}</p> })}
        </div>
    }
}

/// An open device, or one that is about to be, with its classes.
#[component]
fn Opened(lab: Lab, sounds: bool, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let words = if sounds { MICROPHONE } else { CAMERA };
    let classes = lab.taking[usize::from(sounds)];
    let (video, meter) = (NodeRef::<Video>::new(), NodeRef::<Meter>::new());
    let device = StoredValue::new_local(None::<Device>);
    let ready = RwSignal::new(false);
    let took = move |blob: Blob, of: u32| {
        let is_new = classes.try_update(|classes| classes.get_mut(of as usize).map(|class| class.count += 1)).flatten();
        if is_new.is_some() {
            lab.inbox.update_value(|inbox| inbox.taken.push((sounds, of, blob)));
        }
    };
    let fail = move |why: String| {
        trouble.try_set(Some(why));
        ready.try_set(false);
    };
    effect(move || {
        let (video, meter) = (video.get().map(JsValue::from), meter.get().map(JsValue::from));
        let Some(shown) = video.or(meter) else { return };
        spawn_local(async move {
            // Whoever closed the panel meanwhile has no place for it any more, and it is closed at once.
            match Device::open(&shown, took, fail).await {
                Ok(opened) => {
                    device.try_set_value(Some(opened));
                    ready.try_set(true);
                }
                Err(why) => fail(why),
            }
        });
    });
    // For which class it takes.
    let held = RwSignal::new(None::<usize>);
    let begin = move |at: usize| {
        if held.get_untracked() != Some(at) {
            held.set(Some(at));
            device.with_value(|device| device.iter().for_each(|device| device.begin(at as u32)));
        }
    };
    // A button that goes while it has the focus says so when nothing of this is left.
    let end = move || {
        if held.try_get_untracked().flatten().is_some() {
            held.set(None);
            device.with_value(|device| device.iter().for_each(Device::end));
        }
    };
    let row = move |at: usize| {
        let name = memo(move || classes.with(|classes| classes.get(at).map(|class| class.name.clone()).unwrap_or_default()));
        let count = memo(move || classes.with(|classes| classes.get(at).map_or(0, |class| class.count)));
        let named = move |ev: leptos::ev::Event| {
            let name = event_target_value(&ev);
            classes.update(|classes| classes.iter_mut().skip(at).take(1).for_each(|class| class.name.clone_from(&name)));
        };
        let discard = move |_| {
            lab.inbox.update_value(|inbox| inbox.taken.retain(|(of_sounds, of, _)| (*of_sounds, *of as usize) != (sounds, at)));
            classes.update(|classes| classes.iter_mut().skip(at).take(1).for_each(|class| class.count = 0));
        };
        let pasted = move |ev: web_sys::ClipboardEvent| {
            let files = ev.clipboard_data().and_then(|data| data.files()).filter(|files| !sounds && files.length() > 0);
            for file in files.iter().flat_map(|files| (0..files.length()).filter_map(|i| files.get(i))) {
                ev.prevent_default();
                took(file.into(), at as u32);
            }
        };
        let is_key = |ev: &leptos::ev::KeyboardEvent| matches!(ev.key().as_str(), " " | "Enter");
        let pressed = move |ev: leptos::ev::KeyboardEvent| {
            if is_key(&ev) {
                ev.prevent_default();
                begin(at);
            }
        };
        let many = move || count.with(|n| format!("{n} {}", words.piece[usize::from(*n != 1)]));
        view! {
            <div class="row">
                <input type="text" maxlength="40" aria-label=format!("Name of class {}", at + 1) prop:value=move || name.get() on:change=entered(named) on:paste=pasted/>
                <button type="button" class="toggle" data-testid=format!("hold-{at}") disabled=move || !ready.get() aria-pressed=move || (held.get() == Some(at)).to_string()
                    on:pointerdown=move |_| begin(at) on:pointerup=move |_| end() on:pointercancel=move |_| end() on:pointerleave=move |_| end() on:contextmenu=|ev| ev.prevent_default()
                    on:keydown=pressed on:keyup=move |_| end() on:blur=move |_| end()>"Hold"</button>
                <span class="num" data-testid=format!("count-{at}")>{many}</span>
                <button type="button" class="ghost" disabled=move || count.get() == 0 aria-label=move || format!("Discard the {} of {}", words.piece[1], name.get()) on:click=clicked(discard)><Icon name="bin"/></button>
            </div>
        }
        .into_any()
    };
    let rows = memo(move || classes.with(Vec::len));
    let add = move |_| {
        classes.update(|classes| classes.push(Taking { name: format!("class {}", classes.len() + 1), count: 0 }));
    };
    // Classes of the same name are one.
    let filled = memo(move || {
        classes.with(|classes| {
            let mut names: Vec<&str> = Vec::new();
            for class in classes.iter().filter(|class| class.count > 0) {
                if !names.contains(&class.name.trim()) {
                    names.push(class.name.trim());
                }
            }
            names.len()
        })
    });
    let train = move |_| {
        let files = Array::new();
        lab.inbox.with_value(|inbox| {
            for (i, (_, of, blob)) in inbox.taken.iter().enumerate().filter(|(_, (of_sounds, ..))| *of_sounds == sounds) {
                let folder = classes.with_untracked(|classes| classes.get(*of as usize).map(|class| folder(&class.name)));
                let path = format!("{}/{}/{i}", words.piece[1], folder.unwrap_or_default());
                files.push(&Array::of2(&path.into(), blob));
            }
        });
        files::take_media(lab, files, Array::new());
    };
    let paste = if sounds { "" } else { " A picture can also be pasted into the name of its class." };
    let what = format!(
        "Hold a button for as long as it is to take {} of its class; two classes with a few dozen each are enough to begin with.{paste}",
        words.piece[1]
    );
    let shown = if sounds {
        view! { <meter node_ref=meter min="0" max="1" aria-label="Loudness"></meter> }.into_any()
    } else {
        view! { <video node_ref=video muted playsinline aria-label="What the camera sees"></video> }.into_any()
    };
    view! {
        {shown}
        <p class="hint">{what}</p>
        {move || (0..rows.get()).map(row).collect_view()}
        <div class="row">
            <button type="button" class="ghost" on:click=clicked(add)><Icon name="plus"/>"Class"</button>
            <button type="button" class="primary" data-testid=format!("{}-train", words.id) disabled=move || filled.get() < 2 on:click=clicked(train)>"Train on these"</button>
        </div>
    }
}

/// The name of a class as that of a folder. Some folders would hold their files out.
fn folder(name: &str) -> String {
    let plain = name.trim().trim_start_matches('.').replace(['/', '\\'], "-");
    match plain.to_ascii_lowercase().as_str() {
        "" => "unnamed".to_string(),
        "test" | "val" | "valid" | "validation" | "__macosx" => format!("\"{plain}\""),
        _ => plain,
    }
}
