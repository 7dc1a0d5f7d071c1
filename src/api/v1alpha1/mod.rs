//! The resources of `external-secrets.io/v1alpha1`, which are served in that version alone.

pub mod cluster_push_secret;
mod controller;
pub mod push_secret;

use kube::core::DynamicResourceScope;

pub use cluster_push_secret::{ClusterPushSecret, ClusterPushSecretSpec, ClusterPushSecretStatus};
pub use controller::controlling_cluster_push_secret;
pub use push_secret::{PushSecret, PushSecretSpec, PushSecretStatus};

use super::GROUP;

/// The version, as it stands in a URL.
pub const VERSION: &str = "v1alpha1";
/// `group/version`, as it stands in `apiVersion`.
pub const API_VERSION: &str = "external-secrets.io/v1alpha1";

/// Implements [`kube::Resource`] for a kind that is served in `v1alpha1` alone: it has `KIND`, `PLURAL` and `metadata`.
macro_rules! alpha_resource {
    ($kind:ty) => {
        impl kube::Resource for $kind {
            type DynamicType = ();
            type Scope = DynamicResourceScope;
            fn kind((): &()) -> std::borrow::Cow<'static, str> {
                Self::KIND.into()
            }
            fn group((): &()) -> std::borrow::Cow<'static, str> {
                GROUP.into()
            }
            fn version((): &()) -> std::borrow::Cow<'static, str> {
                VERSION.into()
            }
            fn api_version((): &()) -> std::borrow::Cow<'static, str> {
                API_VERSION.into()
            }
            fn plural((): &()) -> std::borrow::Cow<'static, str> {
                Self::PLURAL.into()
            }
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

alpha_resource!(PushSecret);
alpha_resource!(ClusterPushSecret);
