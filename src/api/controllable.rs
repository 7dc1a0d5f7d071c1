//! Objects that another object may control, read in two steps.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Parsed, WrittenMetadata, parsed};

/// An object that another one may control.
pub(super) struct Controllable<Spec, Status> {
    /// Without `managedFields`.
    pub(super) metadata: ObjectMeta,
    pub(super) spec: Parsed<Spec>,
    /// `None` if it does not fit the schema.
    pub(super) status: Option<Status>,
    /// What was written into its metadata for its owner, if it is a child.
    pub(super) written: Option<Box<WrittenMetadata>>,
}

impl<Spec: DeserializeOwned + Default, Status: DeserializeOwned> Controllable<Spec, Status> {
    /// Reads an object. `controller` names the object that controls one with this metadata.
    ///
    /// # Errors
    /// If its metadata is none.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        controller: impl FnOnce(&ObjectMeta) -> Option<&str>,
    ) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "Spec: DeserializeOwned + Default, Status: DeserializeOwned")]
        struct Object<Spec, Status> {
            #[serde(default)]
            metadata: MetadataText,
            #[serde(default)]
            spec: Parsed<Spec>,
            #[serde(default, deserialize_with = "parsed::or_none")]
            status: Option<Status>,
        }
        let Object { metadata, spec, status } = Object::deserialize(deserializer)?;
        let (metadata, written) = metadata.parsed(|meta| controller(meta).is_some()).map_err(D::Error::custom)?;
        Ok(Self { metadata, spec, status, written })
    }
}

/// The text of `metadata`. Its `managedFields`, which are most of it, are read only if they matter.
#[derive(Default)]
struct MetadataText(Option<Box<RawValue>>);

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
    fn parsed(
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
