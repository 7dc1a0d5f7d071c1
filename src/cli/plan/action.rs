//! What would be done with an object.

/// What would be done with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Action {
    Create,
    Update,
    Delete,
    /// It is up to date, or left alone.
    None,
    /// Nothing: the controller would report an error.
    Refuse,
}
