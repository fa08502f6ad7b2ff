//! What an edit did, for whoever asked for it.

use downhill_protocol::KeptWeights;

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// Only numbers changed that every step reads anew: nothing was compiled, nothing lost.
    Live,
    /// Programs were compiled anew; weights that still fit stayed.
    Rebuilt(KeptWeights),
    /// A new run: initial weights, step 0.
    Fresh,
}
