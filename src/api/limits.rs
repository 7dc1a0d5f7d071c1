//! How many items the lists of a manifest may have. The CRDs declare this with `maxItems`, and the controllers check it
//! again, because an older CRD may have admitted a stored object.
//!
//! A Secret holds 1 MiB; manifests written by people have about 100 entries at most.

/// `spec.data`.
pub const DATA: usize = 1000;
/// `spec.dataFrom`.
pub const DATA_FROM: usize = 200;
/// `spec.dataFrom[].rewrite`.
pub const REWRITES: usize = 100;
/// `spec.dataFrom[].rewrite[].merge.priority`.
pub const PRIORITIES: usize = 1000;
/// `spec.target.template.templateFrom`.
pub const TEMPLATE_FROM: usize = 200;
/// `spec.target.template.templateFrom[].configMap.items`, and those of `secret`.
pub const TEMPLATE_ITEMS: usize = 200;
/// `spec.target.template.metadata.finalizers`.
pub const FINALIZERS: usize = 100;
/// `spec.syncWindows.windows`.
pub const WINDOWS: usize = 100;
/// `spec.conditions` of a store.
pub const CONDITIONS: usize = 200;
/// `spec.conditions[].namespaces`.
pub const NAMESPACES: usize = 5000;
/// `spec.conditions[].namespaceRegexes`.
pub const NAMESPACE_REGEXES: usize = 200;
/// `spec.provider.fake.data`.
pub const FAKE_DATA: usize = 5000;
/// `spec.provider.azurekv.serviceAccountRef.audiences`.
pub const AUDIENCES: usize = 100;
/// `spec.secretStoreRefs` of a PushSecret.
pub const PUSH_STORES: usize = 100;
/// The labels and expressions of each label selector of a PushSecret. Each changed Secret of the namespace is compared with them.
pub const SELECTOR: usize = 100;
