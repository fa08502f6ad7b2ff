//! A sequence model is as good as who knows the last token alone, and no better: what came before that is not used.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

/// How far the loss may lie from that of who knows the last token alone, as a share of it.
const NEAR: f64 = 0.03;
/// Share of that loss which there has to be more to learn, where it is known how much there is.
const MORE: f64 = 0.9;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let alone = e.known.last_token?;
    let near = (e.loss() - alone).abs() <= NEAR * alone;
    let more = e.known.floor.is_none_or(|floor| floor < MORE * alone);
    if !near || !more || alone > MORE * e.known.baseline.loss || !e.is_plenty() || e.falls() || e.breaks_through() {
        return None;
    }
    let floor = e.known.floor.map(|floor| ("whoever knows the rules".to_string(), number(floor)));
    let evidence = vec![("loss".to_string(), number(e.loss())), ("last token alone".to_string(), number(alone))];
    Some(Verdict {
        title: "Context never used".to_string(),
        level: Level::Warn,
        sentence: format!(
            "Around step {} the loss stood at {}, and who looks at the last token alone loses {}. What else it is given is not used.",
            count(e.step),
            number(e.loss()),
            number(alone)
        ),
        evidence: evidence.into_iter().chain(floor).collect(),
        fix: fix::context(e.experiment),
        ..Verdict::default()
    })
}
