//! What a session needs next, for whoever lets it work.

use web_time::Instant;

/// What a session needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do at once.
    Now,
    /// Nothing to do before the device has done some of what it was given, see [`crate::Session::landing`].
    Device,
    /// Nothing to do before this moment.
    At(Instant),
    /// Nothing to do until it is told something.
    Rest,
}
