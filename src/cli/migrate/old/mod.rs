//! Objects of other tools become ExternalSecrets and stores. Each tool has a file that says what its fields become; nothing of a cluster is needed for
//! that, so that it is the same with manifests and with what is in a cluster.

pub(super) mod akv2k8s;
mod certificate;
mod choice;
mod draft;
mod metadata;
pub(super) mod objects;
pub(super) mod pod_identity;
mod print;
pub(super) mod provider_class;
mod report;
pub(super) mod run;
mod vault;
mod workloads;
