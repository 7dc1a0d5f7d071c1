//! What an ExternalSecret may ask of ESO and not yet of this controller. Doing half of it in silence
//! would be worse than saying so.

use super::Problem;
use crate::api::v1::external_secret::{
    ConversionStrategy, CreationPolicy, DecodingStrategy, DeletionPolicy, ExternalSecretData, ExternalSecretSpec,
    ExternalSecretTarget, NullBytePolicy, RemoteRef,
};

const NOT_YET: &str = "is not supported yet by this controller; leave it out, or keep this ExternalSecret with ESO by a store of another class (spec.controller)";

/// The fields whose values are not supported yet; empty if all are.
#[must_use]
pub fn check(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let mut fields = Vec::new();
    if !spec.data_from.is_empty() {
        fields.push("spec.dataFrom".to_owned());
    }
    if spec.sync_windows.is_some() {
        fields.push("spec.syncWindows".to_owned());
    }
    fields.extend(spec.target.as_ref().into_iter().flat_map(target));
    fields.extend(spec.data.iter().enumerate().flat_map(|(index, entry)| data(index, entry)));
    fields.into_iter().map(|field| Problem::new(field, NOT_YET)).collect()
}

fn target(target: &ExternalSecretTarget) -> Vec<String> {
    let unsupported = [
        (target.template.is_some(), "template"),
        (target.manifest.is_some(), "manifest"),
        (target.immutable == Some(true), "immutable"),
        (target.creation_policy != CreationPolicy::Owner, "creationPolicy"),
        (target.deletion_policy != DeletionPolicy::Retain, "deletionPolicy"),
    ];
    unsupported.into_iter().filter(|(used, _)| *used).map(|(_, field)| format!("spec.target.{field}")).collect()
}

fn data(index: usize, entry: &ExternalSecretData) -> Vec<String> {
    let mut fields: Vec<String> =
        reference(&entry.remote_ref).into_iter().map(|field| format!("spec.data[{index}].remoteRef.{field}")).collect();
    if entry.source_ref.is_some() {
        fields.push(format!("spec.data[{index}].sourceRef"));
    }
    fields
}

fn reference(reference: &RemoteRef) -> Vec<&'static str> {
    let unsupported = [
        (reference.conversion_strategy.unwrap_or_default() != ConversionStrategy::Default, "conversionStrategy"),
        (reference.decoding_strategy.unwrap_or_default() != DecodingStrategy::None, "decodingStrategy"),
        (reference.null_byte_policy.unwrap_or_default() != NullBytePolicy::Ignore, "nullBytePolicy"),
    ];
    unsupported.into_iter().filter(|(used, _)| *used).map(|(_, field)| field).collect()
}
