//! The write calls. Their answers are dropped, because the answer to a new version of a secret contains its value.

use std::sync::Arc;

use azure_core::Bytes;
use azure_core::http::headers::Headers;
use azure_core::http::pager::PagerOptions;
use azure_core::http::response::ResponseBody;
use azure_core::http::{Response, StatusCode};
use azure_security_keyvault_certificates::models::{
    CertificateClientDeleteCertificateOptions, CertificateClientGetDeletedCertificateOptions,
    CertificateClientImportCertificateOptions, CertificateClientRecoverDeletedCertificateOptions,
    CertificateClientUpdateCertificatePropertiesOptions,
};
use azure_security_keyvault_keys::models::{
    KeyClientDeleteKeyOptions, KeyClientGetDeletedKeyOptions, KeyClientImportKeyOptions,
    KeyClientRecoverDeletedKeyOptions, KeyClientUpdateKeyPropertiesOptions,
};
use azure_security_keyvault_secrets::models::{
    SecretClientDeleteSecretOptions, SecretClientGetDeletedSecretOptions,
    SecretClientListSecretPropertiesVersionsOptions, SecretClientRecoverDeletedSecretOptions,
    SecretClientSetSecretOptions, SecretClientUpdateSecretPropertiesOptions,
};
use futures::StreamExt as _;

use super::super::answer::Object;
use super::super::diagnose::Diagnosis;
use super::super::object::{ObjectId, ObjectKind};
use super::super::transport::wipe;
use super::{Errand, Sdk, context, options_of, parts};

fn refused(error: &azure_core::Error) -> Diagnosis {
    Diagnosis::from_sdk(error)
}

/// An answer of the SDK.
type Answer = (StatusCode, Headers, ResponseBody);

/// The answer to a call.
async fn answered<T, F>(call: impl Future<Output = azure_core::Result<Response<T, F>>>) -> Result<Answer, Diagnosis> {
    Ok(call.await.map_err(|error| refused(&error))?.deconstruct())
}

/// Awaits a call whose answer is not needed, and wipes the answer.
async fn done<T, F>(call: impl Future<Output = azure_core::Result<Response<T, F>>>) -> Result<(), Diagnosis> {
    wipe(parts(answered(call).await?).1);
    Ok(())
}

/// The version in the answer to a write, if there is one.
fn version(id: &ObjectId, answer: Answer) -> Option<String> {
    let (headers, body) = parts(answer);
    Object::parse(id, &headers, body).ok().and_then(|object| object.written.version)
}

impl Sdk {
    /// Creates a version of a secret, or imports a key or certificate. Returns the version if the answer names it.
    pub(in crate::provider::azure) async fn new_version(
        &self,
        id: &ObjectId,
        value: &[u8],
        body: Bytes,
        errand: &Arc<Errand>,
    ) -> Result<Option<String>, Diagnosis> {
        let method_options = options_of(errand);
        let refused = |error: azure_core::Error| refused(&error).of_sent(value);
        let answer = match id.kind {
            ObjectKind::Secret => {
                let options = Some(SecretClientSetSecretOptions { method_options });
                let answer = self.secrets.set_secret(&id.name, body.into(), options).await;
                answer.map_err(refused)?.deconstruct()
            }
            ObjectKind::Key => {
                let options = Some(KeyClientImportKeyOptions { method_options });
                let answer = self.keys.import_key(&id.name, body.into(), options).await;
                answer.map_err(refused)?.deconstruct()
            }
            ObjectKind::Certificate => {
                let options = Some(CertificateClientImportCertificateOptions { method_options });
                let answer = self.certificates.import_certificate(&id.name, body.into(), options).await;
                answer.map_err(refused)?.deconstruct()
            }
        };
        Ok(version(id, answer))
    }

    /// Changes the properties of the version in `id`.
    pub(in crate::provider::azure) async fn update(
        &self,
        id: &ObjectId,
        body: Bytes,
        errand: &Arc<Errand>,
    ) -> Result<(), Diagnosis> {
        let (version, method_options) = (id.version.clone(), options_of(errand));
        match id.kind {
            ObjectKind::Secret => {
                let options = SecretClientUpdateSecretPropertiesOptions { secret_version: version, method_options };
                done(self.secrets.update_secret_properties(&id.name, body.into(), Some(options))).await
            }
            ObjectKind::Key => {
                let options = KeyClientUpdateKeyPropertiesOptions { key_version: version, method_options };
                done(self.keys.update_key_properties(&id.name, body.into(), Some(options))).await
            }
            ObjectKind::Certificate => {
                let options = CertificateClientUpdateCertificatePropertiesOptions {
                    certificate_version: version,
                    method_options,
                };
                done(self.certificates.update_certificate_properties(&id.name, body.into(), Some(options))).await
            }
        }
    }

    /// Deletes an object.
    pub(in crate::provider::azure) async fn delete(
        &self,
        id: &ObjectId,
        errand: &Arc<Errand>,
    ) -> Result<(), Diagnosis> {
        let method_options = options_of(errand);
        match id.kind {
            ObjectKind::Secret => {
                let options = Some(SecretClientDeleteSecretOptions { method_options });
                done(self.secrets.delete_secret(&id.name, options)).await
            }
            ObjectKind::Key => {
                let options = Some(KeyClientDeleteKeyOptions { method_options });
                done(self.keys.delete_key(&id.name, options)).await
            }
            ObjectKind::Certificate => {
                let options = Some(CertificateClientDeleteCertificateOptions { method_options });
                done(self.certificates.delete_certificate(&id.name, options)).await
            }
        }
    }

    /// Starts the recovery of a deleted object.
    pub(in crate::provider::azure) async fn recover(
        &self,
        id: &ObjectId,
        errand: &Arc<Errand>,
    ) -> Result<(), Diagnosis> {
        let method_options = options_of(errand);
        match id.kind {
            ObjectKind::Secret => {
                let options = Some(SecretClientRecoverDeletedSecretOptions { method_options });
                done(self.secrets.recover_deleted_secret(&id.name, options)).await
            }
            ObjectKind::Key => {
                let options = Some(KeyClientRecoverDeletedKeyOptions { method_options });
                done(self.keys.recover_deleted_key(&id.name, options)).await
            }
            ObjectKind::Certificate => {
                let options = Some(CertificateClientRecoverDeletedCertificateOptions { method_options });
                done(self.certificates.recover_deleted_certificate(&id.name, options)).await
            }
        }
    }

    /// A deleted object, without its value.
    pub(in crate::provider::azure) async fn get_deleted(
        &self,
        id: &ObjectId,
        errand: &Arc<Errand>,
    ) -> Result<Object, Diagnosis> {
        let method_options = options_of(errand);
        let answer = match id.kind {
            ObjectKind::Secret => {
                let options = Some(SecretClientGetDeletedSecretOptions { method_options });
                answered(self.secrets.get_deleted_secret(&id.name, options)).await
            }
            ObjectKind::Key => {
                let options = Some(KeyClientGetDeletedKeyOptions { method_options });
                answered(self.keys.get_deleted_key(&id.name, options)).await
            }
            ObjectKind::Certificate => {
                let options = Some(CertificateClientGetDeletedCertificateOptions { method_options });
                answered(self.certificates.get_deleted_certificate(&id.name, options)).await
            }
        };
        let (headers, body) = parts(answer?);
        Object::parse(id, &headers, body)
    }

    /// The first page of the versions of a secret, unparsed.
    pub(in crate::provider::azure) async fn versions(
        &self,
        id: &ObjectId,
        errand: &Arc<Errand>,
    ) -> Result<Bytes, Diagnosis> {
        let options = SecretClientListSecretPropertiesVersionsOptions {
            method_options: PagerOptions { continuation: None, context: context(errand) },
            ..Default::default()
        };
        let pages =
            self.secrets.list_secret_properties_versions(&id.name, Some(options)).map_err(|error| refused(&error))?;
        match pages.into_pages().next().await {
            Some(Ok(page)) => Ok(page.deconstruct().2.into()),
            Some(Err(error)) => Err(refused(&error)),
            None => Ok(Bytes::new()),
        }
    }
}
