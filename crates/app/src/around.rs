//! What is around the page, or around a widget in somebody else's page: its elements, its files, and whether it has to wait.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::state::Lab;

impl Lab {
    /// Whether this is a widget.
    pub fn is_widget(self) -> bool {
        self.place.with_value(Option::is_some)
    }

    /// The role of a panel: of its own page it is a landmark, of somebody else's only a group, for there may be many of one name.
    pub fn role_of_panel(self) -> Option<&'static str> {
        self.is_widget().then_some("group")
    }

    /// Whether the run has to wait, whatever a person wants.
    pub fn is_held(self) -> bool {
        self.place.with_value(|place| place.as_ref().is_some_and(|place| place.held))
    }

    /// The address of a file of ours.
    pub fn address_of(self, file: &str) -> String {
        let base = self.place.with_value(|place| place.as_ref().map_or("./".to_string(), |place| place.base.clone()));
        base + file
    }

    /// The first of our elements that matches, of a page or a widget.
    pub fn find(self, selector: &str) -> Option<Element> {
        let place = self.place.try_get_value().flatten();
        let found = place.map_or_else(|| document().query_selector(selector), |place| place.host.query_selector(selector));
        found.ok().flatten()
    }

    /// The element that has the keys; outside of a shadow tree only its host would be seen.
    pub fn focused(self) -> Option<Element> {
        let place = self.place.try_get_value().flatten();
        let root = place.map_or_else(|| document().into(), |place| place.host.get_root_node());
        let active = js_sys::Reflect::get(&root, &"activeElement".into()).ok()?.dyn_into::<Element>().ok()?;
        (active.tag_name() != "BODY").then_some(active)
    }

    /// The element on which the style sheet's tokens stand.
    pub fn styled(self) -> Option<Element> {
        self.place.with_value(|place| place.as_ref().map(|place| place.host.clone())).or_else(|| document().document_element())
    }
}
