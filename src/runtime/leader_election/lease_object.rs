//! A Lease as it is read and written here.
//!
//! Anybody who may write the Lease chooses its content, and the API server accepts times that `k8s-openapi` cannot
//! parse: Go's end with the year 9999, `jiff`'s a day earlier. With a type of that crate, one such time would keep all
//! replicas from leading forever.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::answers::metadata::{lenient, without_managed_fields};

/// A Lease with only the fields that are used here.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Lease {
    #[serde(default, deserialize_with = "without_managed_fields")]
    pub(super) metadata: ObjectMeta,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) spec: LeaseSpec,
}

/// The content of a Lease. A field with an unexpected type is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LeaseSpec {
    /// The holder; empty if there is none.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) holder_identity: Option<String>,
    /// How long others wait for a holder that does not renew it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) lease_duration_seconds: Option<i32>,
    /// Since when it has been held. This and the next field are times of another machine. They are written back as they
    /// were read and never used in calculations.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) acquire_time: Option<String>,
    /// When it was last renewed.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) renew_time: Option<String>,
    /// How often the holder has changed.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) lease_transitions: Option<i32>,
    /// How a coordinator chooses the leader, if there is one. Kept as it is.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) strategy: Option<String>,
    /// The leader that a coordinator prefers. Kept as it is.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(super) preferred_holder: Option<String>,
}

fn or_default<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<LeaseSpec, D::Error> {
    lenient(deserializer).map(Option::unwrap_or_default)
}

/// A time in a Lease's format: UTC, with microseconds.
pub(super) fn micro_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

impl Serialize for Lease {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Lease", 4)?;
        object.serialize_field("apiVersion", &Self::api_version(&()))?;
        object.serialize_field("kind", &Self::kind(&()))?;
        object.serialize_field("metadata", &self.metadata)?;
        object.serialize_field("spec", &self.spec)?;
        object.end()
    }
}

impl Resource for Lease {
    type DynamicType = ();
    type Scope = <coordination::Lease as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        coordination::Lease::kind(&())
    }
    fn group((): &()) -> Cow<'_, str> {
        coordination::Lease::group(&())
    }
    fn version((): &()) -> Cow<'_, str> {
        coordination::Lease::version(&())
    }
    fn plural((): &()) -> Cow<'_, str> {
        coordination::Lease::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_lease_is_read_whatever_its_fields_contain() {
        for (field, value) in [
            ("renewTime", json!("9999-12-31T23:59:59.999999Z")),
            ("acquireTime", json!("9999-12-31T23:59:59.999999Z")),
            ("renewTime", json!("yesterday")),
            ("acquireTime", json!(7)),
            ("leaseDurationSeconds", json!("long")),
            ("leaseDurationSeconds", json!(1_u64 << 40)),
            ("leaseTransitions", json!([])),
            ("strategy", json!({})),
        ] {
            let mut object =
                json!({"metadata": {"name": "l", "managedFields": [{"time": value}]}, "spec": {"holderIdentity": "a"}});
            object["spec"][field] = value.clone();
            let lease: Lease = serde_json::from_value(object).unwrap();
            assert_eq!(lease.spec.holder_identity.as_deref(), Some("a"), "{field}: {value}");
        }
        for spec in [json!(null), json!(7), json!({"holderIdentity": {}})] {
            let lease: Lease = serde_json::from_value(json!({"metadata": {"name": "l"}, "spec": spec})).unwrap();
            assert_eq!(lease.spec, LeaseSpec::default());
        }
    }

    #[test]
    fn what_is_read_is_written_again() {
        let spec = json!({
            "holderIdentity": "a", "leaseDurationSeconds": 15, "acquireTime": "9999-12-31T23:59:59.999999Z",
            "renewTime": "2026-01-01T00:00:00.000001Z", "leaseTransitions": 3,
            "strategy": "OldestEmulationVersion", "preferredHolder": "b",
        });
        let object = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec,
        });
        let lease: Lease = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(serde_json::to_value(lease).unwrap(), object);
    }

    #[test]
    fn times_are_written_as_those_of_kubernetes_are() {
        for nanosecond in [0, 1_000, 123_456_789, 999_999_999] {
            let time = Timestamp::new(1_700_000_000, nanosecond).unwrap();
            let expected = serde_json::to_value(MicroTime(time)).unwrap();
            assert_eq!(Value::from(micro_time(time)), expected);
        }
    }
}
