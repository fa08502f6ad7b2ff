//! Where the page stands: on its own, or as a widget in a page of somebody else's, whose address, title, storage and elements are not ours.

use wasm_bindgen::JsValue;
use web_sys::Element;

/// What a widget was given by the script that put it into a page.
#[derive(Clone)]
pub struct Place {
    /// The element that holds the widget, inside of its shadow tree.
    pub host: Element,
    /// `start()` makes a worker, see [`crate::worker::Link`].
    pub shell: JsValue,
    /// Address of the folder that the script lies in, with a slash at its end.
    pub base: String,
    /// Whether the run has to wait for its turn, whatever a person wants.
    pub held: bool,
}
