//! Checks of generators, and of references to them.

use super::Problem;
use crate::api::generators::{Described, GROUP, Generator, GeneratorKind, GeneratorSpec, VERSION};
use crate::api::v1::external_secret::{ExternalSecretSpec, GeneratorRef, RefreshPolicy};
use crate::provider::RegistryView;
use crate::provider::azure::{Options, validate as azurekv};

/// Why a reference does not name a supported generator. The messages are ESO's where ESO has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// `apiVersion` is invalid.
    #[error("generatorRef has invalid APIVersion: {0:?}; leave it out")]
    InvalidVersion(String),
    /// Another group.
    #[error("generatorRef may only reference the generators group, but got {0}; leave apiVersion out")]
    OtherGroup(String),
    /// Another version of the group.
    #[error("generatorRef references unknown GVK {0}; the version served is v1alpha1")]
    OtherVersion(String),
    /// It sends a tenant's text to any address that the tenant chooses.
    #[error(
        "generatorRef names a Webhook, which is not served by this controller: it would send requests from here to any host that whoever writes it names; the kinds served are {KINDS}"
    )]
    Webhook,
    /// A kind that ESO supports and this controller does not.
    #[error("generatorRef names the kind {0}, which is not served by this controller; the kinds served are {KINDS}")]
    NotServed(String),
    /// An unknown kind.
    #[error("generatorRef references unknown GVK {0}; the kinds served are {KINDS}")]
    UnknownKind(String),
}

const KINDS: &str = "ACRAccessToken, ClusterGenerator, Fake, Password, SSHKey and UUID";

/// The kinds that ESO supports and this controller does not.
const OTHERS: [&str; 12] = [
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "CloudsmithAccessToken",
    "ECRAuthorizationToken",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "Grafana",
    "MFA",
    "QuayAccessToken",
    "STSSessionToken",
    "VaultDynamicSecret",
    "Webhook",
];

/// The kind of generator that a reference names.
///
/// # Errors
/// [`ReferenceError`]
pub fn kind(reference: &GeneratorRef) -> Result<GeneratorKind, ReferenceError> {
    let GeneratorRef { api_version, kind, .. } = reference;
    let (group, version) = match api_version.split('/').collect::<Vec<_>>()[..] {
        [version] if !version.is_empty() => ("", version),
        [group, version] if !version.is_empty() => (group, version),
        _ => return Err(ReferenceError::InvalidVersion(api_version.clone())),
    };
    if group != GROUP {
        return Err(ReferenceError::OtherGroup(group.to_owned()));
    }
    let gvk = || format!("{group}/{version}, Kind={kind}");
    if version != VERSION {
        return Err(ReferenceError::OtherVersion(gvk()));
    }
    match GeneratorKind::named(kind) {
        Some(kind) => Ok(kind),
        None if kind == "Webhook" => Err(ReferenceError::Webhook),
        None if OTHERS.contains(&kind.as_str()) => Err(ReferenceError::NotServed(kind.clone())),
        None => Err(ReferenceError::UnknownKind(gvk())),
    }
}

/// What is wrong with a generator; `spec` is its text.
#[must_use]
pub fn warnings(kind: GeneratorKind, spec: &str, namespace: Option<&str>, azure: &Options) -> Vec<Problem> {
    let object = format!(r#"{{"spec":{spec}}}"#);
    let read = serde_json::from_str::<Generator>(&object).map_err(|_| Problem::new("spec", "is no JSON"));
    match read.map(|generator| generator.described(kind)) {
        Err(problem) => vec![problem],
        Ok(Err(field)) => vec![Problem::new(field.path, field.problem)],
        Ok(Ok(Described::One(spec))) => of_spec(&spec, "spec", namespace, azure),
        Ok(Ok(Described::Cluster(cluster))) => match cluster.served() {
            Ok(inner) => of_spec(&inner, &format!("spec.generator.{}", member(&inner)), namespace, azure),
            Err(error) => vec![Problem::new("spec.kind", error.to_string())],
        },
    }
}

fn of_spec(spec: &GeneratorSpec, at: &str, namespace: Option<&str>, azure: &Options) -> Vec<Problem> {
    // What a generator reports about itself begins with the field.
    let found = |text: String| match text.strip_prefix("spec.").and_then(|text| text.split_once(": ")) {
        Some((field, problem)) => Problem::new(format!("{at}.{field}"), problem),
        None => Problem::new(at, text),
    };
    match spec {
        GeneratorSpec::Password(spec) => {
            crate::generator::password::check(spec).err().map(|error| found(error.to_string())).into_iter().collect()
        }
        GeneratorSpec::SshKey(spec) => {
            crate::generator::ssh_key::check(spec).err().map(|error| found(error.to_string())).into_iter().collect()
        }
        GeneratorSpec::AcrAccessToken(spec) => {
            // The ExternalSecret is unknown here. What a ClusterGenerator refers to is checked when it is used.
            let view =
                RegistryView { is_of_cluster: namespace.is_none(), namespace: namespace.unwrap_or_default(), spec };
            let problems = azurekv::registry(&view, azure).into_iter();
            let problems = problems.filter(|problem| namespace.is_some() || !problem.field.ends_with(".namespace"));
            problems.map(|problem| Problem::new(format!("{at}.{}", problem.field), problem.problem)).collect()
        }
        GeneratorSpec::Fake(_) | GeneratorSpec::Uuid(_) => Vec::new(),
    }
}

const fn member(spec: &GeneratorSpec) -> &'static str {
    match spec {
        GeneratorSpec::AcrAccessToken(_) => "acrAccessTokenSpec",
        GeneratorSpec::Fake(_) => "fakeSpec",
        GeneratorSpec::Password(_) => "passwordSpec",
        GeneratorSpec::SshKey(_) => "sshKeySpec",
        GeneratorSpec::Uuid(_) => "uuidSpec",
    }
}

/// What is probably a mistake in the generators that an ExternalSecret uses.
pub(super) fn of_external_secret(spec: &ExternalSecretSpec) -> Vec<Problem> {
    let entries = spec.data_from.iter().enumerate();
    let references =
        entries.filter_map(|(index, entry)| Some((index, entry.source_ref.as_ref()?.generator_ref.as_ref()?)));
    let mut warnings = Vec::new();
    for (index, reference) in references {
        let field = format!("spec.dataFrom[{index}].sourceRef.generatorRef");
        match kind(reference) {
            Err(error) => warnings.push(Problem::new(field, error.to_string())),
            Ok(GeneratorKind::AcrAccessToken) if !is_renewed(spec) => {
                let problem = "its token ends within hours and is not renewed with refreshPolicy OnChange or CreatedOnce, or the refreshInterval 0; give an interval";
                warnings.push(Problem::new(field, problem));
            }
            Ok(_) => {}
        }
    }
    warnings
}

/// Whether a token is renewed before it expires.
fn is_renewed(spec: &ExternalSecretSpec) -> bool {
    matches!(spec.refresh_policy, None | Some(RefreshPolicy::Periodic))
        && spec.refresh_interval.is_none_or(|interval| interval.positive().is_some())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn reference(fields: &Value) -> GeneratorRef {
        let mut reference = json!({"kind": "Password", "name": "p"});
        reference.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(reference).unwrap()
    }

    #[rstest]
    #[case(json!({"apiVersion": ""}), "generatorRef has invalid APIVersion: ")]
    #[case(json!({"apiVersion": "a/b/c"}), "generatorRef has invalid APIVersion: ")]
    #[case(json!({"apiVersion": "v1"}), "generatorRef may only reference the generators group, but got ")]
    #[case(json!({"apiVersion": "external-secrets.io/v1"}), "generatorRef may only reference the generators group, but got external-secrets.io")]
    #[case(json!({"apiVersion": "generators.external-secrets.io/v1"}), "generatorRef references unknown GVK generators.external-secrets.io/v1, Kind=Password")]
    #[case(json!({"kind": "Nothing"}), "generatorRef references unknown GVK ")]
    #[case(json!({"kind": "Webhook"}), "generatorRef names a Webhook, which is not served")]
    #[case(json!({"kind": "MFA"}), "generatorRef names the kind MFA, which is not served by this controller; the kinds served are ACRAccessToken")]
    fn a_reference_to_an_unsupported_kind_is_reported_in_the_words_of_eso(#[case] fields: Value, #[case] words: &str) {
        let error = kind(&reference(&fields)).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
    }

    #[test]
    fn every_kind_of_eso_is_served_or_recognized() {
        let schema = crate::api::crd::external_secret_schema();
        let fields = crate::api::crd::fields("", &schema);
        let kinds = fields.iter().find(|field| field.path == ".spec.dataFrom[].sourceRef.generatorRef.kind").unwrap();
        for name in kinds.values() {
            let found = kind(&reference(&json!({"kind": name})));
            assert!(!matches!(found, Err(ReferenceError::UnknownKind(_))), "{name}");
        }
    }

    fn told(kind: GeneratorKind, spec: &Value, namespace: Option<&str>) -> Vec<String> {
        let all = warnings(kind, &spec.to_string(), namespace, &Options::default());
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_generator_cannot_make_is_warned_of_with_its_field() {
        let long = told(GeneratorKind::Password, &json!({"length": 9999}), Some("team"));
        assert!(long[0].starts_with("spec.length: 9999 is not between 0 and 4096"), "{long:?}");
        let size = json!({"kind": "SSHKey", "generator": {"sshKeySpec": {"keySize": 1024}}});
        let size = told(GeneratorKind::ClusterGenerator, &size, None);
        assert!(size[0].starts_with("spec.generator.sshKeySpec.keySize: RSA keys of 1024 bits"), "{size:?}");
        let ecr = json!({"kind": "ECRAuthorizationToken", "generator": {"ecrAuthorizationTokenSpec": {}}});
        assert!(
            told(GeneratorKind::ClusterGenerator, &ecr, None)[0].starts_with("spec.kind: ClusterGenerator has kind")
        );
        let registry = json!({"registry": "evil.example", "auth": {"managedIdentity": {}}});
        let registry = told(GeneratorKind::AcrAccessToken, &registry, Some("team"));
        assert!(registry[0].starts_with("spec.registry: \"evil.example\" is not a registry"), "{registry:?}");
        assert!(registry[1].starts_with("spec.auth: auth.managedIdentity is the identity of"), "{registry:?}");
        assert!(told(GeneratorKind::Uuid, &json!({}), Some("team")).is_empty());
    }

    #[test]
    fn a_token_that_is_not_renewed_is_warned_of() {
        let entry = json!([{"sourceRef": {"generatorRef": {"kind": "ACRAccessToken", "name": "a"}}}]);
        let of = |fields: Value| {
            let mut spec = json!({"dataFrom": entry});
            spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            of_external_secret(&serde_json::from_value(spec).unwrap()).len()
        };
        assert_eq!(of(json!({"refreshInterval": "1h"})), 0);
        assert_eq!((of(json!({"refreshInterval": "0"})), of(json!({"refreshPolicy": "OnChange"}))), (1, 1));
    }
}
