//! What the page tells at its foot, and until when.

use leptos::prelude::*;

use crate::state::{Lab, Notice, Stands};

impl Lab {
    /// Tells what was done, or what did not work.
    pub fn tell(&self, bad: bool, text: impl Into<String>) {
        self.notify(bad, text.into(), if bad { Stands::UntilNext } else { Stands::Moment });
    }

    /// Tells something that stands until then; only the newest few notices stay.
    pub(crate) fn notify(&self, bad: bool, text: String, stands: Stands) {
        const KEPT: usize = 4;
        let id = self.inbox.try_update_value(|inbox| {
            inbox.notices += 1;
            inbox.notices
        });
        let Some(id) = id else { return };
        self.notices.update(|notices| {
            notices.retain(|n| n.text != text);
            notices.push(Notice { id, bad, text, stands });
            if notices.len() > KEPT {
                notices.remove(0);
            }
        });
        if stands == Stands::Moment {
            let notices = self.notices;
            let forget = move || {
                let _ = notices.try_update(|n| n.retain(|n| n.id != id));
            };
            set_timeout(forget, std::time::Duration::from_secs(8));
        }
    }

    /// Takes back the notices that stand until now.
    pub(crate) fn settle(&self, stands: Stands) {
        let any = self.notices.with_untracked(|notices| notices.iter().any(|n| n.stands == stands));
        if any {
            self.notices.update(|notices| notices.retain(|n| n.stands != stands));
        }
    }
}
