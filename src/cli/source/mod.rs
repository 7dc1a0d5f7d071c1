//! Manifests as their authors wrote them: with the place of each field in the text, so that a problem is shown where it is and a
//! fix changes nothing else.

pub(super) mod documents;
pub(super) mod edit;
pub(super) mod tree;
