//! A generator of any kind, as it is watched.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::cluster_generator::ClusterGeneratorSpec;
use super::kind::{API_VERSION, GROUP, GeneratorKind, VERSION};
use super::spec::GeneratorSpec;
use crate::api::Parsed;
use crate::api::parsed::{self, InvalidField};

/// A generator of any kind, as it is watched. The watch knows the kind.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Generator {
    /// Standard metadata; no namespace for a ClusterGenerator.
    #[serde(default, deserialize_with = "parsed::metadata")]
    pub metadata: ObjectMeta,
    /// The spec as text, which is parsed when an ExternalSecret uses the generator.
    #[serde(default)]
    spec: Option<Box<RawValue>>,
}

impl Generator {
    /// The length of its spec in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.spec.as_deref().map_or(0, |text| text.get().len())
    }

    /// The spec, parsed as that of an object of this kind.
    ///
    /// # Errors
    /// If the spec does not fit the kind's schema, because another version of the CRD admitted it.
    pub fn described(&self, kind: GeneratorKind) -> Result<Described, InvalidField> {
        let text = self.spec.as_deref().map_or("{}", RawValue::get);
        match kind {
            GeneratorKind::AcrAccessToken => Ok(Described::One(GeneratorSpec::AcrAccessToken(read(text)?))),
            GeneratorKind::Fake => Ok(Described::One(GeneratorSpec::Fake(read(text)?))),
            GeneratorKind::Password => Ok(Described::One(GeneratorSpec::Password(read(text)?))),
            GeneratorKind::SshKey => Ok(Described::One(GeneratorSpec::SshKey(read(text)?))),
            GeneratorKind::Uuid => Ok(Described::One(GeneratorSpec::Uuid(read(text)?))),
            GeneratorKind::ClusterGenerator => Ok(Described::Cluster(read(text)?)),
        }
    }
}

fn read<T: DeserializeOwned + Clone>(text: &str) -> Result<Box<T>, InvalidField> {
    let spec: Parsed<T> = serde_json::from_str(text)
        .map_err(|_| InvalidField { path: "spec".to_owned(), problem: "is not JSON that can be read".to_owned() })?;
    spec.get().cloned().map(Box::new).map_err(Clone::clone)
}

/// The spec of a generator.
#[derive(Clone, Debug)]
pub enum Described {
    /// A namespaced generator.
    One(GeneratorSpec),
    /// A `ClusterGenerator`, which contains another.
    Cluster(Box<ClusterGeneratorSpec>),
}

impl Resource for Generator {
    type DynamicType = GeneratorKind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &GeneratorKind) -> Cow<'_, str> {
        kind.name().into()
    }
    fn group(_: &GeneratorKind) -> Cow<'_, str> {
        GROUP.into()
    }
    fn version(_: &GeneratorKind) -> Cow<'_, str> {
        VERSION.into()
    }
    fn api_version(_: &GeneratorKind) -> Cow<'_, str> {
        API_VERSION.into()
    }
    fn plural(kind: &GeneratorKind) -> Cow<'_, str> {
        kind.plural().into()
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
    use serde_json::json;

    use super::*;

    fn generator(spec: &serde_json::Value) -> Generator {
        serde_json::from_value(json!({"metadata": {"name": "g"}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_spec_is_read_as_its_kind_says_with_the_defaults_of_the_schema() {
        let spec = generator(&json!({"digits": 3})).described(GeneratorKind::Password).unwrap();
        let Described::One(GeneratorSpec::Password(spec)) = spec else { panic!("{spec:?}") };
        assert_eq!((spec.length, spec.digits, spec.no_upper, spec.allow_repeat), (24, Some(3), false, false));
        assert!(matches!(
            Generator::default().described(GeneratorKind::Uuid),
            Ok(Described::One(GeneratorSpec::Uuid(_)))
        ));
    }

    #[test]
    fn a_spec_that_does_not_fit_names_the_field() {
        let error = generator(&json!({"length": "long"})).described(GeneratorKind::Password).unwrap_err();
        assert_eq!(error.path, "spec.length");
    }

    #[test]
    fn a_cluster_generator_of_an_unsupported_kind_is_read_and_recognized() {
        let of = |spec| match generator(&spec).described(GeneratorKind::ClusterGenerator) {
            Ok(Described::Cluster(spec)) => spec.served().map(|served| format!("{served:?}")),
            other => panic!("{other:?}"),
        };
        let ecr =
            of(json!({"kind": "ECRAuthorizationToken", "generator": {"ecrAuthorizationTokenSpec": {"region": "x"}}}));
        assert!(ecr.unwrap_err().to_string().contains("ECRAuthorizationToken"));
        let unset = of(json!({"kind": "Password", "generator": {"uuidSpec": {}}})).unwrap_err();
        assert_eq!(unset.to_string(), "invalid ClusterGenerator: when kind is Password, passwordSpec must be set");
        assert!(of(json!({"kind": "UUID", "generator": {"uuidSpec": {}}})).unwrap().starts_with("Uuid"));
    }
}
