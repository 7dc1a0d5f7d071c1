//! Why a target Secret may not be written or deleted.

/// Why a target Secret may not be written or deleted. Only a change of a manifest or of the Secret can
/// mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another ExternalSecret owns it.
    #[error(
        "Secret {secret:?} belongs to ExternalSecret {owner:?}; give spec.target.name another name, or delete that ExternalSecret"
    )]
    OwnedByExternalSecret {
        /// The Secret.
        secret: String,
        /// The other ExternalSecret.
        owner: String,
    },
    /// An object of another kind controls it.
    #[error("Secret {secret:?} is controlled by {kind} {owner:?}; give spec.target.name another name")]
    OwnedByOther {
        /// The Secret.
        secret: String,
        /// The kind of its controller.
        kind: String,
        /// The name of its controller.
        owner: String,
    },
    /// The cluster itself makes or trusts it.
    #[error(
        "Secret {secret:?} is of the type {type_:?}, which is the cluster's own; give spec.target.name another name"
    )]
    OfTheSystem {
        /// The Secret.
        secret: String,
        /// Its type.
        type_: String,
    },
    /// It is immutable and its data would change.
    #[error("Secret {secret:?} is immutable, so its new values cannot be written; delete it, and it is made again")]
    Immutable {
        /// The Secret.
        secret: String,
    },
    /// The template asks for a type that is not the Secret's, which cannot change.
    #[error(
        "Secret {secret:?} has the type {existing:?}, which cannot be changed to {wanted:?}; delete it, and it is made again, or correct spec.target.template.type"
    )]
    OtherType {
        /// The Secret.
        secret: String,
        /// Its type.
        existing: String,
        /// The type that is wanted.
        wanted: String,
    },
    /// A key cannot be a key of a Secret.
    #[error(
        "{key:?} cannot be a key of a Secret: keys have letters, digits, '-', '_' and '.', and at most 253 characters"
    )]
    InvalidKey {
        /// The key.
        key: String,
    },
    /// Its values are gone and it should be deleted, but the creationPolicy makes it someone else's.
    #[error(
        "Secret {secret:?} is not deleted, though its values are gone: deletionPolicy Delete needs creationPolicy Owner; set spec.target.creationPolicy: Owner, or spec.target.deletionPolicy: Retain"
    )]
    DeletionByPolicy {
        /// The Secret.
        secret: String,
    },
    /// Its values are gone and it should be deleted, but the ExternalSecret does not own it.
    #[error(
        "Secret {secret:?} is not deleted, though its values are gone, since this ExternalSecret does not own it; delete it by hand, or set spec.target.deletionPolicy: Retain"
    )]
    NotOwned {
        /// The Secret.
        secret: String,
    },
}
