//! The address of a vault, as a store names it.

use std::fmt;

use url::Url;

use super::cloud::{Cloud, Vaults};
use super::diagnose::{Cause, Diagnosis, text};

/// The address of a vault: `https://` and a host, nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct VaultEndpoint {
    host: String,
}

impl VaultEndpoint {
    /// Checks `vaultUrl`: only a vault of `cloud` may receive its tokens.
    pub(super) fn parse(vault_url: &str, cloud: &Cloud) -> Result<Self, Diagnosis> {
        const FIELD: &str = "azurekv.vaultUrl";
        let refuse = |why: &str, remedy: &str| {
            let shown = text::stable(vault_url);
            Diagnosis::of_field(Cause::StoreInvalid, FIELD, format!("\"{shown}\" {why}")).hint(remedy)
        };
        let example = format!("give a URL such as {}", cloud.vaults.example());
        if vault_url.trim().is_empty() {
            return Err(Diagnosis::of_field(Cause::StoreInvalid, FIELD, "is missing").hint(example));
        }
        let url = Url::parse(vault_url).map_err(|_| refuse("is not a URL", &example))?;
        if url.scheme() != "https" {
            return Err(refuse("does not start with https://", &example));
        }
        let host = url.domain().ok_or_else(|| refuse("names no host", &example))?;
        let extra = !url.username().is_empty()
            || url.password().is_some()
            || url.port().is_some()
            || url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some();
        if extra {
            return Err(refuse("has more than a host in it (a user, port, path or query)", &example));
        }
        if !cloud.vaults.contain(host) {
            let remedy = format!(
                "{example} (a private endpoint is reached by that name too), or set environmentType to the vault's cloud"
            );
            return Err(refuse("is not a vault of the store's cloud, so it gets no token", &remedy));
        }
        Ok(Self { host: host.to_owned() })
    }

    /// The address as a URL.
    pub(super) fn url(&self) -> Result<Url, Diagnosis> {
        Url::parse(&self.to_string())
            .map_err(|_| Diagnosis::new(Cause::StoreInvalid, format!("{} is not a host", self.host)))
    }

    /// The vault's host.
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for VaultEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}/", self.host)
    }
}

impl Vaults {
    fn example(&self) -> String {
        match self {
            Self::Suffix(suffix) => format!("https://my-vault.{suffix}"),
            Self::Host(host) => format!("https://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::api::v1::secret_store::{AzureKvProvider, StoreKind};
    use crate::provider::azure::Options;

    fn parse(url: &str) -> Result<VaultEndpoint, Diagnosis> {
        let cloud = Cloud::of_store(StoreKind::SecretStore, &AzureKvProvider::default(), &Options::default()).unwrap();
        VaultEndpoint::parse(url, &cloud)
    }

    #[rstest]
    #[case("https://my-vault.vault.azure.net")]
    #[case("https://my-vault.vault.azure.net/")]
    #[case("https://My-Vault.Vault.Azure.Net:443/")]
    fn a_vault_of_the_cloud_is_taken(#[case] url: &str) {
        assert_eq!(parse(url).unwrap().host(), "my-vault.vault.azure.net");
    }

    #[rstest]
    #[case("", "missing")]
    #[case("my-vault.vault.azure.net", "not a URL")]
    #[case("http://my-vault.vault.azure.net", "https://")]
    #[case("https://my-vault.vault.azure.net.evil.example", "gets no token")]
    #[case("https://evilvault.azure.net", "gets no token")]
    #[case("https://vault.azure.net", "gets no token")]
    #[case("https://.vault.azure.net", "gets no token")]
    #[case("https://my-vault.vault.azure.net.", "gets no token")]
    #[case("https://my-vault.vault.usgovcloudapi.net", "environmentType")]
    #[case("https://my-vault.privatelink.vaultcore.azure.net", "private endpoint")]
    #[case("https://10.0.0.4", "names no host")]
    #[case("https://evil.example#.vault.azure.net", "more than a host")]
    #[case("https://evil.example\\.vault.azure.net", "more than a host")]
    #[case("https://evil.example/.vault.azure.net", "more than a host")]
    #[case("https://a.vault.azure.net@evil.example", "more than a host")]
    #[case("https://a.vault.azure.net:8443", "more than a host")]
    #[case("https://a.vault.azure.net/secrets", "more than a host")]
    #[case("https://a.vault.azure.net/?x=y", "more than a host")]
    fn any_other_host_gets_no_token(#[case] url: &str, #[case] words: &str) {
        let refused = parse(url).unwrap_err();
        let text = format!("{} {}", refused.message, refused.hint.unwrap_or_default());
        assert!(text.contains(words), "{text}");
        assert!(text.contains("vaultUrl"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_taken_ends_in_the_clouds_suffix(url in "https://[a-z@:/.#?\\\\]{0,30}vault\\.azure\\.net.{0,10}") {
            if let Ok(endpoint) = parse(&url) {
                assert!(endpoint.host().ends_with(".vault.azure.net"));
                assert_eq!(Url::parse(&endpoint.to_string()).unwrap().host_str(), Some(endpoint.host()));
            }
        }
    }
}
