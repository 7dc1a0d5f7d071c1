//! Metadata of an object that another object may control, read in two steps.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{WrittenMetadata, parsed};

/// The text of `metadata`. Its `managedFields`, which are most of it, are read only if they matter.
#[derive(Default)]
pub(super) struct MetadataText(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for MetadataText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Self(Some(text)))
    }
}

impl MetadataText {
    /// The metadata without `managedFields`, and of an object that `is_child` what was written for its owner.
    ///
    /// # Errors
    /// If it is not metadata.
    pub(super) fn parsed(
        self,
        is_child: impl FnOnce(&ObjectMeta) -> bool,
    ) -> Result<(ObjectMeta, Option<Box<WrittenMetadata>>), serde_json::Error> {
        let Some(text) = self.0 else { return Ok(Default::default()) };
        let json = || serde_json::Deserializer::from_str(text.get());
        let metadata = parsed::metadata(&mut json())?;
        if !is_child(&metadata) {
            return Ok((metadata, None));
        }
        let managed = parsed::metadata_with_managed_fields(&mut json()).ok();
        let written = managed.map(|metadata| Box::new(WrittenMetadata::of(&metadata)));
        Ok((metadata, written))
    }
}
