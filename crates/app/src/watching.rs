//! How a view watches: it says what it wants to see, gets a signal with the newest answer, and leaves by going off the screen.

use std::sync::Arc;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::reactive::{RwSignal, effect, memo};
use crate::state::{Answers, Chosen, Lab};
use crate::watches::{Answer, Ask};

impl Lab {
    /// Watches what `ask` says for as long as the calling component is on screen; nothing while it says `None`.
    pub fn watch(self, ask: impl Fn() -> Option<Ask> + Send + Sync + 'static) -> Answers {
        let latest: Answers = RwSignal::new(None);
        let ask = memo(ask);
        effect(move || {
            let Some(ask) = ask.get() else { return latest.set(None) };
            let Some((reader, last)) = self.watches.try_update_value(|watches| watches.join(ask, latest)) else { return };
            if let Some(last) = last {
                latest.set(Some(last));
            }
            self.tell_watches();
            on_cleanup(move || {
                let _ = self.watches.try_update_value(|watches| watches.leave(reader));
                self.tell_watches();
            });
        });
        latest
    }

    /// Tells the worker what has changed, after everything that changes it in this turn.
    pub(crate) fn tell_watches(self) {
        let waiting = self.inbox.try_update_value(|inbox| std::mem::replace(&mut inbox.telling, true));
        if waiting != Some(false) {
            return;
        }
        spawn_local(async move {
            // Effects that the present one sets off run before what was scheduled after them.
            leptos::task::tick().await;
            let _ = self.inbox.try_update_value(|inbox| inbox.telling = false);
            let changes = self.watches.try_update_value(|watches| watches.changes()).unwrap_or_default();
            for command in changes {
                self.send(command);
            }
        });
    }

    /// Follows the chosen sample, for everybody who watches it.
    pub(crate) fn follow_chosen(self) {
        effect(move || {
            let input = self.chosen.with(|chosen| chosen.as_ref().map(Chosen::input));
            let void = self.watches.try_update_value(|watches| watches.choose(input)).unwrap_or_default();
            show(void, None);
            self.tell_watches();
        });
    }

    /// Gives an answer to everybody who asked for it.
    pub(crate) fn hand_out(self, key: u32, answer: &Arc<Answer>) {
        let readers = self.watches.try_update_value(|watches| watches.answer(key, answer)).unwrap_or_default();
        show(readers, Some(answer));
    }

    /// Takes everything off the screen that was made of other data or weights, and what is about to come there.
    pub(crate) fn forget_answers(self) {
        self.inbox.update_value(|inbox| inbox.answers.clear());
        let readers = self.watches.try_update_value(|watches| watches.forget()).unwrap_or_default();
        show(readers, None);
    }
}

fn show(readers: Vec<Answers>, answer: Option<&Arc<Answer>>) {
    for reader in readers {
        let _ = reader.try_set(answer.cloned());
    }
}
