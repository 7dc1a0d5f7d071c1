//! The identity of the person who runs the program: a service principal from the environment, or else the account that
//! is logged in with one of Azure's tools.

use std::ffi::OsStr;
use std::io;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential, AzureDeveloperCliCredentialOptions,
    Executor, new_executor,
};

use super::diagnose::{Cause, Diagnosis, text};
use super::identity::{Identity, Proof, application};
use super::options::Environment;

/// How long a tool may take. It is a process that asks Entra ID.
const DEADLINE: Duration = Duration::from_mins(1);

/// The caller's identity for a vault, with the store's tenant if it names one.
///
/// # Errors
/// If an ID in the environment is invalid.
pub(super) fn identity(environment: &Environment, tenant_of_store: Option<&str>) -> Result<Identity, Diagnosis> {
    let Environment { client_id, tenant_id, client_secret, certificate_file, token_file, .. } = environment;
    // In the order of Azure's SDKs.
    let proof = match (client_secret, certificate_file, token_file) {
        (Some(_), _, _) => Some(Proof::EnvironmentSecret),
        (None, Some(file), _) => Some(Proof::CertificateFile(file.clone())),
        (None, None, file) => file.clone().map(Proof::TokenFile),
    };
    match (client_id, tenant_id, proof) {
        (Some(client_id), Some(tenant_id), Some(proof)) => application(client_id.clone(), tenant_id.clone(), proof),
        _ => Ok(Identity::LoggedIn { tenant_id: tenant_of_store.map(ToOwned::to_owned) }),
    }
}

/// A token of the account that is logged in with a tool, from the first tool that has one.
///
/// # Errors
/// If no tool has one. The error contains the reply of each.
pub(super) async fn token(tenant_id: Option<&str>, scope: &str) -> Result<AccessToken, Diagnosis> {
    let mut said = Vec::new();
    for tool in [Tool::Az, Tool::Azd] {
        match tool.token(tenant_id, scope).await {
            Ok(token) => return Ok(token),
            Err(why) => said.push(format!("{}: {why}", tool.name())),
        }
    }
    Err(Diagnosis::new(
        Cause::CallerUnknown,
        format!("could not get a token with your own identity ({})", said.join("; ")),
    )
    .hint("log in with az login or azd auth login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"))
}

/// A tool that stores a login.
#[derive(Clone, Copy)]
enum Tool {
    Az,
    Azd,
}

impl Tool {
    const fn name(self) -> &'static str {
        match self {
            Self::Az => "az",
            Self::Azd => "azd",
        }
    }

    async fn token(self, tenant_id: Option<&str>, scope: &str) -> Result<AccessToken, String> {
        let watched = Arc::new(Watched { inner: new_executor(), refused: AtomicBool::default() });
        let executor = Some(Arc::clone(&watched) as Arc<dyn Executor>);
        let tenant_id = tenant_id.map(ToOwned::to_owned);
        let credential: azure_core::Result<Arc<dyn TokenCredential>> = match self {
            Self::Az => {
                AzureCliCredential::new(Some(AzureCliCredentialOptions { executor, tenant_id, ..Default::default() }))
                    .map(|credential| credential as _)
            }
            Self::Azd => {
                let options = AzureDeveloperCliCredentialOptions { executor, tenant_id };
                AzureDeveloperCliCredential::new(Some(options)).map(|credential| credential as _)
            }
        };
        let token = match credential {
            Ok(credential) => credential.get_token(&[scope], None).await,
            Err(error) => Err(error),
        };
        token.map_err(|error| {
            if watched.refused.load(Ordering::Relaxed) {
                text::stable(&innermost(&error))
            } else {
                // The error may quote the output, which is a token.
                "what it printed is not a token".to_owned()
            }
        })
    }
}

/// The tool's own message, without what the SDK adds.
fn innermost(error: &azure_core::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Runs a tool and records whether it failed, in which case its standard error may be shown.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn Executor>,
    refused: AtomicBool,
}

#[async_trait]
impl Executor for Watched {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let output = tokio::time::timeout(DEADLINE, self.inner.run(program, arguments)).await;
        let output = output.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let refused = output.as_ref().map_or(true, |output| !output.status.success());
        self.refused.store(refused, Ordering::Relaxed);
        output
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn environment(names: &[&str]) -> Environment {
        Environment::from_lookup(|name| {
            names.contains(&name).then(|| format!("{}-value", name.to_lowercase().replace('_', "-")))
        })
    }

    #[rstest]
    #[case(&["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"], "EnvironmentSecret")]
    #[case(&["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"], "CertificateFile(\"azure-client-certificate-path-value\")")]
    #[case(&["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"], "TokenFile(\"azure-federated-token-file-value\")")]
    fn a_service_principal_of_the_environment_comes_first(#[case] names: &[&str], #[case] expected: &str) {
        match identity(&environment(names), Some("of-store")).unwrap() {
            Identity::Application { client_id, tenant_id, proof } => {
                assert_eq!((&*client_id, &*tenant_id), ("azure-client-id-value", "azure-tenant-id-value"));
                assert_eq!(format!("{proof:?}"), expected);
            }
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case(&[])]
    #[case(&["AZURE_CLIENT_ID", "AZURE_TENANT_ID"])]
    #[case(&["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"])]
    fn without_one_it_is_the_logged_in_account_in_the_tenant_of_the_store(#[case] names: &[&str]) {
        let found = identity(&environment(names), Some("of-store")).unwrap();
        assert_eq!(found, Identity::LoggedIn { tenant_id: Some("of-store".to_owned()) });
    }
}
