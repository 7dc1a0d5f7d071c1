//! Why a target may not be written or deleted.

use crate::sync::object::Filling;
use crate::sync::target::TargetName;

/// Why a target may not be written or deleted. Only a change of a manifest or of the target can fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Refusal {
    /// Another ExternalSecret owns it.
    #[error(
        "{target} belongs to ExternalSecret {owner:?}; give spec.target.name another name, or delete that ExternalSecret"
    )]
    OwnedByExternalSecret {
        target: TargetName,
        /// The other ExternalSecret.
        owner: String,
    },
    /// An object of another kind controls it.
    #[error("{target} is controlled by {kind} {owner:?}; give spec.target.name another name")]
    OwnedByOther {
        target: TargetName,
        /// The kind of its controller.
        kind: String,
        /// The name of its controller.
        owner: String,
    },
    /// The cluster itself creates or trusts it.
    #[error("{target} is of the type {type_:?}, which is the cluster's own; give spec.target.name another name")]
    OfTheSystem { target: TargetName, type_: String },
    /// It is immutable, and its data would change.
    #[error("{target} is immutable, so its new values cannot be written; delete it to have it recreated")]
    Immutable { target: TargetName },
    /// The template asks for a type other than the Secret's, which cannot change.
    #[error(
        "{target} has the type {existing:?}, which cannot be changed to {wanted:?}; delete it to have it recreated, or correct spec.target.template.type"
    )]
    OtherType {
        target: TargetName,
        existing: String,
        /// The requested type.
        wanted: String,
    },
    /// It lacks what the API server requires of a Secret of its type.
    #[error(
        "{target} would be of the type {type_:?}, which needs {needed}; correct spec.target.template, or the value that it is made of"
    )]
    Incomplete {
        target: TargetName,
        type_: String,
        /// What the type requires.
        needed: &'static str,
    },
    /// Its values exceed the size of a Secret.
    #[error(
        "the values of {target} have {size} bytes together, and a Secret holds 1048576 at most; divide them among several ExternalSecrets"
    )]
    TooLarge {
        target: TargetName,
        /// Their size in bytes.
        size: usize,
    },
    /// A key that is not valid in a Secret or ConfigMap.
    #[error(
        "{key:?} cannot be a key of a {kind}: keys have letters, digits, '-', '_' and '.', and at most 253 characters"
    )]
    InvalidKey {
        /// The kind of the target.
        kind: String,
        key: String,
    },
    /// Its values are gone and it should be deleted, but under its creationPolicy it belongs to somebody else.
    #[error(
        "{target} is not deleted, though its values are gone: deletionPolicy Delete needs creationPolicy Owner; set spec.target.creationPolicy: Owner, or spec.target.deletionPolicy: Retain"
    )]
    DeletionByPolicy { target: TargetName },
    /// Its values are gone and it should be deleted, but the ExternalSecret does not own it.
    #[error(
        "{target} is not deleted, though its values are gone, since this ExternalSecret does not own it; delete it by hand, or set spec.target.deletionPolicy: Retain"
    )]
    NotOwned { target: TargetName },
    /// A value is not text, as required outside of a Secret.
    #[error(
        "the value of {key:?} is not UTF-8, which {target} cannot hold; encode it in the template, as by {{{{ index . {key:?} | b64enc }}}}"
    )]
    NotText { target: TargetName, key: String },
    /// Templates write so far beyond the ends of lists that too many elements would be created.
    #[error(
        "the path {path:?} of the template fills lists of {target} up with more than the {MOST} places allowed for all paths together; use lower indexes in templateFrom.target",
        MOST = Filling::MOST
    )]
    TooMuchFilling {
        target: TargetName,
        /// The path that exceeds the limit.
        path: String,
    },
    /// A template writes into something that is not a mapping or list.
    #[error(
        "the path {path:?} of the template leads through a {found} of {target}, where it needs a {wanted}; correct templateFrom.target"
    )]
    NoPlace {
        target: TargetName,
        path: String,
        /// What the path meets.
        found: &'static str,
        /// What the path needs.
        wanted: &'static str,
    },
}
