//! What would be done with an object.

/// What would be done with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is as it should be, or left as it is.
    None,
    /// It cannot be done: the controller would report an error.
    Refuse,
}
