//! What each cause means and what to do about it, for the documentation. Messages are more specific: they name the
//! object, the identity and the host.

use super::{Cause, EntraCode};
use crate::provider::Class;
use crate::provider::causes::{CauseDescription, StoreEffect};

const PROXY: &str = "Check `HTTPS_PROXY`, `NO_PROXY`, and what the host's name resolves to.";
const PASSES: &str = "Nothing: the controller retries.";

/// All causes, one per label.
pub(in crate::provider::azure) fn causes() -> Vec<CauseDescription> {
    let mut described = Vec::new();
    for cause in Cause::ALL {
        match cause {
            Cause::EntraRefused(_) => {
                let codes = EntraCode::ALL.iter().copied();
                described.extend(codes.map(|code| describe(Cause::EntraRefused(code), explain_code(code))));
            }
            cause => described.push(describe(*cause, explain(*cause))),
        }
    }
    described
}

fn describe(cause: Cause, (meaning, remedy): (&'static str, &'static str)) -> CauseDescription {
    let store = match cause.class() {
        _ if cause.is_outage() => StoreEffect::StaysUsable,
        _ if matches!(cause, Cause::RegistryFirewall) => StoreEffect::None,
        Class::Absent
        | Class::Disabled
        | Class::Denied
        | Class::PropertyMissing
        | Class::InvalidReference
        | Class::InvalidGenerator => StoreEffect::None,
        _ => StoreEffect::NotReady,
    };
    CauseDescription { label: cause.label(), class: cause.class(), store, meaning, remedy }
}

#[allow(clippy::too_many_lines, reason = "a table, of one line a cause")]
const fn explain(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::StoreInvalid => {
            ("A field of the store is missing or invalid.", "Correct the field that the message names.")
        }
        Cause::NamespaceForbidden => {
            ("A SecretStore names another namespace.", "Leave the namespace out, or use a ClusterSecretStore.")
        }
        Cause::CustomCloudForbidden => (
            "`customCloudConfig` of a SecretStore would send an identity from outside its namespace elsewhere.",
            "Use a service account or Secret of the namespace, or have the operator allow the host by `--azure-extra-host`.",
        ),
        Cause::OwnIdentityForbidden => (
            "A SecretStore would read as the controller itself.",
            "Name a service account or Secret of the namespace in the store, or use a ClusterSecretStore.",
        ),
        Cause::ReferenceInvalid => {
            ("The name or version in a reference is invalid.", "Correct `remoteRef` as the message says.")
        }
        Cause::PropertyMissing => (
            "The value has no such property, or is not JSON.",
            "Correct `remoteRef.property`, or the value in the vault.",
        ),
        Cause::ServiceAccountMissing => {
            ("The service account does not exist.", "Create it, or correct `serviceAccountRef`.")
        }
        Cause::IdentityIncomplete => (
            "No client id or no tenant id was found.",
            "Annotate the service account with `azure.workload.identity/client-id` and `.../tenant-id`, or set them in the store.",
        ),
        Cause::PodIdentityMissing => (
            "The controller's pod has no identity of its own.",
            "Give the pod the label `azure.workload.identity/use: \"true\"`, or name a service account in the store.",
        ),
        Cause::CallerUnknown => (
            "Neither the environment nor a tool provides a token for the person who runs the program.",
            "Log in, as by `az login`.",
        ),
        Cause::TokenFileUnreadable => {
            ("The pod's token file cannot be read.", "Restart the pod, so that the token is mounted again.")
        }
        Cause::CredentialMissing => {
            ("A Secret with a credential, or its key, does not exist.", "Create it, or correct `authSecretRef`.")
        }
        Cause::ClientCertificateUnusable => (
            "The client certificate cannot be used.",
            "Put a certificate with its key, as PEM or PFX, into the Secret.",
        ),
        Cause::ClusterForbidden => (
            "The controller may not read what the identity is made from, or get a token of the service account.",
            "Grant it in the controller's role; see `rbac.serviceAccountTokenRequests` of the chart.",
        ),
        Cause::ClusterUnavailable => ("The Kubernetes API did not answer.", PASSES),
        Cause::EntraRefused(code) => explain_code(code),
        Cause::EntraThrottled => ("Entra ID asked to slow down.", PASSES),
        Cause::EntraUnavailable => ("Entra ID failed.", PASSES),
        Cause::ManagedIdentityMissing => (
            "The machine has no such managed identity.",
            "Assign it to the node pool, and set `identityId` to its client id.",
        ),
        Cause::TokenRefused => (
            "The vault refused the token.",
            "Check the tenant of the vault, and that `vaultUrl` and `environmentType` are of one cloud.",
        ),
        Cause::ForbiddenByRbac => (
            "No role of the identity allows it.",
            "Assign `Key Vault Secrets User` to the identity in the message; it takes Azure a few minutes.",
        ),
        Cause::AccessDenied => (
            "No access policy of the vault allows it.",
            "Add a policy for the identity in the message; roles do not help there.",
        ),
        Cause::Forbidden => ("The vault refused for another reason.", "See the message, which quotes Azure."),
        Cause::ForbiddenByFirewall => (
            "The vault's firewall refuses the network.",
            "Allow the address in the message, or the subnet, in the vault's firewall.",
        ),
        Cause::ForbiddenByConnection => {
            ("The vault accepts only private connections.", "Use a private endpoint and its DNS zone.")
        }
        Cause::Disabled => ("The object is disabled.", "Enable it, or pin an enabled version by `remoteRef.version`."),
        Cause::SecretNotFound => {
            ("There is no such secret.", "Check name and vault; it may be deleted and recoverable.")
        }
        Cause::KeyNotFound => ("There is no such key.", "Check name and vault; it may be deleted and recoverable."),
        Cause::CertificateNotFound => {
            ("There is no such certificate.", "Check name and vault; it may be deleted and recoverable.")
        }
        Cause::DeletedButRecoverable => {
            ("The name is taken by a deleted object.", "Recover or purge the deleted object.")
        }
        Cause::BeingDeleted => ("The object is being deleted.", "Wait until it is deleted."),
        Cause::BeingRecovered => ("The object is being recovered.", PASSES),
        Cause::Conflict => ("Another request is changing the object, or another one of this name.", PASSES),
        Cause::PartOfCertificate => {
            ("The object is part of a certificate.", "Write to `cert/NAME`, or use another name.")
        }
        Cause::ForbiddenByPolicy => (
            "An Azure Policy forbids such an object.",
            "Set the content type or the expiration date in `metadata.spec`, or use another kind or size of key.",
        ),
        Cause::ValueUnusable => (
            "This kind of object cannot store the value.",
            "Correct the value in the Secret, or the prefix of the remote key.",
        ),
        Cause::BadRequest => ("Key Vault refused the request as malformed.", "See the message, which quotes Azure."),
        Cause::VaultThrottled => (
            "The vault asked to slow down.",
            "Everybody who uses it shares its limit: lengthen `refreshInterval`, or use more vaults.",
        ),
        Cause::VaultUnavailable => ("The vault is not available for now.", PASSES),
        Cause::VaultFailed => ("The vault failed.", PASSES),
        Cause::GeneratorInvalid => {
            ("A field of an ACRAccessToken is missing or invalid.", "Correct the field that the message names.")
        }
        Cause::RegistryUnauthorized => (
            "The registry issues no token to the identity.",
            "Assign `AcrPull`, or `Container Registry Repository Reader` where the registry decides by ABAC; it takes Azure a few minutes.",
        ),
        Cause::RegistryFirewall => (
            "The registry's firewall refuses the network.",
            "Allow the cluster's address or subnet in the registry's firewall, or use a private endpoint and its DNS zone.",
        ),
        Cause::RegistryDenied => ("The registry refused for another reason.", "See the message, which quotes Azure."),
        Cause::RegistryThrottled => {
            ("The registry asked to slow down, or a namespace asked it for too many tokens.", PASSES)
        }
        Cause::RegistryFailed => ("The registry failed.", PASSES),
        Cause::HostNotFound => {
            ("The host's name does not exist.", "Check `vaultUrl`, the suffix of the cloud, and the private DNS zone.")
        }
        Cause::DnsUnavailable => ("The name could not be looked up.", "If it lasts, check the cluster's DNS."),
        Cause::ConnectionRefused => ("Nothing listens there.", PROXY),
        Cause::ConnectionBroken => ("The connection broke.", PASSES),
        Cause::Timeout => ("No answer in time.", "If it lasts, check routes, firewalls and network policies."),
        Cause::ProxyFailed => ("The proxy did not connect.", PROXY),
        Cause::TlsWrongName => {
            ("The certificate is for another name.", "Use the vault's normal URL, also with a private endpoint.")
        }
        Cause::TlsUnknownIssuer => {
            ("The certificate's issuer is not known.", "If a proxy opens TLS, give its CA by `--azure-ca-bundle`.")
        }
        Cause::TlsExpired => ("The certificate is not valid now.", "Check the certificate and the node's clock."),
        Cause::TlsFailed => ("TLS failed.", PROXY),
        Cause::Redirected => ("A redirect, which is not followed with a token.", "Check `vaultUrl`."),
        Cause::AnswerTooLarge => ("The answer is larger than any that Key Vault sends.", PROXY),
        Cause::AnswersCrowded => ("The answers being read have reached their shared memory limit.", PASSES),
        Cause::ConnectionsCrowded => ("Too many requests to vaults and authorities are in flight.", PASSES),
        Cause::UnexpectedAnswer => ("The answer has an unexpected form.", PROXY),
        Cause::ForeignHost => ("A paging link leads to another host; it was not followed.", PROXY),
        Cause::Aborted => ("The read was given up inside the program.", PASSES),
    }
}

const fn explain_code(code: EntraCode) -> (&'static str, &'static str) {
    match code {
        EntraCode::NoMatchingFederation => (
            "No federated credential matches the token.",
            "Create one with exactly the issuer, subject and audience in the message; it takes Azure a few minutes.",
        ),
        EntraCode::NoFederation => ("The identity has no federated credential.", "Create one as the message says."),
        EntraCode::FederationForbidden => {
            ("A policy of the tenant forbids the federation.", "Ask the directory's administrator.")
        }
        EntraCode::FederationIssuerForbidden => {
            ("A policy of the tenant forbids federation with this issuer.", "Ask the directory's administrator.")
        }
        EntraCode::AssertionIssuer => (
            "The token's issuer matches no federated credential.",
            "Set it to the cluster's OIDC issuer URL; a rebuilt cluster has another.",
        ),
        EntraCode::AssertionAudience => (
            "The token's audience matches no federated credential.",
            "Set it to `api://AzureADTokenExchange` or that of the sovereign cloud, or name it in `serviceAccountRef.audiences`.",
        ),
        EntraCode::AssertionSubject => (
            "The token's subject matches no federated credential.",
            "Set it to `system:serviceaccount:NAMESPACE:NAME` of the service account.",
        ),
        EntraCode::AssertionSubjectCase => {
            ("The token's subject differs in upper and lower case.", "Write it exactly as in the message.")
        }
        EntraCode::ApplicationNotFound => (
            "The application is not in the tenant.",
            "Check that it is the client id, not the object id, and that the tenant is right.",
        ),
        EntraCode::TenantNotFound => ("There is no such tenant.", "Check the tenant id and `environmentType`."),
        EntraCode::AssertionOutsideTime => {
            ("The token is outside its valid time.", "Check the clocks of node and control plane.")
        }
        EntraCode::AssertionTooLong => {
            ("The token lives too long.", "Point `AZURE_FEDERATED_TOKEN_FILE` to workload identity's projected token.")
        }
        EntraCode::ClientSecretInvalid => {
            ("The client secret is wrong.", "Put the secret's value, not its id, into the Secret.")
        }
        EntraCode::ClientSecretExpired => {
            ("The client secret has expired.", "Create a new one, and put its value into the Secret.")
        }
        EntraCode::CertificateRefused => {
            ("The application does not know the client certificate.", "Register it with the application.")
        }
        EntraCode::ResourceUnknown => (
            "The tenant does not know the resource that the token is for.",
            "Check that tenant and `environmentType` are those of the vault or registry.",
        ),
        EntraCode::Other => ("Entra ID refused for another reason.", "Look up the AADSTS code in the message."),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_label_means_one_thing() {
        let causes = causes();
        let labels: BTreeSet<_> = causes.iter().map(|cause| cause.label).collect();
        assert_eq!(labels.len(), causes.len());
        assert!(labels.contains("AADSTS700016") && labels.contains("ForbiddenByRbac"));
    }
}
