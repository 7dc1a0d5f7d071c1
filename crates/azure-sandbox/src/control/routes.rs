//! The routes of the control API.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::entra::directory::{Application, Tenant};
use crate::fault::FaultId;
use crate::keyvault::object::{ObjectKind, ObjectProperties};
use crate::keyvault::secrets::SecretProperties;
use crate::keyvault::vault::Vault;
use crate::message;
use crate::{EntraCounters, SandboxError};

use super::Control;
use super::documents::{ApplicationDocument, Document, FaultDocument, IssuerDocument, MachineDocument};
use super::objects::{CertificateDocument, KeyDocument, SecretDocument};
use super::vaults::VaultDocument;

/// The control API.
pub(crate) fn router(control: Control) -> Router {
    const APPLICATION: &str = "/tenants/{tenant}/applications/{client}";
    Router::new()
        .route("/environment", get(environment))
        .route("/ca.pem", get(certificate))
        .route("/counters", get(counters))
        .route("/apply", post(apply))
        .route("/issuers", put(set_issuer))
        .route(APPLICATION, put(set_application))
        .route(&format!("{APPLICATION}/counters"), get(application_counters).delete(reset_application))
        .route(&format!("{APPLICATION}/faults"), post(fault_application).delete(lift_all_of_application))
        .route(&format!("{APPLICATION}/faults/{{id}}"), axum::routing::delete(lift_of_application))
        .route("/tenants/{tenant}/faults", post(fault_tenant).delete(lift_all_of_tenant))
        .route("/tenants/{tenant}/faults/{id}", axum::routing::delete(lift_of_tenant))
        .route("/entra/faults", post(fault_entra).delete(lift_all_of_entra))
        .route("/entra/faults/{id}", axum::routing::delete(lift_of_entra))
        .route("/machine", put(set_machine))
        .route("/machine/faults", post(fault_machine).delete(lift_all_of_machine))
        .route("/machine/faults/{id}", axum::routing::delete(lift_of_machine))
        .route("/vaults/{vault}", put(set_vault))
        .route("/vaults/{vault}/counters", get(vault_counters).delete(reset_vault))
        .route("/vaults/{vault}/faults", post(fault_vault).delete(lift_all_of_vault))
        .route("/vaults/{vault}/faults/{id}", axum::routing::delete(lift_of_vault))
        .route("/vaults/{vault}/{collection}/{name}", put(set_object).patch(update_object).delete(delete_object))
        .route("/vaults/{vault}/{collection}/{name}/recover", post(recover_object))
        .route("/vaults/{vault}/{collection}/{name}/purge", post(purge_object))
        .with_state(control)
}

/// A refusal of the control API.
struct Refusal(StatusCode, String);

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        let status = match &error {
            SandboxError::Vault(refusal) => refusal.status,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        message::json(self.0, &json!({ "error": self.1 }))
    }
}

type Outcome = Result<Response, Refusal>;

fn ok(body: &Value) -> Response {
    message::json(StatusCode::OK, body)
}

fn done() -> Response {
    message::empty(StatusCode::NO_CONTENT)
}

/// Parses the body, whatever its `Content-Type`: `curl -d` declares it as a form.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("the body is not what is expected here: {error}")))
}

impl Control {
    fn tenant(&self, name: &str) -> Tenant {
        self.state.tenant_named(name)
    }

    fn application(&self, (tenant, client): &(String, String)) -> Application {
        self.tenant(tenant).application(client)
    }

    fn vault(&self, name: &str) -> Result<Vault, Refusal> {
        Ok(self.state.vault_named(name)?)
    }
}

async fn environment(Extracted(control): Extracted<Control>) -> String {
    let lines: Vec<String> =
        control.environment().into_iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    lines.concat()
}

async fn certificate(Extracted(control): Extracted<Control>) -> Response {
    let body = control.state.authority.certificate_pem().to_owned();
    ([(CONTENT_TYPE, "application/x-pem-file")], body).into_response()
}

async fn counters(Extracted(control): Extracted<Control>) -> Response {
    let tenants: BTreeMap<String, Value> = control
        .state
        .tenants()
        .into_iter()
        .map(|state| {
            let tenant = Tenant(state);
            let applications: BTreeMap<String, EntraCounters> = tenant
                .applications()
                .into_iter()
                .map(|client| (client.clone(), tenant.application(&client).counters()))
                .collect();
            (tenant.id().to_owned(), json!({ "counters": tenant.counters(), "applications": applications }))
        })
        .collect();
    let vaults: BTreeMap<String, Value> = control
        .state
        .vaults()
        .into_iter()
        .map(|vault| (vault.host.clone(), json!(vault.counters.snapshot())))
        .collect();
    ok(&json!({ "tenants": tenants, "vaults": vaults }))
}

async fn apply(Extracted(control): Extracted<Control>, body: Bytes) -> Outcome {
    parse::<Document>(&body)?.apply(&control.state)?;
    Ok(done())
}

async fn set_issuer(Extracted(control): Extracted<Control>, body: Bytes) -> Outcome {
    parse::<IssuerDocument>(&body)?.apply(&control.state)?;
    Ok(done())
}

type ApplicationPath = Path<(String, String)>;
type FaultOfApplicationPath = Path<(String, String, u64)>;

async fn set_application(Extracted(control): Extracted<Control>, Path(path): ApplicationPath, body: Bytes) -> Outcome {
    let document = if body.is_empty() { ApplicationDocument::default() } else { parse(&body)? };
    let application = control.application(&path);
    document.apply(&application)?;
    Ok(ok(&json!({ "clientId": application.client_id(), "objectId": application.object_id() })))
}

async fn application_counters(Extracted(control): Extracted<Control>, Path(path): ApplicationPath) -> Response {
    ok(&json!(control.application(&path).counters()))
}

async fn reset_application(Extracted(control): Extracted<Control>, Path(path): ApplicationPath) -> Outcome {
    control.application(&path).reset_counters();
    Ok(done())
}

fn started(FaultId(id): FaultId) -> Response {
    ok(&json!({ "id": id }))
}

fn lifted(found: bool) -> Outcome {
    if found { Ok(done()) } else { Err(Refusal(StatusCode::NOT_FOUND, "there is no such fault".to_owned())) }
}

async fn fault_application(
    Extracted(control): Extracted<Control>,
    Path(path): ApplicationPath,
    body: Bytes,
) -> Outcome {
    Ok(started(control.application(&path).fault(parse::<FaultDocument>(&body)?.fault()?)))
}

async fn lift_all_of_application(Extracted(control): Extracted<Control>, Path(path): ApplicationPath) -> Outcome {
    control.application(&path).lift_all();
    Ok(done())
}

async fn lift_of_application(
    Extracted(control): Extracted<Control>,
    Path((tenant, client, id)): FaultOfApplicationPath,
) -> Outcome {
    lifted(control.application(&(tenant, client)).lift(FaultId(id)))
}

async fn fault_tenant(Extracted(control): Extracted<Control>, Path(tenant): Path<String>, body: Bytes) -> Outcome {
    Ok(started(control.tenant(&tenant).fault(parse::<FaultDocument>(&body)?.fault()?)))
}

async fn lift_all_of_tenant(Extracted(control): Extracted<Control>, Path(tenant): Path<String>) -> Outcome {
    control.tenant(&tenant).lift_all();
    Ok(done())
}

async fn lift_of_tenant(Extracted(control): Extracted<Control>, Path((tenant, id)): Path<(String, u64)>) -> Outcome {
    lifted(control.tenant(&tenant).lift(FaultId(id)))
}

async fn fault_entra(Extracted(control): Extracted<Control>, body: Bytes) -> Outcome {
    Ok(started(control.state.entra_fault(parse::<FaultDocument>(&body)?.fault()?)))
}

async fn lift_all_of_entra(Extracted(control): Extracted<Control>) -> Outcome {
    control.state.entra_faults.lift_all();
    Ok(done())
}

async fn lift_of_entra(Extracted(control): Extracted<Control>, Path(id): Path<u64>) -> Outcome {
    lifted(control.state.entra_faults.lift(FaultId(id)))
}

async fn set_machine(Extracted(control): Extracted<Control>, body: Bytes) -> Outcome {
    parse::<MachineDocument>(&body)?.apply(&control.state);
    Ok(done())
}

async fn fault_machine(Extracted(control): Extracted<Control>, body: Bytes) -> Outcome {
    Ok(started(control.state.machine().fault(parse::<FaultDocument>(&body)?.fault()?)))
}

async fn lift_all_of_machine(Extracted(control): Extracted<Control>) -> Outcome {
    control.state.machine().lift_all();
    Ok(done())
}

async fn lift_of_machine(Extracted(control): Extracted<Control>, Path(id): Path<u64>) -> Outcome {
    lifted(control.state.machine().lift(FaultId(id)))
}

async fn set_vault(Extracted(control): Extracted<Control>, Path(name): Path<String>, body: Bytes) -> Outcome {
    let document = if body.is_empty() { VaultDocument::default() } else { parse(&body)? };
    let vault = control.vault(&name)?;
    document.apply(&control.state, &vault)?;
    Ok(ok(&json!({ "url": vault.url() })))
}

async fn vault_counters(Extracted(control): Extracted<Control>, Path(name): Path<String>) -> Outcome {
    Ok(ok(&json!(control.vault(&name)?.counters())))
}

async fn reset_vault(Extracted(control): Extracted<Control>, Path(name): Path<String>) -> Outcome {
    control.vault(&name)?.reset_counters();
    Ok(done())
}

async fn fault_vault(Extracted(control): Extracted<Control>, Path(name): Path<String>, body: Bytes) -> Outcome {
    Ok(started(control.vault(&name)?.fault(parse::<FaultDocument>(&body)?.fault()?)))
}

async fn lift_all_of_vault(Extracted(control): Extracted<Control>, Path(name): Path<String>) -> Outcome {
    control.vault(&name)?.lift_all();
    Ok(done())
}

async fn lift_of_vault(Extracted(control): Extracted<Control>, Path((name, id)): Path<(String, u64)>) -> Outcome {
    lifted(control.vault(&name)?.lift(FaultId(id)))
}

/// Vault, collection and name.
type ObjectPath = Path<(String, String, String)>;

impl Control {
    fn object(
        &self,
        (vault, collection, name): (String, String, String),
    ) -> Result<(Vault, ObjectKind, String), Refusal> {
        let kind = ObjectKind::of_collection(&collection).ok_or_else(|| {
            let reason = format!("a vault has no {collection}: use secrets, keys or certificates");
            Refusal(StatusCode::NOT_FOUND, reason)
        })?;
        Ok((self.vault(&vault)?, kind, name))
    }
}

async fn set_object(Extracted(control): Extracted<Control>, Path(path): ObjectPath, body: Bytes) -> Outcome {
    let (vault, kind, name) = control.object(path)?;
    let version = match kind {
        ObjectKind::Secret => parse::<SecretDocument>(&body)?.write(&vault, &name)?,
        ObjectKind::Key => parse::<KeyDocument>(&body)?.write(&vault, &name)?,
        ObjectKind::Certificate => parse::<CertificateDocument>(&body)?.write(&vault, &name)?,
    };
    Ok(ok(&json!({ "version": version })))
}

async fn update_object(Extracted(control): Extracted<Control>, Path(path): ObjectPath, body: Bytes) -> Outcome {
    let (vault, kind, name) = control.object(path)?;
    match kind {
        ObjectKind::Secret => vault.update_secret(&name, None, parse::<SecretProperties>(&body)?),
        ObjectKind::Key | ObjectKind::Certificate => vault.update(kind, &name, None, parse::<ObjectProperties>(&body)?),
    }
    .map_err(SandboxError::from)?;
    Ok(done())
}

async fn delete_object(Extracted(control): Extracted<Control>, Path(path): ObjectPath) -> Outcome {
    let (vault, kind, name) = control.object(path)?;
    vault.delete(kind, &name).map_err(SandboxError::from)?;
    Ok(done())
}

async fn recover_object(Extracted(control): Extracted<Control>, Path(path): ObjectPath) -> Outcome {
    let (vault, kind, name) = control.object(path)?;
    vault.recover(kind, &name).map_err(SandboxError::from)?;
    Ok(done())
}

async fn purge_object(Extracted(control): Extracted<Control>, Path(path): ObjectPath) -> Outcome {
    let (vault, kind, name) = control.object(path)?;
    vault.purge(kind, &name).map_err(SandboxError::from)?;
    Ok(done())
}
