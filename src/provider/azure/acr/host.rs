//! The host of a registry, as a generator names it.

use super::super::cloud::{RegistryCloud, is_listed};
use super::super::diagnose::{Cause, Diagnosis, text};

const FIELD: &str = "registry";

/// A registry's host that may receive a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RegistryHost(String);

impl RegistryHost {
    /// Checks `registry`: only a registry of `cloud`, or a host that the operator lists, may receive a token.
    pub(super) fn parse(registry: &str, cloud: &RegistryCloud, listed: &[String]) -> Result<Self, Diagnosis> {
        let example = format!("give a login server such as my-registry.{}", cloud.suffix.unwrap_or("azurecr.io"));
        let refuse = |why: &str, remedy: &str| {
            let shown = text::stable(registry);
            Diagnosis::of_field(Cause::GeneratorInvalid, FIELD, format!("\"{shown}\" {why}")).hint(remedy)
        };
        if registry.is_empty() {
            return Err(Diagnosis::of_field(Cause::GeneratorInvalid, FIELD, "is missing").hint(example));
        }
        let host = registry.to_ascii_lowercase();
        if !is_domain(&host) {
            return Err(refuse(
                "is not just a host (letters, digits, hyphens and dots, without a scheme, port or path)",
                &example,
            ));
        }
        let name = cloud.suffix.and_then(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'));
        match name {
            Some(name) if name.rsplit('.').next() == Some("data") => {
                Err(refuse("is a data endpoint, which issues no tokens", &example))
            }
            Some(_) => Ok(Self(host)),
            None if is_listed(&host, listed) => Ok(Self(host)),
            None => {
                let remedy = format!(
                    "{example} (a private endpoint is reached by that name too), or set environmentType to the registry's cloud, or have the operator list the host with --azure-extra-host"
                );
                Err(refuse("is not a registry of the generator's cloud, so it gets no token", &remedy))
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a domain name with at least two labels.
fn is_domain(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.contains('.') && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::super::Options;
    use super::*;
    use crate::api::v1::secret_store::AzureEnvironmentType;

    fn parse(registry: &str, environment: AzureEnvironmentType, listed: &[&str]) -> Result<String, Diagnosis> {
        let cloud = RegistryCloud::of(environment, "environmentType", false, &Options::default()).unwrap();
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        RegistryHost::parse(registry, &cloud, &listed).map(|host| host.0)
    }

    #[rstest]
    #[case("team.azurecr.io")]
    #[case("Team.azurecr.io")]
    #[case("team-abc123.azurecr.io")]
    #[case("team.westeurope.geo.azurecr.io")]
    fn registries_of_the_cloud_are_taken(#[case] registry: &str) {
        assert_eq!(parse(registry, AzureEnvironmentType::PublicCloud, &[]).unwrap(), registry.to_lowercase());
    }

    #[rstest]
    #[case("")]
    #[case("azurecr.io")]
    #[case(".azurecr.io")]
    #[case("evil.example.com")]
    #[case("x.azurecr.io.evil")]
    #[case("evil/?.azurecr.io")]
    #[case("evil#.azurecr.io")]
    #[case("user@x.azurecr.io")]
    #[case("x.azurecr.io:8443")]
    #[case("https://x.azurecr.io")]
    #[case("x.azurecr.io/")]
    #[case("x.azurecr.io\n")]
    #[case("xazurecr.io")]
    #[case("x.azurecr.us")]
    #[case("x.data.azurecr.io")]
    #[case("x.westeurope.data.azurecr.io")]
    #[case("é.azurecr.io")]
    #[case("10.0.0.1")]
    fn other_hosts_are_refused_with_the_field(#[case] registry: &str) {
        let refused = parse(registry, AzureEnvironmentType::PublicCloud, &[]).unwrap_err();
        assert_eq!(refused.cause, Cause::GeneratorInvalid);
        assert!(refused.message.starts_with("registry ") && refused.hint.is_some(), "{refused:?}");
    }

    #[test]
    fn each_cloud_has_its_suffix_and_the_operator_may_list_others() {
        assert!(parse("x.azurecr.us", AzureEnvironmentType::USGovernmentCloud, &[]).is_ok());
        assert!(parse("x.azurecr.cn", AzureEnvironmentType::ChinaCloud, &[]).is_ok());
        assert!(parse("x.azurecr.io", AzureEnvironmentType::AzureStackCloud, &[]).is_err());
        assert!(parse("r.local.example", AzureEnvironmentType::AzureStackCloud, &[".local.example"]).is_ok());
        assert!(parse("r.local.example:5000", AzureEnvironmentType::AzureStackCloud, &[".local.example"]).is_err());
    }
}
