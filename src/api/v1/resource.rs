//! What the kinds of this group share.

/// Implements [`kube::Resource`] for a kind that is served in the versions of
/// [`ServedVersion`](crate::api::ServedVersion) and has `KIND`, `PLURAL` and `metadata`.
macro_rules! served_resource {
    ($kind:ty) => {
        impl kube::Resource for $kind {
            type DynamicType = $crate::api::ServedVersion;
            type Scope = kube::core::DynamicResourceScope;

            fn kind(_: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                Self::KIND.into()
            }
            fn group(_: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                $crate::api::GROUP.into()
            }
            fn version(version: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                version.name().into()
            }
            fn api_version(version: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
                version.api_version().into()
            }
            fn plural(_: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
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

pub(super) use served_resource;
