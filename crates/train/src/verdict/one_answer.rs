//! All answers of a part of the data are the same: guessing it costs nothing, so no loss can say how the network does.

use downhill_protocol::Verdict;

use super::evidence::Evidence;
use super::words::number;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let guessing = e.known.baseline.loss;
    if guessing > 0.0 || guessing.is_nan() || e.evaluations.is_empty() {
        return None;
    }
    Some(Verdict {
        title: "One answer only".to_string(),
        sentence: "What is to be learned, or what is held out, has the same answer everywhere, so always giving that one costs nothing. \
                   With more rows it can be told how the network does."
            .to_string(),
        evidence: vec![("loss".to_string(), number(e.loss())), e.guessing()],
        ..Verdict::default()
    })
}
