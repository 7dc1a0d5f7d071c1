//! The custom resources of the groups `external-secrets.io` and `generators.external-secrets.io`: their types and
//! constants, and the CRDs generated from them. Contains no client and does no I/O.

pub mod child_metadata;
mod controllable;
pub mod crd;
pub mod duration;
pub mod field_path;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod generators;
pub mod limits;
pub mod object_name;
pub mod parsed;
pub mod schedule;
mod schema;
pub mod selection;
pub mod template_target;
pub mod v1;
pub mod v1alpha1;

pub use child_metadata::{ChildMetadata, WrittenMetadata};
pub use duration::GoDuration;
pub use field_path::FieldPath;
pub use parsed::Parsed;
pub use schedule::Schedule;
pub use selection::Selection;
pub use template_target::TemplateTarget;

/// The API group of every resource here.
pub const GROUP: &str = "external-secrets.io";

/// The field manager of ESO's controllers, used here so that fields written by ESO count as our own.
pub const FIELD_MANAGER: &str = "external-secrets";

/// Whether an `apiVersion` belongs to [`GROUP`].
#[must_use]
pub fn is_ours(api_version: &str) -> bool {
    api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
}

/// Label on every target Secret; the controller watches only Secrets that carry it.
pub const LABEL_MANAGED: &str = "reconcile.external-secrets.io/managed";
/// The value of [`LABEL_MANAGED`].
pub const LABEL_MANAGED_VALUE: &str = "true";
/// Label on a target Secret with `creationPolicy: Owner`: the hash of the ExternalSecret's
/// `namespace/name`.
pub const LABEL_OWNER: &str = "reconcile.external-secrets.io/created-by";
/// Annotation on a target Secret: the hash of its data when it was last written.
pub const ANNOTATION_DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";

/// The finalizer that ESO 2.x adds to ExternalSecrets. This controller adds it only if the garbage collector would not
/// delete the target, and removes it from objects that are being deleted.
pub const FINALIZER_EXTERNAL_SECRET: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
/// The finalizer that ESO adds to stores that PushSecrets use.
pub const FINALIZER_STORE: &str = "secretstore.externalsecrets.io/finalizer";

/// The finalizer that ESO adds to ClusterExternalSecrets. Here the garbage collector does its work; it is removed from
/// objects that are being deleted.
pub const FINALIZER_CLUSTER_EXTERNAL_SECRET: &str = "externalsecrets.external-secrets.io/clusterexternalsecret-cleanup";
/// The prefix of the finalizers that ESO adds to Namespaces; the name of the ClusterExternalSecret follows.
pub const FINALIZER_NAMESPACE_PREFIX: &str = "externalsecrets.external-secrets.io/ces-";
/// The annotation that asks for a refresh in ESO's documentation. The status says which text of it was answered last.
pub const ANNOTATION_REFRESH: &str = "force-sync";
/// The finalizer that ESO puts on PushSecrets whose objects are to be deleted with them.
pub const FINALIZER_PUSH_SECRET: &str = "pushsecret.externalsecrets.io/finalizer";
/// The annotation by which a PushSecret takes over objects that are not tagged as managed: their remote keys, separated by commas.
pub const ANNOTATION_ADOPT: &str = "external-secrets.io/adopt-remote-keys";
/// The annotation by which a ClusterSecretStore lets PushSecrets do that: `true`.
pub const ANNOTATION_ALLOW_ADOPTION: &str = "external-secrets.io/allow-adoption";
/// The annotation that asks for a refresh; a ClusterExternalSecret hands it on to its ExternalSecrets.
pub const ANNOTATION_FORCE_SYNC: &str = "external-secrets.io/force-sync";

/// The version in which the resources are served. Both have the same schema; `v1` is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServedVersion {
    /// `external-secrets.io/v1`
    #[default]
    V1,
    /// `external-secrets.io/v1beta1`, the only version in CRDs of ESO before v0.16.
    V1beta1,
}

impl ServedVersion {
    /// The version's name, as in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1beta1 => "v1beta1",
        }
    }

    /// `group/version`, as in `apiVersion`.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "external-secrets.io/v1",
            Self::V1beta1 => "external-secrets.io/v1beta1",
        }
    }
}
